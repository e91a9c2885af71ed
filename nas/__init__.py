"""PyTorch side: shift layers, search, training, exact evaluation, export."""

import os

# Before PyTorch is loaded: its threads sleep between two pieces of work. Spinning, as they do by
# default, they take turns with whatever else runs on the machine, and all wait for the one without
# a core: a training took five times as long beside other jobs (`benchmarks/threads.py`).
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
