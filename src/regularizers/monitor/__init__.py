"""Streaming metrics of what the activations of a model do."""

from regularizers.monitor._monitor import Monitor
from regularizers.monitor._readings import Readings
from regularizers.monitor._report import MonitorReport
from regularizers.monitor._sources import Source, input_of, output_of
from regularizers.monitor.metrics._active_units import ActiveUnits
from regularizers.monitor.metrics._dead_units import DeadUnits
from regularizers.monitor.metrics._density import DensityHistogram, Histogram
from regularizers.monitor.metrics._explained_variance import (
    ExplainedVariance,
    FractionOfVarianceUnexplained,
)
from regularizers.monitor.metrics._hoyer import HoyerSparsity
from regularizers.monitor.metrics._mean_activation import MeanActivation
from regularizers.monitor.metrics._metric import Metric, PairMetric
from regularizers.monitor.metrics._norm import Norm
from regularizers.monitor.metrics._saturation import Saturation

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
