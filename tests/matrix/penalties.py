"""Every penalty of the matrix, with the plain formula it stands for."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import regularizers as rz
from penalties.log_cosh import LogCosh, log_cosh
from regularizers.penalties import Penalty

TARGET, EPSILON = 0.25, 0.125


@dataclass(frozen=True)
class Case:
    """A penalty, and its formula as one would write it by hand."""

    penalty: Penalty
    formula: Callable[[Tensor], Tensor]

    @property
    def name(self) -> str:
        return repr(self.penalty)

    @property
    def saves_input(self) -> bool:
        return any(term.saves == "input" for term in self.penalty.terms)


def _norm_of_each_sample(x: Tensor) -> Tensor:
    return x.flatten(1).square().sum(dim=1).sqrt()


def _norms_of_groups(x: Tensor) -> Tensor:
    return x.movedim(1, 0).flatten(1).square().sum(dim=1).sqrt()


def _norms_within_samples(x: Tensor) -> Tensor:
    return x.unflatten(1, (-1, 1)).flatten(2).square().sum(dim=2).sqrt()


def _huber(x: Tensor, delta: float) -> Tensor:
    size = x.abs()
    return torch.where(size <= delta, x.square() / 2, delta * (size - delta / 2)).sum()


def _dependence(w: Tensor) -> Tensor:
    return (w @ w.T - torch.eye(len(w))).square().sum()


def _cosines(w: Tensor) -> Tensor:
    units = w / w.square().sum(dim=1, keepdim=True).sqrt()
    return (units @ units.T).triu(diagonal=1).abs().sum() / (len(w) * (len(w) - 1) / 2)


def _divergence(x: Tensor) -> Tensor:
    """Return KL(target || mean) of each unit, with its tangent outside of [ε, 1 - ε]."""
    mean = x.mean(dim=0)
    within = mean.clamp(EPSILON, 1 - EPSILON)
    at = TARGET * torch.log(TARGET / within) + (1 - TARGET) * torch.log((1 - TARGET) / (1 - within))
    slope = (1 - TARGET) / (1 - within) - TARGET / within
    return at + slope.detach() * (mean - within)


def _kl(reduce: str) -> Penalty:
    return rz.KLSparsity(0.3, TARGET, epsilon=EPSILON, reduce=reduce)


def _activity(strength: float, norm: str) -> Penalty:
    return rz.ActivityRegularization(strength, norm, reduce="batch_mean")


def _lengths(xp: Any, x: Any) -> Any:
    rows = xp.reshape(x, (x.shape[0], -1))
    return xp.sum(xp.sqrt(1 + xp.sum(rows * rows, axis=1)))


def _squared_ratio(x: Tensor) -> Tensor:
    # what is 0 has the ratio 0
    squares = x.square().sum()
    return x.abs().sum().square() / torch.where(squares == 0, 1.0, squares)


_RING = [[float((i - j) % 6 in (1, 5)) for j in range(6)] for i in range(6)]


def _variance(xp: Any, x: Any) -> Any:
    return xp.mean(xp.square(x - xp.mean(x)))


def _entropies(x: Tensor) -> Tensor:
    return -(x.softmax(dim=-1) * x.log_softmax(dim=-1)).sum(dim=-1)


def _covariances(x: Tensor) -> Tensor:
    """Return the sum of the squared covariances of all pairs of different units."""
    centred = x.flatten(1) - x.flatten(1).mean(dim=0)
    return (centred.T @ centred / len(x)).triu(diagonal=1).square().sum()


GIVEN = [
    Case(
        rz.Elementwise(0.6, log_cosh, reduce="batch_mean"),
        lambda x: 0.6 * x.cosh().log().sum() / len(x),
    ),
    Case(
        LogCosh(0.6, reduce="batch_mean"),
        lambda x: 0.6 * x.cosh().log().sum() / len(x),
    ),
]
"""Penalties from functions of an element, as a user gives them."""

CASES = [
    Case(rz.L1(0.3, reduce="batch_mean"), lambda x: 0.3 * x.abs().sum() / len(x)),
    Case(rz.L1(0.1, reduce="sum"), lambda x: 0.1 * x.abs().sum()),
    Case(rz.L1(2.0, reduce="mean"), lambda x: 2 * x.abs().mean()),
    Case(rz.L2Squared(0.3, reduce="batch_mean"), lambda x: 0.3 * x.square().sum() / len(x)),
    Case(rz.L2Squared(0.1, reduce="sum"), lambda x: 0.1 * x.square().sum()),
    Case(rz.L2Squared(2.0, reduce="mean"), lambda x: 2 * x.square().mean()),
    Case(rz.L2Norm(0.5, reduce="batch_mean"), lambda x: 0.5 * _norm_of_each_sample(x).mean()),
    Case(rz.L2Norm(0.5, reduce="sum"), lambda x: 0.5 * x.square().sum().sqrt()),
    Case(rz.L2Norm(2.0, reduce="mean"), lambda x: 2 * x.square().mean().sqrt()),
    Case(_kl("sum"), lambda x: 0.3 * _divergence(x).sum()),
    Case(_kl("mean"), lambda x: 0.3 * _divergence(x).mean()),
    Case(
        rz.L1L2(0.3, 0.2, reduce="batch_mean"),
        lambda x: (0.3 * x.abs().sum() + 0.2 * x.square().sum()) / len(x),
    ),
    Case(_activity(0.3, "l1"), lambda x: 0.3 * x.abs().sum() / len(x)),
    Case(_activity(0.5, "l2"), lambda x: 0.5 * _norm_of_each_sample(x).mean()),
    Case(_activity(0.3, "l2_squared"), lambda x: 0.3 * x.square().sum() / len(x)),
    Case(
        rz.L1(0.1, reduce="sum") + _kl("sum") + rz.L2Norm(0.5, reduce="batch_mean"),
        lambda x: (
            0.1 * x.abs().sum() + 0.3 * _divergence(x).sum() + 0.5 * _norm_of_each_sample(x).mean()
        ),
    ),
    Case(
        rz.GroupLasso(0.3, axis=1, reduce="batch_mean"),
        lambda x: 0.3 * _norms_within_samples(x).sum() / len(x),
    ),
    Case(rz.GroupLasso(0.3, axis=1, reduce="sum"), lambda x: 0.3 * _norms_of_groups(x).sum()),
    Case(
        rz.GroupLasso(2.0, axis=1, reduce="mean"),
        lambda x: 2 * (_norms_of_groups(x) / (x[:, 0].numel() ** 0.5)).mean(),
    ),
    Case(rz.Huber(1.0, 0.5, reduce="batch_mean"), lambda x: _huber(x, 0.5) / len(x)),
    Case(rz.Lp(0.3, 0.5, reduce="batch_mean"), lambda x: 0.3 * x.abs().sqrt().sum() / len(x)),
    Case(rz.Lp(0.3, 1.5, reduce="batch_mean"), lambda x: 0.3 * x.abs().pow(1.5).sum() / len(x)),
    Case(rz.AR(2.0), lambda x: 2 * x.square().mean()),
    Case(rz.TAR(1.0, time_axis=1), lambda x: x.diff(dim=1).square().mean()),
    Case(
        rz.Temporal(rz.L2Norm(0.3, reduce="batch_mean"), time_axis=1),
        lambda x: 0.3 * _norm_of_each_sample(x.diff(dim=1)).mean(),
    ),
    Case(
        rz.Budget(rz.L1(0.5, reduce="batch_mean"), 1.0),
        lambda x: 0.5 * (x.abs().sum() / len(x) - 1).relu(),
    ),
    Case(
        rz.Budget(rz.L2Squared(0.5, reduce="sum"), 1.0),
        lambda x: 0.5 * (x.square().sum() - 1).relu(),
    ),
    Case(rz.Entropy(2.0, reduce="batch_mean"), lambda x: 2 * _entropies(x).sum() / len(x)),
    Case(rz.Entropy(2.0, reduce="mean"), lambda x: 2 * _entropies(x).mean()),
    Case(rz.ConfidencePenalty(0.5, reduce="sum"), lambda x: -0.5 * _entropies(x).sum()),
    Case(rz.Decorrelation(255.0, reduce="batch_mean"), lambda x: 255 * _covariances(x)),
    *GIVEN,
    Case(
        rz.FromFunction(0.5, _lengths, "samples", reduce="batch_mean"),
        lambda x: 0.5 * (1 + x.flatten(1).square().sum(dim=1)).sqrt().mean(),
    ),
    Case(rz.FromFunction(2.0, _variance), lambda x: 2 * x.var(unbiased=False)),
    Case(
        rz.LogSum(0.3, 0.25, reduce="batch_mean"),
        lambda x: 0.3 * (1 + x.abs() / 0.25).log().sum() / len(x),
    ),
    Case(rz.Hinge(1.0, above=0.0, reduce="batch_mean"), lambda x: x.relu().sum() / len(x)),
    Case(rz.Hoyer(3.0, reduce="batch_mean"), lambda x: 3 * sum(map(_squared_ratio, x)) / len(x)),
    Case(rz.Hoyer(1.0, reduce="sum"), _squared_ratio),
    Case(
        rz.TotalVariation(0.3, 1, reduce="batch_mean"),
        lambda x: 0.3 * x.diff(dim=1).abs().sum() / len(x),
    ),
]

OF_SIX_UNITS = [
    Case(
        rz.Laplacian(0.3, _RING, 1, reduce="batch_mean"),
        lambda x: 0.3 * (x.roll(1, dims=1) - x).square().sum() / len(x),
    ),
]
"""Penalties of outputs (samples, 6)."""

OF_GATES = [
    Case(rz.L0(0.3, reduce="batch_mean"), lambda x: 0.3 * x.sum() / len(x)),
    Case(rz.L0(0.3, reduce="sum"), lambda x: 0.3 * x.sum()),
]
"""Penalties that only gates may have, which no site of the matrix is."""

OF_KERNELS = [
    Case(rz.Orthogonal(0.3), lambda w: 0.3 * _dependence(w)),
    Case(rz.Orthogonal(2.0, axis=1), lambda w: 2 * _dependence(w.T)),
    Case(rz.Orthogonal(2.0, normalized=True), lambda w: 2 * _cosines(w)),
    Case(rz.Spectral(0.3), lambda w: 0.15 * torch.linalg.matrix_norm(w, ord=2) ** 2),
]
"""Penalties that are invalid for activities."""

ONE_EACH = list({type(case.penalty): case for case in reversed(CASES)}.values())[::-1]
"""The first case of every class."""

TRIMMED = [CASES[0], CASES[3], CASES[6], CASES[9], *GIVEN, CASES[15]]


def public_classes() -> set[type[Penalty]]:
    """Return every penalty that the library offers at its top and that can be made."""
    named = [getattr(rz, name) for name in rz.__all__]
    classes = {c for c in named if inspect.isclass(c) and issubclass(c, Penalty)}
    return {c for c in classes if not inspect.isabstract(c)}
