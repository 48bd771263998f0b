"""Reading of a trained model: where it lies, what it is, its weights."""
