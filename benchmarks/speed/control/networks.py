"""The small networks whose activations are penalised and monitored."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import torch
from benchmarks.speed.settings import Settings
from torch import Tensor, nn


@dataclass(frozen=True)
class Network:
    """A network to train on one batch.

    Args:
        name: in words.
        build: makes the network.
        inputs: the batch.
        expected: what the network is to return, by the mean squared error.
        sites: the modules of this type are penalised and monitored.
        sample_axes: how many leading axes of their outputs count samples.
        formulas: the penalties that are timed there.
    """

    name: str
    build: Callable[[], nn.Module]
    inputs: Tensor = field(repr=False)
    expected: Tensor = field(repr=False)
    sites: type[nn.Module]
    sample_axes: int
    formulas: tuple[str, ...]

    def sites_of(self, model: nn.Module) -> dict[str, nn.Module]:
        """Return the modules at the sites, by name."""
        return {name: m for name, m in model.named_modules() if isinstance(m, self.sites)}

    def first_outputs(self) -> dict[str, Tensor]:
        """Return the outputs at the sites before training, by the name of the site."""
        model, outputs = self.build().to(self.inputs.device), {}

        def keep(name: str, *of: Any) -> None:
            outputs[name] = tensor_of(of[-1])

        for name, module in self.sites_of(model).items():
            module.register_forward_hook(partial(keep, name))
        with torch.no_grad():
            model(self.inputs)
        return outputs


def tensor_of(output: Any) -> Tensor:
    """Return the tensor of a module's output: of a recurrent layer its sequence of states."""
    x: Tensor = output[0] if isinstance(output, tuple) else output
    return x


def networks(settings: Settings) -> list[Network]:
    """Return the four networks, with random data that is the same every time."""
    torch.manual_seed(0)
    if settings.quick:
        make = [
            partial(coder, width=8, units=40, batch=16),
            partial(stack, width=40, layers=2, batch=16),
            partial(recurrent, width=8, batch=3, steps=5),
        ]
    else:
        make = [
            partial(coder, width=256, units=2048, batch=2048),
            partial(coder, width=64, units=1024, batch=512),
            partial(stack, width=512, layers=8, batch=256),
            partial(recurrent, width=256, batch=32, steps=70),
        ]
    return [of(settings.device) for of in make]


_OF_RELU = ("L1", "L2Norm")


def coder(device: str, *, width: int, units: int, batch: int) -> Network:
    """Return an autoencoder with one layer of ReLU units."""
    x = torch.randn(batch, width).to(device)
    return Network(
        f"{width}→{units}→{width}, batch {batch}",
        lambda: nn.Sequential(nn.Linear(width, units), nn.ReLU(), nn.Linear(units, width)),
        x,
        x,
        nn.ReLU,
        1,
        _OF_RELU,
    )


def stack(device: str, *, width: int, layers: int, batch: int) -> Network:
    """Return linear layers with a ReLU after each, all of which are sites."""

    def build() -> nn.Module:
        pairs = [(nn.Linear(width, width), nn.ReLU()) for _ in range(layers)]
        for linear, _ in pairs:
            nn.init.kaiming_normal_(linear.weight)  # signals that neither grow nor vanish
        return nn.Sequential(*[module for pair in pairs for module in pair])

    return Network(
        f"{layers} × {width}, batch {batch}",
        build,
        torch.randn(batch, width).to(device),
        torch.randn(batch, width).relu().to(device),
        nn.ReLU,
        1,
        _OF_RELU,
    )


def recurrent(device: str, *, width: int, batch: int, steps: int) -> Network:
    """Return one recurrent layer, which is the site; its sequences come time first."""
    return Network(
        f"LSTM {width}→{width}, batch {batch}, {steps} steps",
        lambda: nn.LSTM(width, width),
        torch.randn(steps, batch, width).to(device),
        torch.randn(steps, batch, width).tanh().to(device),
        nn.LSTM,
        2,
        ("TAR", "AR"),
    )
