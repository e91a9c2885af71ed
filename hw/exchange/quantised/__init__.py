"""Quantised ONNX files of other tools, where every scale and every weight is a power of two."""
