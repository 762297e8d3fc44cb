"""The variance of a target that its reconstruction explains, by two definitions."""

from __future__ import annotations

import dataclasses

import torch
from torch import Tensor

from regularizers.monitor.metrics._metric import PairMetric
from regularizers.monitor.metrics._moments import Moments
from regularizers.monitor.metrics._samples import Samples
from regularizers.monitor.metrics._sums import Sums


@dataclasses.dataclass(eq=False)
class _OfResiduals(PairMetric):
    """The moments of the target and of the residual, x − x̂."""

    def statistics(self, target: Samples, reconstruction: Samples) -> Sums:
        left = Samples(target.x - reconstruction.x, target.valid)
        return _sums_of(Moments.of(target), Moments.of(left))

    def join(self, first: Sums, then: Sums) -> Sums:
        target, left = (
            one.and_then(other) for one, other in zip(_moments(first), _moments(then), strict=True)
        )
        return _sums_of(target, left)


@dataclasses.dataclass(eq=False)
class ExplainedVariance(_OfResiduals):
    r"""The share of the variance of a target that is not in its residual; at best 1.

    .. math:: \frac{\sum_u V_u \, (1 - \operatorname{Var}(x_u - \hat x_u) / V_u)}{\sum_u V_u}
        = 1 - \frac{\sum_u \operatorname{Var}(x_u - \hat x_u)}{\sum_u V_u}
        \qquad V_u = \operatorname{Var}(x_u)

    Variances are over samples. It is the mean of the shares of all units, weighted by the variance
    of their targets, so a unit whose target does not vary has no weight. It equals scikit-learn's
    `explained_variance_score` with `multioutput="variance_weighted"`.

    Unlike `FractionOfVarianceUnexplained` it ignores a constant error of a unit, and any error of
    units whose target does not vary.

    If no unit varies it is NaN; scikit-learn returns 0 or 1.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> x = torch.tensor([[0.0, 1.0], [2.0, 5.0]])
        >>> ev = rz.monitor.ExplainedVariance()
        >>> ev.update(x, x + 3.0)
        >>> ev.value()
        1.0
    """

    def compute(self, sums: Sums) -> Tensor:
        target, left = _moments(sums)
        spread = target.spread
        unexplained = torch.where(spread == 0, 0.0, left.squares)
        return 1.0 - unexplained.sum() / spread.sum()


@dataclasses.dataclass(eq=False)
class FractionOfVarianceUnexplained(_OfResiduals):
    r"""The squared error of a reconstruction over that of the mean of each unit; at best 0.

    .. math:: \frac{\sum_{n,u} (x_{nu} - \hat x_{nu})^2}{\sum_{n,u} (x_{nu} - \bar x_u)^2}

    Every error counts, also a constant one, and one at units whose target does not vary. If all
    units vary it is 1 − R², scikit-learn's `r2_score` with `multioutput="variance_weighted"`, and
    1 − `ExplainedVariance` + Σ r̄² / Σ Var(x), r̄ the mean residual of each unit.

    If no unit varies it is inf, or NaN if there is no error either; scikit-learn's R² is then 0 or
    1.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> x = torch.tensor([[0.0, 1.0], [2.0, 5.0]])
        >>> fvu = rz.monitor.FractionOfVarianceUnexplained()
        >>> fvu.update(x, x + 3.0)
        >>> fvu.value()
        3.6
    """

    names = ("variance_unexplained",)

    def compute(self, sums: Sums) -> Tensor:
        target, left = _moments(sums)
        errors = left.squares.sum() + (left.n * left.mean.square()).sum()
        return errors / target.spread.sum()


def _sums_of(target: Moments, left: Moments) -> Sums:
    return {
        "n": target.n,
        "mean": target.mean,
        "squares": target.squares,
        "left_mean": left.mean,
        "left_squares": left.squares,
    }


def _moments(sums: Sums) -> tuple[Moments, Moments]:
    """Return the moments of the target and of the residual."""
    n: Tensor = sums["n"]
    return (
        Moments(n, sums["mean"], sums["squares"]),
        Moments(n, sums["left_mean"], sums["left_squares"]),
    )
