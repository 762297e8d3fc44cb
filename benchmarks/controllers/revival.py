"""Re-initialises dead units where the reconstruction is worst.

Follows the resampling of Bricken et al., Towards Monosemanticity (2023), but earlier, more often
and more gently.
"""

from __future__ import annotations

import torch
from benchmarks.controllers.network import Autoencoder
from torch import Tensor, nn
from torch.optim import Optimizer

EVERY = 50
"""Updates between two checks for dead units."""

UNTIL = 0.7
"""Fraction of the training after which no unit is re-initialised: it could not converge."""

_NORM = 0.5
"""Norm of a new encoder row, relative to the mean of the live ones."""

_THRESHOLD = 0.5
"""Fraction of its sample's projection above which a new unit is active."""

_POOL = 8192
"""Maximum number of samples whose error is computed."""


def is_due(step: int, steps: int) -> bool:
    """Return whether dead units are re-initialised after update `step` of `steps`."""
    return step % EVERY == 0 and step <= UNTIL * steps


@torch.no_grad()
def resample(
    network: Autoencoder, dead: Tensor, x: Tensor, optimizer: Optimizer, generator: torch.Generator
) -> Tensor:
    """Re-initialise each dead unit at a different sample, drawn in proportion to its squared error.

    For a sample x, b the bias of the decoder and d = (x − b) / ‖x − b‖, the encoder's row becomes
    w = ½ · mean ‖live rows‖ · d with a bias so that the unit is relu(w·(x' − b) − ½ w·(x − b)), and
    the decoder's column mean ‖live columns‖ · d. The optimizer's moments of both are reset.

    Args:
        network: changed in place.
        dead: a boolean mask of dead units, of shape (units,).
        x: training samples, of shape (samples, features).
        optimizer: the optimizer of the network.
        generator: the random generator, on the CPU.

    Returns:
        The indices of the re-initialised units: all dead ones, unless fewer samples have an error.
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
    reset_moments(optimizer, encoder.weight, units, live)
    reset_moments(optimizer, encoder.bias, units, live)
    reset_moments(optimizer, decoder.weight, units, live, axis=1)
    return units


@torch.no_grad()
def draw_by_error(
    network: Autoencoder, x: Tensor, count: int, generator: torch.Generator
) -> Tensor:
    """Return different samples of `x`, each drawn in proportion to its squared error.

    The samples differ, because units with the same initial weights would stay identical.

    Args:
        network: the network, for its error.
        x: samples, of shape (samples, features).
        count: the number of samples to draw; fewer are drawn if fewer have an error.
        generator: the random generator, on the CPU.
    """
    error = (network(x) - x).square().sum(dim=1)
    directed = (x != network.decoder.bias).any(dim=1)
    error = torch.where(directed & error.isfinite(), error, 0)
    count = min(count, int(error.count_nonzero()))
    if count == 0:
        return x[:0]
    return x[torch.multinomial(error.double().cpu(), count, generator=generator).to(x.device)]


def reset_moments(
    optimizer: Optimizer, parameter: Tensor, units: Tensor, live: Tensor, *, axis: int = 0
) -> None:
    """Reset Adam's moments of these units: no direction, and a typical gradient size.

    The first moment becomes 0, and the second the average over live units. A second moment of 0,
    with the step count that all units share, would make the first updates several times the
    learning rate, and push a new unit out of reach of all samples.

    Args:
        optimizer: Adam or a variant.
        parameter: a parameter with units along `axis`.
        units: the indices of the units to reset.
        live: a boolean mask of the units to average over, of shape (units,).
        axis: the axis of units.
    """
    moments = optimizer.state[parameter]
    if not moments:
        return
    moments["exp_avg"].movedim(axis, 0)[units] = 0
    squares = moments["exp_avg_sq"].movedim(axis, 0)
    squares[units] = squares[live].mean(dim=0)
