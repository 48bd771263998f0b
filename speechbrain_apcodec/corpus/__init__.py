"""The tokens of a whole corpus: made, checked, packed and read again."""

#: Audio that is encoded at a time, with its padding.
BATCH_SECONDS = 120
