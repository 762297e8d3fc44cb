"""The penalties of the current weights."""

from __future__ import annotations

from collections.abc import Iterator

from torch import Tensor
from torch.distributed.tensor import DTensor

from regularizers.attach.reading import _namespace as xp
from regularizers.attach.reading._plan import penalise, plan_for
from regularizers.attach.reading._weighted import WeightedSum
from regularizers.attach.sites import Entry, WeightGroup
from regularizers.errors import RegimeError
from regularizers.modules import whole
from regularizers.penalties import is_elementwise


def read_weights(group: WeightGroup, *, whole_only: bool = False) -> Iterator[tuple[Entry, Tensor]]:
    """Yield the penalties of the trainable weights of a group, at strength 1.

    Args:
        group: the weights of one rule.
        whole_only: leave out sharded weights, which all processes must read together.
    """
    for site in group.counted():
        weight = site.parameter.read()
        if whole_only and isinstance(weight, DTensor):
            continue
        for entry in site.entries:
            if weight.ndim == 1:
                _check_is_whole(weight, entry)
            value = _penalty_of(weight, entry)
            # each process has a part of the sum of a sharded weight (DTensor)
            yield entry, whole(value)


def _penalty_of(weight: Tensor, entry: Entry) -> Tensor:
    """Return the penalty of a weight for a strength of 1, in its graph."""
    term, reference = entry.term, entry.reference
    axis = 0 if term.batch_axis is None else term.batch_axis
    if entry.with_bias is not None:
        return penalise(entry.with_bias.read(weight), term, axis)
    x = weight if reference is None else reference.measured(weight)
    if reference is not None and reference.is_weighted:
        plan = plan_for("", x, term, axis)
        weights = reference.importance(weight)
        statistic = WeightedSum.apply(x, weights, None, plan.request, None)  # type: ignore[no-untyped-call]
        value: Tensor = term.value(statistic, plan.denominator, xp)
        return value
    return penalise(x if entry.view is None else x.reshape(entry.view), term, axis)


def _check_is_whole(weight: Tensor, entry: Entry) -> None:
    """Raise if FSDP flattened a weight whose penalty is not additive over its parts."""
    additive = is_elementwise(entry.term) and entry.term.reduce in (None, "sum")
    if not additive and getattr(weight, "_fsdp_flattened", False):
        raise RegimeError(
            f"{entry.site}: FullyShardedDataParallel keeps a flat part of this weight in each "
            f"process, and {type(entry.term).__name__} is not a sum over such parts; use "
            f"torch.distributed.fsdp.fully_shard, or a sum of L1, L2Squared, Huber, Lp, "
            f"LogSum or Hinge"
        )
