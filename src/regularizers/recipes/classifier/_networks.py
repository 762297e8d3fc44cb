"""The networks: two hidden layers, fully connected or convolutional."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any, Literal

from torch import nn

CHANNELS = (16, 32)
SMALLEST_SIDE = 4
"""The least side of a picture that can be halved twice."""


@dataclass(frozen=True)
class Arguments:
    """All that builds a network, and is saved beside its weights.

    Args:
        kind: two hidden layers of units, or of convolutions.
        features: how many numbers a sample has.
        classes: how many numbers the network gives.
        units: units of each hidden layer of an mlp.
        picture: (height, width) or (colours, height, width) that a conv reads; None for a table.
        dropout: probability that a hidden unit is dropped.
        batch_norm: whether a batch normalization stands before each nonlinearity.
    """

    kind: Literal["mlp", "conv"]
    features: int
    classes: int
    units: int
    picture: tuple[int, ...] | None = None
    dropout: float = 0.0
    batch_norm: bool = False

    def build(self) -> nn.Sequential:
        """Return the network before its training."""
        options: dict[str, Any] = {"dropout": self.dropout, "batch_norm": self.batch_norm}
        if self.kind == "mlp":
            return mlp(self.features, self.units, self.classes, **options)
        assert self.picture is not None
        return conv(self.picture, self.classes, **options)

    def to_json(self) -> dict[str, Any]:
        """Return plain values, from which `from_json` makes the same arguments."""
        return asdict(self)

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Arguments:
        """Return the arguments from the values of `to_json`."""
        picture = kept["picture"]
        return cls(**{**kept, "picture": None if picture is None else tuple(picture)})


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
    picture: tuple[int, ...], classes: int, *, dropout: float = 0.0, batch_norm: bool = False
) -> nn.Sequential:
    """Return two convolutions of 3x3, each halved by its largest values, and a linear layer.

    Shape:
        (samples, height * width) or (samples, colours * height * width) to (samples, classes).
    """
    colours, height, width = (1, *picture) if len(picture) == 2 else picture
    layers: list[nn.Module] = [nn.Unflatten(1, (colours, height, width))]
    for before, after in zip((colours, *CHANNELS), CHANNELS, strict=False):
        layers.append(nn.Conv2d(before, after, 3, padding=1))
        if batch_norm:
            layers.append(nn.BatchNorm2d(after))
        layers += [nn.ReLU(), nn.MaxPool2d(2)]
        if dropout:
            layers.append(nn.Dropout(dropout))
    left = (height // 4) * (width // 4) * CHANNELS[-1]
    return nn.Sequential(*layers, nn.Flatten(), nn.Linear(left, classes))
