"""All-reduce of statistics over the processes that share one batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from zlib import crc32

import torch
import torch.distributed as dist
from torch import Tensor

from regularizers.attach.reading import Record, xp
from regularizers.errors import CollectionError
from regularizers.penalties import Formula


def all_reduce_records(
    records: Sequence[Record],
    terms: Sequence[Formula],
    group: dist.ProcessGroup,
    device: torch.device,
    failed: Exception | None,
) -> list[Record]:
    """Return `records` with the statistics and denominators of the whole batch.

    They are summed over processes before a penalty's nonlinearity, all in one differentiable
    all-reduce, so every process has the penalty that a single process would have for the joined
    batch. Backward sums the gradients of all processes; `DistributedDataParallel` averages them,
    which gives the gradient of a single process.

    Raises:
        CollectionError: the processes did not record the same sites equally often.
        Exception: `failed`, if given; the other processes raise too instead of copies forever.
    """
    _check_agreement(records, group, device, failed)
    parts: list[Tensor] = []
    for record, term in zip(records, terms, strict=True):
        parts.append(term.to_sum(record.statistic.double(), xp).reshape(-1))
        if record.denominator is not None:
            parts.append(torch.as_tensor(record.denominator).reshape(-1))
    if not parts:
        return []
    flat = torch.cat([part.to(device, torch.float64) for part in parts])
    totals = iter(AllReduce.apply(flat, group).split([part.numel() for part in parts]))  # type: ignore[no-untyped-call]
    return [_joined(record, term, totals) for record, term in zip(records, terms, strict=True)]


def _joined(record: Record, term: Formula, totals: Any) -> Record:
    like = record.statistic
    total = next(totals).reshape(term.to_sum(like, xp).shape)
    statistic = term.from_sum(total, xp).to(like.device, like.dtype)
    if record.denominator is None:
        return record._replace(statistic=statistic)
    denominator = next(totals).reshape(torch.as_tensor(record.denominator).shape)
    return record._replace(statistic=statistic, denominator=denominator.to(like.device, like.dtype))


def _check_agreement(
    records: Sequence[Record],
    group: dist.ProcessGroup,
    device: torch.device,
    failed: Exception | None,
) -> None:
    """Raise on every process if one failed, or if their records do not match."""
    recorded = [(record.key, tuple(record.statistic.shape)) for record in records]
    signature = crc32(repr(recorded).encode())
    # max(n) = -max(-n) only if all processes have the same n
    reduced = torch.tensor(
        [signature, -signature, failed is not None], dtype=torch.int64, device=device
    )
    dist.all_reduce(reduced, dist.ReduceOp.MAX, group)
    largest, smallest, any_failed = reduced.tolist()
    if failed is not None:
        raise failed
    if any_failed:
        raise CollectionError("penalty() raised in another process, whose message says why")
    if largest != -smallest:
        sites = ", ".join(f"{key} {list(shape)}" for key, shape in recorded) or "none"
        raise CollectionError(
            f"the processes did not record the same sites as often; here they are: {sites}"
        )


class AllReduce(torch.autograd.Function):
    """The sum over processes; backward sums the gradients likewise."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, group: dist.ProcessGroup) -> Tensor:
        ctx.group = group
        total = x.clone()
        dist.all_reduce(total, group=group)
        return total

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:
        return AllReduce.apply(gradient.contiguous(), ctx.group), None  # type: ignore[no-untyped-call]
