"""The share of samples on which each unit is active."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor

from regularizers.errors import ConfigurationError
from regularizers.monitor.metrics._block import widest
from regularizers.monitor.metrics._reduced import Reduced
from regularizers.monitor.metrics._reductions import ActivePerUnit, Reduction
from regularizers.monitor.metrics._shared import SharedMetric
from regularizers.monitor.metrics._sums import Numbers, Sums
from regularizers.penalties.arrays import check_not_negative


class Histogram(NamedTuple):
    """Units by the logarithm of their density.

    Attributes:
        counts: (bins,), int64: the number of units in each bin.
        edges: (bins + 1,), float64: log10 densities. The last bin includes its upper edge, 0.
        silent: the number of units that were never active, whose density has no logarithm.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> density = rz.monitor.DensityHistogram(bins=3, low=-3.0)
        >>> density.update((torch.arange(100)[:, None] < torch.tensor([0, 1, 20, 100])).float())
        >>> histogram = density.value()
        >>> for low, count in zip(histogram.edges.tolist(), histogram.counts.tolist()):
        ...     print(f"from 10^{low:.0f}: {count}")
        from 10^-3: 0
        from 10^-2: 1
        from 10^-1: 2
        >>> histogram.silent
        1
    """

    counts: Tensor
    edges: Tensor
    silent: int


@dataclasses.dataclass(eq=False)
class DensityHistogram(SharedMetric):
    r"""The share of samples on which each unit is active, as a histogram over its logarithm.

    .. math:: d_u = \frac{\#\{n : |x_{nu}| > \theta\}}{N} \qquad \log_{10} d_u \in [low, 0]

    As used for sparse autoencoders: ultra-low densities at the left, dense features at 0. The
    densities themselves are exact, so other histograms can be computed from them.

    Args:
        bins: the number of bins, of equal width.
        low: the lower edge of the first bin, which also counts rarer units.
        threshold: θ, as in `ActiveUnits`.

    Raises:
        ConfigurationError: `bins` is not positive, or `low` is not below 0.
        StrengthError, StrengthTypeError, ConfigurationError: the threshold is below 0 or infinite.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> density = rz.monitor.DensityHistogram(bins=3, low=-3.0)
        >>> density.update((torch.arange(100)[:, None] < torch.tensor([0, 1, 20, 100])).float())
        >>> density.value()
        Histogram(counts=tensor([0, 1, 2]),
                  edges=tensor([-3., -2., -1.,  0.], dtype=torch.float64), silent=1)
        >>> density.densities()
        tensor([0.0000, 0.0100, 0.2000, 1.0000], dtype=torch.float64)

    Source: Bricken et al., "Towards monosemanticity", 2023, whose feature density histograms
    these are.
    """

    names = ("log10_density", "silent_units")
    bins: int = 24
    _: dataclasses.KW_ONLY
    low: float = -6.0
    threshold: float = 0.0

    def __post_init__(self) -> None:
        check_not_negative(self.threshold, "threshold")
        if type(self.bins) is not int or self.bins < 1:
            raise ConfigurationError(
                f"bins: expected a number of bins, 1 or more, got {self.bins!r}"
            )
        if not float("-inf") < self.low < 0:
            raise ConfigurationError(
                f"low: expected a log10 density, finite and below 0, got {self.low!r}"
            )

    # other metrics return one number
    def value(self) -> Histogram:  # type: ignore[override]
        """Return the histogram, on the CPU; before any sample it counts no unit."""
        edges = torch.linspace(self.low, 0.0, self.bins + 1, dtype=torch.float64)
        density = self.densities().cpu().double()
        logarithm = density[density > 0].log10()
        place = torch.bucketize(logarithm, edges[1:-1], right=True)
        counts = torch.bincount(place, minlength=self.bins)
        return Histogram(counts, edges, int((density == 0).sum()))

    def densities(self) -> Tensor:
        """Return the density of each unit, on its device; (units,). Empty before any sample.

        NaN for a unit without a valid sample.
        """
        if not self.sums:
            return torch.zeros(0, dtype=torch.float64)
        seen = self.sums["seen"]
        return self.sums["active"].to(widest(seen.device)) / seen

    def reads(self) -> Sequence[Reduction]:
        return [ActivePerUnit(self.threshold)]

    def numbers(self, samples: Reduced) -> Numbers:
        return {
            "active": samples.read(ActivePerUnit(self.threshold)),
            "seen": samples.count_per_unit,
        }

    def compute(self, sums: Sums) -> tuple[Tensor, ...]:
        """Return the mean log10 density of active units, and the number of silent units."""
        density = sums["active"] / sums["seen"]
        active = density > 0
        logarithm = torch.where(active, density, 1.0).log10()
        return logarithm.sum() / active.sum(), (density == 0).sum()
