"""Two models of one's own: one that can be converted, one that cannot."""

import torch
from torch import nn
from torch.nn import functional


class Block(nn.Module):
    """A grouped convolution beside a shortcut."""

    def __init__(self, channels: int):
        super().__init__()
        self.conv = nn.Conv2d(channels, channels, 3, padding=1, groups=4, bias=False)
        self.norm = nn.BatchNorm2d(channels)

    def forward(self, x):
        x = x + self.norm(self.conv(x))
        return functional.relu(x)


class Small(nn.Module):
    def __init__(self, classes: int):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(1, 8, 3, padding=1), nn.ReLU(inplace=True))
        self.block = Block(8)
        self.pool = nn.MaxPool2d(2)
        self.hidden = nn.Linear(8 * 4 * 4, 24)
        self.drop = nn.Dropout(0.1)
        self.classifier = nn.Linear(24, classes)

    def forward(self, x):
        x = self.pool(self.block(self.stem(x)))
        x = functional.relu(self.hidden(torch.flatten(x, 1)))
        return self.classifier(self.drop(x))


class Gated(nn.Module):
    """What no bit-shift hardware has: statistics of an image, a gate, a loop over values."""

    def __init__(self, classes: int):
        super().__init__()
        self.conv = nn.Conv2d(1, 8, 3, padding=1)
        self.norm = nn.LayerNorm([8, 8])
        self.gate = nn.Conv2d(8, 8, 1)
        self.classifier = nn.Linear(8, classes)

    def forward(self, x):
        x = self.norm(self.conv(x))
        x = x * torch.sigmoid(self.gate(x))
        while x.abs().max() > 1:
            x = x / 2
        return self.classifier(x.mean((2, 3)))


def small() -> nn.Module:
    """For 8x8 images of digits."""
    return Small(10)


def gated() -> nn.Module:
    return Gated(10)
