"""How often each feature fires."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from regularizers.errors import ConfigurationError, ShapeError
from regularizers.sae.synthetic._hierarchy import Hierarchy

DEFAULT_ACTIVE = 2.8


def given_parent(
    probabilities: str | Tensor,
    active: float | None,
    features: int,
    exponent: float,
    highest: float,
    hierarchy: Hierarchy | None,
) -> Tensor:
    """Return the probability of each feature, of a child if its parent fires; float64.

    Raises:
        ConfigurationError, ShapeError: they are none, or their sum cannot be `active`.
    """
    if isinstance(probabilities, Tensor):
        return _stated(probabilities, active, features, hierarchy)
    if probabilities not in ("uniform", "power"):
        raise ConfigurationError(
            f'probabilities: expected "uniform", "power" or a tensor, got {probabilities!r}'
        )
    if not 0 < highest <= 1:
        raise ConfigurationError(f"highest: expected a probability in (0, 1], got {highest!r}")
    if not (math.isfinite(exponent) and exponent >= 0):
        raise ConfigurationError(f"exponent: expected a finite number, 0 or more, got {exponent!r}")
    ranks = torch.arange(1, features + 1, dtype=torch.float64)
    weights = ranks**-exponent if probabilities == "power" else torch.ones_like(ranks)
    return _scaled(weights, DEFAULT_ACTIVE if active is None else active, highest, hierarchy)


def _scaled(weights: Tensor, active: float, highest: float, hierarchy: Hierarchy | None) -> Tensor:
    """Return min(highest, c · weights), c such that the sum of the marginals is `active`."""

    def total(scale: float) -> float:
        return float(_marginals((scale * weights).clamp(max=highest), hierarchy).sum())

    low, high = 0.0, highest / float(weights.min())
    most = total(high)
    if not 0 < active <= most * (1 + 1e-12):
        raise ConfigurationError(
            f"active: expected more than 0 and at most {most:.4g}, which is all features as often "
            f"as highest={highest!r} allows, got {active!r}"
        )
    for _ in range(200):  # halved until no float64 lies between
        middle = (low + high) / 2
        low, high = (middle, high) if total(middle) < active else (low, middle)
    return (high * weights).clamp(max=highest)


def _stated(
    probabilities: Tensor, active: float | None, features: int, hierarchy: Hierarchy | None
) -> Tensor:
    if probabilities.shape != (features,):
        raise ShapeError(
            f"probabilities: expected one for each of {features} features, got shape "
            f"{tuple(probabilities.shape)}"
        )
    stated = probabilities.detach().cpu().double()
    if not ((stated >= 0) & (stated <= 1)).all():
        raise ConfigurationError("probabilities: expected numbers in [0, 1]")
    total = float(_marginals(stated, hierarchy).sum())
    if active is not None and not math.isclose(total, active, rel_tol=1e-4):
        raise ConfigurationError(
            f"active: the probabilities add up to {total:.6g}, got {active!r}; leave active out"
        )
    return stated


def _marginals(probabilities: Tensor, hierarchy: Hierarchy | None) -> Tensor:
    return probabilities if hierarchy is None else hierarchy.marginals(probabilities)
