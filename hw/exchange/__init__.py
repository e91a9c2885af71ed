"""Networks in the formats of other tools: ONNX files, written and read."""
