"""The paper's search and training written the straightforward way, to measure `nas/` against.

One module for each candidate of each edge, weights quantised module by module, tensors laid out as
the library does by default, every gradient left to autograd, one optimiser over all parameters.
The same mathematics as `nas/`, and nothing of its code: with the same weights both give the same
loss and the same gradients, which `tests/nas/test_straightforward.py` holds them to.
"""
