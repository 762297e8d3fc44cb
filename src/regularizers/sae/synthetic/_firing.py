"""Which features fire in a sample: independent ones, or those of a Gaussian above a threshold."""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from regularizers.errors import ConfigurationError


class Samples(NamedTuple):
    """Samples and the truth that they are made of."""

    x: Tensor
    """(samples, dimensions): the coefficients times the dictionary; float32."""
    coefficients: Tensor
    """(samples, features): how strongly each feature fires, 0 where it does not; float32."""


class Firings(NamedTuple):
    """Which feature fires in which sample."""

    sample: Tensor
    """(firings,), int64."""
    feature: Tensor
    """(firings,), int64."""

    @classmethod
    def where(cls, fires: Tensor) -> Firings:
        """Return the firings of (samples, features), boolean."""
        return cls(*fires.nonzero(as_tuple=True))

    def dense(self, samples: int, features: int) -> Tensor:
        """Return (samples, features), boolean."""
        fires = torch.zeros(samples, features, dtype=torch.bool)
        fires[self.sample, self.feature] = True
        return fires


class Independent:
    """Features that fire independently, at a cost in proportion to the firings.

    The gaps between firings of one probability p are geometric. Features whose probabilities lie
    within a factor of two are drawn together at the largest of them, and each firing is then kept
    with the probability p / largest.
    """

    def __init__(self, probabilities: Tensor) -> None:
        possible = probabilities > 0
        octaves = torch.where(possible, probabilities, 1.0).log2().floor()
        self._groups = []
        for octave in sorted(set(octaves[possible].tolist()), reverse=True):
            members = (possible & (octaves == octave)).nonzero().flatten()
            own = probabilities[members]
            keep = own / own.max()
            self._groups.append((members, float(own.max()), keep if keep.min() < 1 else None))

    def draw(self, samples: int, generator: torch.Generator) -> Firings:
        """Return which features fire in new samples."""
        found = [self._of_group(samples, generator, *group) for group in self._groups]
        if not found:
            none = torch.zeros(0, dtype=torch.int64)
            return Firings(none, none)
        return Firings(*map(torch.cat, zip(*found, strict=True)))

    def _of_group(
        self,
        samples: int,
        generator: torch.Generator,
        members: Tensor,
        probability: float,
        keep: Tensor | None,
    ) -> Firings:
        places = _places(samples * len(members), probability, generator)
        member = places % len(members)
        sample = places.div(len(members), rounding_mode="floor")
        if keep is not None:
            uniform = torch.rand(len(places), generator=generator, dtype=torch.float64)
            kept = uniform < keep[member]
            sample, member = sample[kept], member[kept]
        return Firings(sample, members[member])


def _places(length: int, probability: float, generator: torch.Generator) -> Tensor:
    """Return the successes, in order, of `length` independent trials of one probability."""
    # an exponential variable of this rate, rounded down, is geometric
    rate = -math.log1p(-probability) if probability < 1 else math.inf
    mean = length * probability
    number = int(mean + 5 * math.sqrt(mean) + 10)
    found: list[Tensor] = []
    last = -1
    while last < length:
        gaps = torch.empty(number, dtype=torch.float64).exponential_(generator=generator)
        places = (gaps / rate).floor().add_(1).cumsum(0).add_(last)
        found.append(places)
        last = int(places[-1])
    places = torch.cat(found)
    return places[places < length].long()


class Correlated:
    r"""Features that fire where a Gaussian of unit variance exceeds a threshold.

    .. math:: z = A u + \sqrt{1 - \operatorname{diag}(A A^\top)} \odot e, \qquad
        z_i > \Phi^{-1}(1 - p_i)

    u and e are standard normal, so z has the covariance AAᵀ off the diagonal, and feature i fires
    with the probability p_i whatever A is.
    """

    def __init__(self, probabilities: Tensor, factors: Tensor) -> None:
        own = 1 - factors.double().square().sum(dim=1)
        if not (own > 0).all():
            raise ConfigurationError(
                f"correlation_scale: expected correlations that leave each feature some variance "
                f"of its own, got {1 - float(own.min()):.3g} of 1 in common with others; lower "
                f"it, or correlation_rank: their rank · scale² is what is in common on average"
            )
        spread = own.sqrt()
        # divided by what multiplies e, so that e itself is compared
        self._factors = (factors.double() / spread[:, None]).float().mT.contiguous()
        self._thresholds = (-torch.special.ndtri(probabilities) / spread).float()

    def draw(self, samples: int, generator: torch.Generator) -> Firings:
        """Return which features fire in new samples."""
        shared = torch.randn(samples, len(self._factors), generator=generator)
        own = torch.randn(samples, len(self._thresholds), generator=generator)
        return Firings.where(torch.addmm(own, shared, self._factors) > self._thresholds)
