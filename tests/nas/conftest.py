"""One thread for each test process: they run side by side, threads that share cores only wait."""

import torch

torch.set_num_threads(1)
