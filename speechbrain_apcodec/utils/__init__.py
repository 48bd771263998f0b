"""Helpers below every other floor: errors, files, pictures, YAML."""
