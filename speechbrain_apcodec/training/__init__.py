"""Training: data, the Brain, codebook health, moving averages."""
