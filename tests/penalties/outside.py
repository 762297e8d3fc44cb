"""Penalties as people write them outside of the library, and what each is by autograd alone."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

import regularizers as rz
from regularizers.penalties import Penalty, Term


class Asymmetric(rz.L1):
    """|x|, twice where x is negative."""

    def element(self, xp, x):
        return xp.maximum(x, -2 * x)

    def element_slope(self, xp, x):
        return xp.where(x < 0, 2 * xp.sign(x), xp.sign(x))


class Signed(Asymmetric):
    """The same, which says that its derivative needs signs only."""

    saves = "sign"


class Quartic(rz.L2Squared):
    """Σx⁴, of a class whose kernels are those of squares."""

    def element(self, xp, x):
        return x * x * x * x

    def element_slope(self, xp, x):
        return 4 * x * x * x


class Towards(rz.L2Squared):
    """Σ(x − 1)², which is not 0 at 0."""

    def element(self, xp, x):
        return (x - 1) * (x - 1)

    def element_slope(self, xp, x):
        return 2 * (x - 1)


@dataclass(frozen=True, repr=False)
class Leaning(rz.L1):
    """|x|, `left` times where x is negative: a setting of its own."""

    left: float = 2.0

    def element(self, xp, x):
        return xp.where(x < 0, -self.left * x, x)

    def element_slope(self, xp, x):
        return xp.where(x < 0, self.left * xp.sign(x), xp.sign(x))


class Doubled(rz.L1):
    """2Σ|x|, by a statistic of its own."""

    def statistic(self, x, frame):
        return 2 * frame.xp.sum(frame.xp.maximum(x, -x)), ()

    def pullback(self, x, kept, cotangent, frame):
        return 2 * cotangent * frame.xp.sign(x)


class Saturating(rz.L1):
    """The root of 1 + Σ|x| / n, which is no number times the sum."""

    def value(self, statistic, denominator, xp):
        return xp.sqrt(1 + super().value(statistic, denominator, xp))

    def derivative(self, statistic, denominator, xp):
        return super().derivative(statistic, denominator, xp) / (
            2 * self.value(statistic, denominator, xp)
        )


class Thirds(rz.L2Squared):
    """Σx² / 3, divided by nothing else."""

    def denominator(self, frame):
        return 3


class Quarters(rz.L2Norm):
    """The norm, a quarter of it."""

    def value(self, statistic, denominator, xp):
        return super().value(statistic, denominator, xp) / 4

    def derivative(self, statistic, denominator, xp):
        return super().derivative(statistic, denominator, xp) / 4


class Fast(rz.L1):
    """Σ2|x|, which says that its derivative needs signs only."""

    saves = "sign"

    def element(self, xp, x):
        return 2 * xp.maximum(x, -x)

    def element_slope(self, xp, x):
        return 2 * xp.sign(x)


class Log(Term):
    """Σ log(1 + x²): only what a penalty must say."""

    def statistic(self, x, frame):
        return frame.xp.sum(frame.xp.log1p(x * x)), ()

    def pullback(self, x, kept, cotangent, frame):
        return cotangent * 2 * x / (1 + x * x)


class Forgetful(Log):
    """The same, with a value that forgets what it is divided by."""

    def value(self, statistic, denominator, xp):
        return 3 * statistic

    def derivative(self, statistic, denominator, xp):
        return 3 * xp.ones_like(statistic)


class Signs(Term):
    """Asymmetric too, as a formula of its own that needs signs only."""

    saves = "sign"

    def statistic(self, x, frame):
        return frame.xp.sum(frame.xp.maximum(x, -2 * x)), ()

    def pullback(self, x, kept, cotangent, frame):
        return cotangent * frame.xp.where(x < 0, 2 * frame.xp.sign(x), frame.xp.sign(x))


def _norm(x: Tensor, penalty: Any) -> Tensor:
    if penalty.reduce == "batch_mean":
        return torch.linalg.vector_norm(x.flatten(1), dim=1).mean()
    return torch.linalg.vector_norm(x) / (x.numel() ** 0.5 if penalty.reduce == "mean" else 1)


def count(x: Tensor, penalty: Any) -> int:
    """Return what a sum is divided by."""
    return {"batch_mean": len(x), "mean": x.numel()}.get(penalty.reduce, 1)


def _lean(x: Tensor, left: float = 2.0) -> Tensor:
    return (x.relu() + left * (-x).relu()).sum()


_SUMS: dict[type[Penalty], Callable[[Tensor, Any], Tensor]] = {
    Asymmetric: lambda x, p: _lean(x) / count(x, p),
    Signed: lambda x, p: _lean(x) / count(x, p),
    Signs: lambda x, p: _lean(x) / count(x, p),
    Leaning: lambda x, p: _lean(x, p.left) / count(x, p),
    Quartic: lambda x, p: x.pow(4).sum() / count(x, p),
    Towards: lambda x, p: (x - 1).square().sum() / count(x, p),
    Doubled: lambda x, p: 2 * x.abs().sum() / count(x, p),
    Fast: lambda x, p: 2 * x.abs().sum() / count(x, p),
    Saturating: lambda x, p: (1 + x.abs().sum() / count(x, p)).sqrt(),
    Thirds: lambda x, p: x.square().sum() / 3,
    Quarters: lambda x, p: _norm(x, p) / 4,
    Log: lambda x, p: x.square().log1p().sum() / count(x, p),
    Forgetful: lambda x, p: 3 * x.square().log1p().sum() / count(x, p),
}


def plain(penalty: Any, x: Tensor) -> Tensor:
    """Return the penalty of `x`, one of these or of what is made of them."""
    match penalty:
        case rz.Budget(strength=s, of=of, budget=budget):
            return s * torch.relu(plain(of, x) - budget)
        case rz.Temporal(penalty=of, time_axis=axis):
            return plain(of, x.diff(dim=axis))
        case rz.L2Squared() if type(penalty) is rz.L2Squared:
            return penalty.strength * x.square().sum() / count(x, penalty)
    if hasattr(penalty, "parts"):
        return sum(plain(part, x) for part in penalty.parts)  # type: ignore[return-value]
    return penalty.strength * _SUMS[type(penalty)](x, penalty)


KINDS: list[Callable[..., Penalty]] = list(_SUMS)


def several(**options: Any) -> list[Penalty]:
    """Return one of each, and some of them within others."""
    return [
        *[kind(0.5, **options) for kind in KINDS],
        Leaning(0.5, left=5.0, **options),
        rz.Budget(Signed(0.5, **options), 0.25),
        rz.Budget(Forgetful(0.5, **options), 0.25),
        rz.Temporal(Asymmetric(0.5, **options), time_axis=1),
        rz.Temporal(Saturating(0.5, **options), time_axis=1),
        rz.Temporal(Forgetful(0.5, **options), time_axis=1),
        Signed(0.5, **options) + rz.L2Squared(0.25, **options) + Quartic(0.125, **options),
    ]
