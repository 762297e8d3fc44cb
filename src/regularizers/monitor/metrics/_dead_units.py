"""Units that have fallen silent."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from regularizers.errors import ConfigurationError
from regularizers.monitor.metrics._last_active import LastActive
from regularizers.monitor.metrics._reduced import Reduced
from regularizers.monitor.metrics._reductions import Reduction
from regularizers.monitor.metrics._shared import SharedMetric
from regularizers.monitor.metrics._sums import Numbers, Sums
from regularizers.penalties.arrays import check_not_negative


@dataclasses.dataclass(eq=False)
class DeadUnits(SharedMetric):
    r"""Units that were active, `|x| > θ`, on none of the last samples.

    .. math:: \#\{u : s_u \ge after\}, \quad s_u = \text{samples since } u \text{ was active}

    Samples are counted in their order in the batch. Merged streams count one after the other.
    Processes count as if they had seen their samples in turn, so a unit that was recently active in
    one of them is not dead.

    Args:
        after: the number of silent samples after which a unit is dead. None: all since `reset`.
        threshold: θ, as in `ActiveUnits`.

    Raises:
        ConfigurationError: `after` is no integer of 1 or more.
        StrengthError, StrengthTypeError, ConfigurationError: the threshold is below 0 or infinite.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> dead = rz.monitor.DeadUnits()
        >>> dead.update(torch.tensor([[1.0, 0.0, 0.0], [2.0, 3.0, 0.0], [1.0, 0.0, 0.0]]))
        >>> dead.value(), dead.which().tolist(), dead.silent().tolist()
        (1.0, [False, False, True], [0, 1, 3])
    """

    names = ("dead_units", "dead_fraction")
    after: int | None = None
    _: dataclasses.KW_ONLY
    threshold: float = 0.0

    def __post_init__(self) -> None:
        check_not_negative(self.threshold, "threshold")
        if self.after is not None and (type(self.after) is not int or self.after < 1):
            raise ConfigurationError(
                f"after: expected a number of samples, 1 or more, or None for all, got "
                f"{self.after!r}"
            )

    def fraction(self) -> float:
        """Return the share of dead units, in [0, 1]; NaN before any sample."""
        return self.as_dict()["dead_fraction"]

    def which(self) -> Tensor:
        """Return which units are dead, on their device; (units,), boolean. Empty before any."""
        return self._dead(self.sums) if self.sums else torch.zeros(0, dtype=torch.bool)

    def silent(self) -> Tensor:
        """Return the number of samples for which each unit has been silent; (units,), int64."""
        return self.sums.get("silent", torch.zeros(0, dtype=torch.int64))

    def note(self) -> str | None:
        dead = self.which()
        if not dead.any():
            return None
        for_long = "all" if self.after is None else f"the last {self.after}"
        return (
            f"{int(dead.sum())} of {len(dead)} units were silent on {for_long} "
            f"of {int(self.sums['seen'].max())} samples"
        )

    def reads(self) -> Sequence[Reduction]:
        return [LastActive(self.threshold)]

    def numbers(self, samples: Reduced) -> Numbers:
        seen = samples.count_per_unit
        return {"silent": torch.rsub(samples.last_active(self.threshold), seen), "seen": seen}

    def compute(self, sums: Sums) -> tuple[Tensor, ...]:
        dead = self._dead(sums).to(torch.float64)
        return dead.sum(), dead.mean()

    def join(self, first: Sums, then: Sums) -> Sums:
        never = then["silent"] == then["seen"]
        since = torch.where(never, first["silent"] + then["silent"], then["silent"])
        return {"silent": since, "seen": first["seen"] + then["seen"]}

    def join_processes(self, parts: Sequence[Sums]) -> Sums:
        silent = torch.stack([part["silent"] for part in parts])
        # one number for all units, where none was masked
        seen = torch.stack([part["seen"].expand_as(part["silent"]) for part in parts])
        everywhere = seen.max(dim=0).values
        since = torch.where(silent < seen, silent, everywhere).min(dim=0).values
        return {"silent": torch.minimum(since, seen).sum(dim=0), "seen": seen.sum(dim=0)}

    def _dead(self, sums: Mapping[str, Tensor]) -> Tensor:
        silent, seen = sums["silent"], sums["seen"]
        return (silent == seen) & (seen > 0) if self.after is None else silent >= self.after
