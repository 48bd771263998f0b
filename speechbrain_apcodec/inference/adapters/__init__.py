"""The codec behind interfaces that other projects define."""
