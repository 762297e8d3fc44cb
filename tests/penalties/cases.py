"""Every penalty, under every reduction and with the options it has."""

from regularizers import L1, L1L2, ActivityRegularization, KLSparsity, L2Norm, L2Squared, Penalty

REDUCTIONS = ["sum", "batch_mean", "mean"]


def kinds(**options) -> list[Penalty]:
    """Return one penalty of each kind, read with `options`."""
    return [
        L1(0.75, **options),
        L2Norm(0.5, **options),
        L2Squared(0.25, **options),
        L1L2(0.5, 0.125, **options),
        KLSparsity(0.5, target=0.25, **options),
        ActivityRegularization(0.75, "l1", **options),
        ActivityRegularization(0.5, "l2", **options),
        ActivityRegularization(0.25, "l2_squared", **options),
        L1(0.5, **options) + L2Norm(0.25, **options) + L2Squared(1.5),
    ]


PENALTIES: list[Penalty] = [
    *kinds(),
    *[penalty for reduce in REDUCTIONS for penalty in kinds(reduce=reduce)],
]

OPTIONED: list[Penalty] = [
    *kinds(reduce="batch_mean", batch_axis=1),
    *kinds(reduce="mean", batch_axis=(0, 1)),
    *kinds(reduce="batch_mean", batch_axis=(-1, 0)),
    KLSparsity(0.5, target=0.25, epsilon=0.125),
]
