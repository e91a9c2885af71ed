"""PyTorch side: shift layers, search, training, exact evaluation, export."""
