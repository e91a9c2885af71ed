"""Weights loaded at run time: the bus to the layers' memories, its AXI4-Lite port, load images."""
