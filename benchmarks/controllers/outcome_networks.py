"""The networks and the data of the runs with a known outcome."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

import torch
from torch import Tensor, nn

# the pictures that the recipes train on
from regularizers.recipes.data import load_digits


class Squashed(nn.Module):
    """A sigmoid inside a module whose type does not show it, so its output is never exactly 0."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(x)


class Bent(nn.Module):
    """A hyperbolic tangent: never exactly 0 either."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.tanh(x)


class Shifted(nn.Module):
    """A ReLU plus 0.1, so every unit is always active."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.relu(x) + 0.1


class PartlyOn(nn.Module):
    """A ReLU in which the first `on` units are never 0."""

    def __init__(self, on: int) -> None:
        super().__init__()
        self.on = on

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([nn.functional.softplus(x[:, : self.on]), x[:, self.on :].relu()], dim=1)


class Largest(nn.Module):
    """Keeps the `k` largest magnitudes, so exactly `k` units are active."""

    def __init__(self, k: int) -> None:
        super().__init__()
        self.k = k

    def forward(self, x: Tensor) -> Tensor:
        kept = x.abs().topk(self.k, dim=1).indices
        return x * torch.zeros_like(x).scatter(1, kept, 1.0)


class PartlyDead(nn.Module):
    """A ReLU in which only the first `alive` units are ever active."""

    def __init__(self, alive: int) -> None:
        super().__init__()
        self.alive = alive

    def forward(self, x: Tensor) -> Tensor:
        return torch.cat([x[:, : self.alive].relu(), 0 * x[:, self.alive :]], dim=1)


class Gate(nn.Module):
    """A step from 0 to 1, with a straight-through gradient of 2 where |x| < 1/4."""

    def pseudo_gradient_window(self, x: Tensor) -> Tensor:
        """Return where the gradient is not 0, from which the law takes its scale."""
        return x.abs() < 0.25

    def forward(self, x: Tensor) -> Tensor:
        ramp = 2 * x.clamp(-0.25, 0.25)
        return (x > 0).to(x.dtype) + ramp - ramp.detach()


class Network(nn.Module):
    """An encoder, the code whose activity has the target, and a decoder.

    The decoder is given the code; where the code is a gate, what passes it.

    Args:
        features: the features of a sample.
        hidden: the widths of the layers before the code.
        code: the nonlinearity of the code.
        units: the units of the code.
        outputs: the outputs of the decoder.
    """

    def __init__(
        self, features: int, hidden: Sequence[int], code: nn.Module, units: int, outputs: int
    ) -> None:
        super().__init__()
        widths = [features, *hidden]
        layers: list[nn.Module] = []
        for before, after in zip(widths, hidden, strict=False):
            layers += [nn.Linear(before, after), nn.ReLU()]
        self.encoder = nn.Sequential(*layers, nn.Linear(widths[-1], units))
        self.code = code
        self.decoder = nn.Linear(units, outputs)

    def forward(self, x: Tensor) -> Tensor:
        before = self.encoder(x)
        code = self.code(before)
        y: Tensor = self.decoder(before * code if isinstance(self.code, Gate) else code)
        return y

    @torch.no_grad()
    def begin_orthogonal(self, mean: Tensor) -> None:
        """Begin as the recipe's autoencoder does, around the mean sample."""
        encoder, decoder = self.encoder[-1], self.decoder
        nn.init.orthogonal_(encoder.weight)
        encoder.bias.copy_(-(encoder.weight @ mean))
        decoder.weight.copy_(encoder.weight.T)
        decoder.bias.copy_(mean)

    @torch.no_grad()
    def move_bias(self, by: float) -> None:
        """Add a number to the bias of every unit, so that more or fewer are active at first."""
        self.encoder[-1].bias.add_(by)

    @torch.no_grad()
    def hold_decoder(self) -> None:
        """Give every unit a decoder column of norm 1."""
        self.decoder.weight.div_(self.decoder.weight.norm(dim=0, keepdim=True) + 1e-12)


Data = tuple[Tensor, Tensor]
"""Samples, and what is to be predicted: the samples themselves, or classes."""


def digits() -> Data:
    """Handwritten digits, to be reconstructed."""
    x = torch.from_numpy(load_digits().x) / 16
    return x, x


def classes() -> Data:
    """Handwritten digits, to be classified."""
    from sklearn.datasets import load_digits as load_labelled

    return digits()[0], torch.from_numpy(load_labelled().target).long()


def dictionary() -> Data:
    """4000 sums of 6 of 200 random directions in 64 dimensions, to be reconstructed."""
    generator = torch.Generator().manual_seed(0)
    atoms = nn.functional.normalize(torch.randn(200, 64, generator=generator), dim=1)
    chosen = torch.rand(4000, 200, generator=generator).topk(6, dim=1).indices
    amounts = torch.rand(4000, 6, generator=generator) + 0.5
    x = torch.zeros(4000, 200).scatter(1, chosen, amounts) @ atoms
    return x, x


def noise() -> Data:
    """2000 samples of 16 independent normal numbers, to be reconstructed."""
    x = torch.randn(2000, 16, generator=torch.Generator().manual_seed(0))
    return x, x


@cache
def load(data: Callable[[], Data]) -> Data:
    """Return the data, made once."""
    return data()
