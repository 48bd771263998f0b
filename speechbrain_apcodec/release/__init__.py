"""Making a model's folder, checking it and publishing it."""
