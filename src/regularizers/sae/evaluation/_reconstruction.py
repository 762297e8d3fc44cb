"""The measures of one target and its reconstructions."""

from __future__ import annotations

from torch import Tensor

from regularizers.monitor.metrics import (
    CosineSimilarity,
    FractionOfVarianceUnexplained,
    NormRatio,
    PairMetric,
    RelativeBias,
    Samples,
    Seen,
)
from regularizers.sae.evaluation._data import check_finite
from regularizers.sae.evaluation._errors import MeanExplainedVariance, MeanSquaredError


class Reconstruction:
    """Sums over batches, in float64."""

    def __init__(self) -> None:
        self._seen, self._unexplained = Seen(), FractionOfVarianceUnexplained()
        self._others: dict[str, PairMetric] = {
            "mean_explained_variance": MeanExplainedVariance(),
            "mse": MeanSquaredError(),
            "cosine": CosineSimilarity(),
            "norm_ratio": NormRatio(),
            "relative_bias": RelativeBias(),
        }

    def add(self, target: Tensor, made: Tensor) -> None:
        """Add a batch."""
        check_finite(made)
        samples, reconstruction = Samples.of(target), Samples.of(made)
        for pair in (self._unexplained, *self._others.values()):
            pair.add(samples, reconstruction)
        self._seen.add(samples)

    @property
    def samples(self) -> int:
        """How many samples were seen."""
        return self._seen.value()

    def values(self) -> dict[str, float]:
        """Return the measures by name."""
        others = {name: metric.value() for name, metric in self._others.items()}
        return {"explained_variance": 1 - self._unexplained.value(), **others}
