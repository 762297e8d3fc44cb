"""Dead units given a new start where the reconstruction is worst.

After the resampling of Bricken et al., Towards Monosemanticity (2023), but early, often and gently.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.optim import Optimizer

from regularizers.recipes.sparse_autoencoder._network import Autoencoder

EVERY = 50
"""Updates from one look at who is dead to the next."""

UNTIL = 0.7
"""Share of the training after which no unit is given a new start: it could not settle."""

_NORM = 0.5
"""Norm of a new encoder row, relative to the mean of the live ones."""

_THRESHOLD = 0.5
"""Share of its sample's projection above which a new unit is active."""

_POOL = 8192
"""Samples whose error is looked at, at most."""


def is_due(step: int, steps: int) -> bool:
    """Return whether dead units are given a new start after update `step` of `steps`."""
    return step % EVERY == 0 and step <= UNTIL * steps


@torch.no_grad()
def resample(
    network: Autoencoder, dead: Tensor, x: Tensor, optimizer: Optimizer, generator: torch.Generator
) -> Tensor:
    """Aim each dead unit at a sample of its own, drawn in proportion to its squared error.

    For a sample x, b the bias of the decoder and d = (x − b) / ‖x − b‖, the encoder's row becomes
    w = ½ · mean ‖live rows‖ · d with a bias so that the unit is relu(w·(x' − b) − ½ w·(x − b)), and
    the decoder's column mean ‖live columns‖ · d. The optimizer's moments of them start anew.

    Args:
        network: changed in place.
        dead: which units, of shape (units,).
        x: training samples, of shape (samples, features).
        optimizer: that of the network.
        generator: of what is drawn, on the CPU.

    Returns:
        The numbers of the units that got a new start: all that are dead, unless fewer samples have
        an error.
    """
    pool = x[torch.randperm(len(x), generator=generator)[:_POOL]].to(dead.device)
    samples = draw_by_error(network, pool, int(dead.sum()), generator)
    units = dead.nonzero().flatten()[: len(samples)]
    live = dead if dead.all() else ~dead
    encoder, decoder = network.encoder, network.decoder
    centred = samples - decoder.bias
    directions = nn.functional.normalize(centred, dim=1)
    rows = _NORM * encoder.weight[live].norm(dim=1).mean() * directions
    encoder.weight[units] = rows
    encoder.bias[units] = -(rows @ decoder.bias) - _THRESHOLD * (rows * centred).sum(dim=1)
    decoder.weight[:, units] = decoder.weight[:, live].norm(dim=0).mean() * directions.T
    start_moments_anew(optimizer, encoder.weight, units, live)
    start_moments_anew(optimizer, encoder.bias, units, live)
    start_moments_anew(optimizer, decoder.weight, units, live, axis=1)
    return units


@torch.no_grad()
def draw_by_error(
    network: Autoencoder, x: Tensor, count: int, generator: torch.Generator
) -> Tensor:
    """Return different samples of `x`, each drawn in proportion to its squared error.

    Two units with the same start would stay the same for ever.

    Args:
        network: whose error it is.
        x: samples, of shape (samples, features).
        count: how many to draw; fewer are where fewer have an error.
        generator: of what is drawn, on the CPU.
    """
    error = (network(x) - x).square().sum(dim=1)
    directed = (x != network.decoder.bias).any(dim=1)
    error = torch.where(directed & error.isfinite(), error, 0)
    count = min(count, int(error.count_nonzero()))
    if count == 0:
        return x[:0]
    return x[torch.multinomial(error.double().cpu(), count, generator=generator).to(x.device)]


def start_moments_anew(
    optimizer: Optimizer, parameter: Tensor, units: Tensor, live: Tensor, *, axis: int = 0
) -> None:
    """Let the optimizer know no direction of these units, but the size of a gradient.

    The mean of the gradient becomes 0. That of its square becomes what the live units have on
    average: from 0 the count of steps, which all share, would make the first updates several
    times the learning rate, and a new unit would be thrown out of reach of all samples.

    Args:
        optimizer: Adam or one like it.
        parameter: of which `axis` counts units.
        units: which, by number.
        live: which units to learn from, of shape (units,).
        axis: of the parameter.
    """
    moments = optimizer.state[parameter]
    if not moments:
        return
    moments["exp_avg"].movedim(axis, 0)[units] = 0
    squares = moments["exp_avg_sq"].movedim(axis, 0)
    squares[units] = squares[live].mean(dim=0)
