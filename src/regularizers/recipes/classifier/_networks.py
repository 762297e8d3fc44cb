"""The networks: two hidden layers, fully connected or convolutional."""

from __future__ import annotations

from torch import nn

CHANNELS = (16, 32)
SMALLEST_SIDE = 4
"""The least side of a picture that can be halved twice."""


def mlp(
    features: int, units: int, classes: int, *, dropout: float = 0.0, batch_norm: bool = False
) -> nn.Sequential:
    """Return two hidden layers and a linear one. Dropout and normalization draw no weights.

    Shape:
        (samples, features) to (samples, classes).
    """
    layers: list[nn.Module] = []
    for width in (features, units):
        layers.append(nn.Linear(width, units))
        if batch_norm:
            layers.append(nn.BatchNorm1d(units))
        layers.append(nn.ReLU())
        if dropout:
            layers.append(nn.Dropout(dropout))
    return nn.Sequential(*layers, nn.Linear(units, classes))


def conv(
    picture: tuple[int, int], classes: int, *, dropout: float = 0.0, batch_norm: bool = False
) -> nn.Sequential:
    """Return two convolutions of 3x3, each halved by its largest values, and a linear layer.

    Shape:
        (samples, height * width) to (samples, classes).
    """
    height, width = picture
    layers: list[nn.Module] = [nn.Unflatten(1, (1, height, width))]
    for before, after in zip((1, *CHANNELS), CHANNELS, strict=False):
        layers.append(nn.Conv2d(before, after, 3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(after))
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
        if dropout:
            layers.append(nn.Dropout(dropout))
    left = (height // 4) * (width // 4) * CHANNELS[-1]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(left, classes))
