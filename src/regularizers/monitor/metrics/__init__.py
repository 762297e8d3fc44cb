"""The metrics of activations, one in each file."""

from regularizers.monitor.metrics._active_units import ActiveUnits
from regularizers.monitor.metrics._cosine_similarity import CosineSimilarity
from regularizers.monitor.metrics._dead_units import DeadUnits
from regularizers.monitor.metrics._density import DensityHistogram, Histogram
from regularizers.monitor.metrics._explained_variance import (
    ExplainedVariance,
    FractionOfVarianceUnexplained,
)
from regularizers.monitor.metrics._firing import Firing
from regularizers.monitor.metrics._gather import of_every_process
from regularizers.monitor.metrics._hoyer import HoyerSparsity
from regularizers.monitor.metrics._mean_activation import MeanActivation
from regularizers.monitor.metrics._metric import Metric, PairMetric, check_same_shape
from regularizers.monitor.metrics._norm import Norm
from regularizers.monitor.metrics._norm_ratio import NormRatio
from regularizers.monitor.metrics._recovery import Recovery, recovery
from regularizers.monitor.metrics._reduced import Reduced
from regularizers.monitor.metrics._reductions import Reduction
from regularizers.monitor.metrics._relative_bias import RelativeBias
from regularizers.monitor.metrics._samples import Samples
from regularizers.monitor.metrics._saturation import Saturation
from regularizers.monitor.metrics._seen import Seen
from regularizers.monitor.metrics._shared import SharedMetric
from regularizers.monitor.metrics._stable_rank import StableRank
from regularizers.monitor.metrics._streaming import Streaming
from regularizers.monitor.metrics._sums import Sums, named

__all__ = [
    "ActiveUnits",
    "CosineSimilarity",
    "DeadUnits",
    "DensityHistogram",
    "ExplainedVariance",
    "Firing",
    "FractionOfVarianceUnexplained",
    "Histogram",
    "HoyerSparsity",
    "MeanActivation",
    "Metric",
    "Norm",
    "NormRatio",
    "PairMetric",
    "Recovery",
    "Reduced",
    "Reduction",
    "RelativeBias",
    "Samples",
    "Saturation",
    "Seen",
    "SharedMetric",
    "StableRank",
    "Streaming",
    "Sums",
    "check_same_shape",
    "named",
    "of_every_process",
    "recovery",
]
