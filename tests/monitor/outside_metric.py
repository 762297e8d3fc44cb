"""A metric as somebody else would write it: the kurtosis of all elements."""

import dataclasses

import regularizers as rz


@dataclasses.dataclass(eq=False)
class Kurtosis(rz.monitor.Metric):
    """The fourth central moment over the square of the second; of a normal distribution 3."""

    excess: bool = False

    def statistics(self, samples):
        x = samples.x.double()
        powers = {f"sum_{k}": (x**k).sum() for k in (1, 2, 3, 4)}
        return {"n": samples.elements, **powers}

    def compute(self, sums):
        mean, square, cube, fourth = [sums[f"sum_{k}"] / sums["n"] for k in (1, 2, 3, 4)]
        variance = square - mean**2
        central = fourth - 4 * mean * cube + 6 * mean**2 * square - 3 * mean**4
        return central / variance**2 - (3 if self.excess else 0)
