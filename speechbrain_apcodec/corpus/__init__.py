"""The tokens of a whole corpus: made, checked, packed and read again."""
