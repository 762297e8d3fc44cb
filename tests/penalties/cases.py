"""Every penalty, under every reduction and with the options it has."""

from regularizers import (
    L1,
    L1L2,
    ActivityRegularization,
    Budget,
    GroupLasso,
    Hinge,
    Hoyer,
    Huber,
    KLSparsity,
    L2Norm,
    L2Squared,
    LogSum,
    Lp,
    Orthogonal,
    Penalty,
)
from regularizers.penalties.arrays import Axes

REDUCTIONS = ["sum", "batch_mean", "mean"]


def kinds(groups: Axes = -1, **options) -> list[Penalty]:
    """Return one penalty of each kind that has reductions, read with `options`."""
    return [
        L1(0.75, **options),
        L2Norm(0.5, **options),
        L2Squared(0.25, **options),
        L1L2(0.5, 0.125, **options),
        Huber(0.5, 0.375, **options),
        Lp(0.5, 1.5, **options),
        Lp(0.25, 0.5, **options),
        LogSum(0.5, 0.25, **options),
        Hinge(0.5, above=0.625, below=-0.375, **options),
        Hoyer(0.5, **options),
        GroupLasso(0.5, groups, **options),
        KLSparsity(0.5, target=0.25, **options),
        ActivityRegularization(0.75, "l1", **options),
        ActivityRegularization(0.5, "l2", **options),
        ActivityRegularization(0.25, "l2_squared", **options),
        L1(0.5, **options) + L2Norm(0.25, **options) + L2Squared(1.5),
        Budget(L1(0.75, **options), 0.3),
        Budget(GroupLasso(0.5, groups, **options), 0.3),
    ]


ORTHOGONAL: list[Penalty] = [
    Orthogonal(0.25),
    Orthogonal(0.125, axis=-1),
    Orthogonal(0.5, normalized=True),
    Orthogonal(0.5, -1, normalized=True),
]

PENALTIES: list[Penalty] = [
    *kinds(),
    *ORTHOGONAL,
    *[GroupLasso(0.5, 0, reduce=reduce) for reduce in REDUCTIONS],
    *[penalty for reduce in REDUCTIONS for penalty in kinds(reduce=reduce)],
]

OPTIONED: list[Penalty] = [
    *kinds(reduce="batch_mean", batch_axis=1),
    *kinds(reduce="mean", batch_axis=(0, 1), groups=(0, 1)),
    *kinds(reduce="batch_mean", batch_axis=(-1, 0)),
    KLSparsity(0.5, target=0.25, epsilon=0.125),
    GroupLasso(0.5, (), reduce="mean"),
    GroupLasso(0.5, (), reduce="mean", batch_axis=(0, 1)),
    GroupLasso(0.5, (0, 1)),
    GroupLasso(0.5, 0, reduce="mean", batch_axis=1),
]
