"""Tokens as sequences that a language model reads; no codec is needed."""
