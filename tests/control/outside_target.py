"""A target as somebody else would write it: a stated root mean square of the output."""

import dataclasses

import regularizers as rz
from regularizers.errors import ConfigurationError


@dataclasses.dataclass(frozen=True)
class RootMeanSquare(rz.Target):
    """As strong as it takes for the root mean square of all elements to be as stated."""

    root: float
    unit = "mean square"
    is_per_sample = False

    @property
    def wanted(self) -> float:
        # squares add up over batches, roots do not
        return self.root**2

    def measure(self, x, batch):
        return batch.xp.sum(x * x), batch.elements

    def check(self, units, site):
        if units < 2:
            raise ConfigurationError(f"{site}: expected two units or more, got {units}")
