"""Networks that give the same whatever they see: comparing their outputs says little."""

import numpy as np

WARNING = (
    "the logits are the same for all {count} images, which differ: comparing them says little of "
    "the layers before; take other images or another network"
)


def is_constant(images: np.ndarray, logits: np.ndarray) -> bool:
    """Whether images that differ have the same logits; both have a first axis of N."""
    return bool((images != images[:1]).any()) and not bool((logits != logits[:1]).any())


def probes(shape: tuple[int, int, int], seed: int) -> np.ndarray:
    """A few images that differ in everything, uint8 (4, H, W, C): noise, all dark, all bright."""
    noise = np.random.default_rng(seed).integers(0, 256, (2, *shape), dtype=np.uint8)
    return np.stack([*noise, np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)])
