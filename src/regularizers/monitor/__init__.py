"""Streaming metrics of the activations of a model."""

from regularizers.monitor._monitor import Monitor
from regularizers.monitor._readings import Readings
from regularizers.monitor._report import MonitorReport
from regularizers.monitor._sources import Source, input_of, output_of
from regularizers.monitor.metrics import (
    ActiveUnits,
    DeadUnits,
    DensityHistogram,
    ExplainedVariance,
    FractionOfVarianceUnexplained,
    Histogram,
    HoyerSparsity,
    MeanActivation,
    Metric,
    Norm,
    PairMetric,
    Samples,
    Saturation,
)

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
    "Samples",
    "Saturation",
    "Source",
    "input_of",
    "output_of",
]
