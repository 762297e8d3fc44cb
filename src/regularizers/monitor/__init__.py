"""Streaming metrics of what the activations of a model do."""

from regularizers.monitor._active_units import ActiveUnits
from regularizers.monitor._dead_units import DeadUnits
from regularizers.monitor._density import DensityHistogram, Histogram
from regularizers.monitor._explained_variance import (
    ExplainedVariance,
    FractionOfVarianceUnexplained,
)
from regularizers.monitor._hoyer import HoyerSparsity
from regularizers.monitor._mean_activation import MeanActivation
from regularizers.monitor._metric import Metric, PairMetric
from regularizers.monitor._monitor import Monitor
from regularizers.monitor._norm import Norm
from regularizers.monitor._readings import Readings
from regularizers.monitor._report import MonitorReport
from regularizers.monitor._saturation import Saturation
from regularizers.monitor._sources import Source, input_of, output_of

__all__ = [
    "ActiveUnits",
    "DeadUnits",
    "DensityHistogram",
    "ExplainedVariance",
    "FractionOfVarianceUnexplained",
    "Histogram",
    "HoyerSparsity",
    "MeanActivation",
    "Metric",
    "Monitor",
    "MonitorReport",
    "Norm",
    "PairMetric",
    "Readings",
    "Saturation",
    "Source",
    "input_of",
    "output_of",
]
