"""Batches of images for training: order, augmentation, targets."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from nas import distributed
from nas.model import image_tensor


class ImageSet(Protocol):
    """Images and labels on a device, wherever they lie: `Images` or `nas.stream.StreamedImages`."""

    def __len__(self) -> int: ...

    def subset(self, index: Tensor) -> "ImageSet":
        """The images at `index` (int64), in its order."""
        ...

    def sample(self, count: int) -> Tensor:
        """Up to `count` images spread evenly over the set, not augmented: (N, H, W, C) uint8."""
        ...

    def batches(self, size: int, shuffle: bool = False) -> Iterator[tuple[Tensor, Tensor]]:
        """Images (N, H, W, C) uint8 and labels (N) int64.

        Shuffled batches are for training: a last one that is not whole is left out. The order, and
        whatever else is random, follows from the state of torch's generator at the first batch.
        Where several processes train, each has its share of every shuffled batch.
        """
        ...


def orders(images: int, size: int, shuffle: bool) -> Iterator[Tensor]:
    """Index of each batch, on the CPU; see `ImageSet.batches`."""
    if shuffle:
        distributed.require_shares(min(images, size), "batch")
    order = torch.randperm(images) if shuffle else torch.arange(images)
    for start in range(0, steps_of(images, size, shuffle) * size, size):
        batch = order[start : start + size]
        yield distributed.share(batch) if shuffle else batch


def spread(images: int, count: int) -> Tensor:
    """Up to `count` indices, spread evenly: neighbours may be alike, as in an image folder."""
    count = min(images, count)
    return torch.arange(count) * images // count


@dataclass(frozen=True)
class Images:
    """Images (N, H, W, C) uint8 and labels (N) int64 on a device."""

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        return len(self.labels)

    def subset(self, index: Tensor) -> "Images":
        index = index.to(self.labels.device)
        return Images(self.pixels[index], self.labels[index])

    def sample(self, count: int) -> Tensor:
        return self.pixels[spread(len(self), count).to(self.labels.device)]

    def batches(self, size: int, shuffle: bool = False) -> Iterator[tuple[Tensor, Tensor]]:
        for order in orders(len(self), size, shuffle):
            index = order.to(self.labels.device)
            yield self.pixels[index], self.labels[index]


def steps_of(images: int, size: int, shuffle: bool) -> int:
    """Number of batches of `size` that `images` images make; see `ImageSet.batches`."""
    return max(1, images // size) if shuffle else -(-images // size)


def own_part(images: ImageSet) -> ImageSet:
    """The images that this process evaluates, where all evaluate together."""
    if distributed.world() == 1:
        return images
    return images.subset(distributed.share(torch.arange(len(images))))


def halves(images: ImageSet) -> tuple[ImageSet, ImageSet]:
    """Two random halves, for weights and for architecture parameters (paper appendix A)."""
    order = torch.randperm(len(images))
    half = len(images) // 2
    return images.subset(order[:half]), images.subset(order[half:])


WHITE = 255 / 256
"""The largest value of `nas.model.image_tensor`."""

LUMA = (0.299, 0.587, 0.114)
"""Shares of red, green and blue in an image's grey (ITU-R BT.601)."""


def _grey(x: Tensor) -> Tensor:
    """Grey (N, 1, H, W) of images (N, C, H, W); the mean of the channels where they are not RGB."""
    if x.shape[1] != len(LUMA):
        return x.mean(1, keepdim=True)
    return (x * torch.tensor(LUMA, device=x.device)[:, None, None]).sum(1, keepdim=True)


def _mean_grey(x: Tensor) -> Tensor:
    return _grey(x).mean((2, 3), keepdim=True)


@dataclass(frozen=True)
class Augmentation:
    """Random changes of training images, see `nas.config.TrainConfig`; 0 and False are off."""

    crop: int = 0
    flip: bool = False
    cutout: int = 0
    jitter: float = 0.0

    def __call__(self, pixels: Tensor) -> Tensor:
        """Images as of `nas.model.image_tensor`, changed one by one."""
        n, height, width, _ = pixels.shape
        device = pixels.device
        share, whole = distributed.share, n * distributed.world()
        if self.crop or self.flip:
            rows = torch.arange(height, device=device).expand(n, height)
            columns = torch.arange(width, device=device).expand(n, width)
            if self.flip:
                turned = share(torch.rand(whole, 1, device=device)) < 0.5
                columns = torch.where(turned, width - 1 - columns, columns)
            if self.crop:
                pixels = torch.nn.functional.pad(pixels, (0, 0) + (self.crop,) * 4)
                places = 2 * self.crop + 1
                rows = rows + share(torch.randint(places, (whole, 1), device=device))
                columns = columns + share(torch.randint(places, (whole, 1), device=device))
            image = torch.arange(n, device=device)[:, None, None]
            pixels = pixels[image, rows[:, :, None], columns[:, None, :]]
        x = image_tensor(pixels)
        if self.jitter:
            x = self._jittered(x)
        return self._cut(x) if self.cutout else x

    def _jittered(self, x: Tensor) -> Tensor:
        """Brightness, contrast, saturation: `x` blended with black, its mean grey, its greys."""
        for reference in (torch.zeros_like, _mean_grey, _grey):
            drawn = torch.rand(len(x) * distributed.world(), 1, 1, 1, device=x.device)
            factor = 1 + self.jitter * (2 * distributed.share(drawn) - 1)
            other = reference(x)
            x = (other + factor * (x - other)).clamp(0, WHITE)
        return x

    def _cut(self, x: Tensor) -> Tensor:
        n, _, height, width = x.shape
        outside = []
        for side in (height, width):
            drawn = torch.randint(side, (n * distributed.world(), 1), device=x.device)
            centre = distributed.share(drawn)
            distance = torch.arange(side, device=x.device) - centre
            outside.append(
                (distance < -(self.cutout // 2)) | (distance >= self.cutout - self.cutout // 2)
            )
        return x * (outside[0][:, None, :, None] | outside[1][:, None, None, :])
