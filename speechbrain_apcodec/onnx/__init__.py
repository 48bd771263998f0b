"""A trained codec as ONNX graphs: written, and run without PyTorch."""
