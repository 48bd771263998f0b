"""Every term of the training loss as a module."""
