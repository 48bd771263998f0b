"""The parts of the codec as modules that any YAML file can name."""
