"""Streaming metrics of the activations of a model."""

from regularizers.monitor._monitor import Monitor
from regularizers.monitor._readings import Readings
from regularizers.monitor._report import MonitorReport
from regularizers.monitor._sources import Source, input_of, output_of
from regularizers.monitor.metrics import (
    ActiveUnits,
    CosineSimilarity,
    DeadUnits,
    DensityHistogram,
    ExplainedVariance,
    Firing,
    FractionOfVarianceUnexplained,
    Histogram,
    HoyerSparsity,
    MeanActivation,
    Metric,
    Norm,
    NormRatio,
    PairMetric,
    Recovery,
    RelativeBias,
    Samples,
    Saturation,
    StableRank,
    recovery,
)

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
    "Monitor",
    "MonitorReport",
    "Norm",
    "NormRatio",
    "PairMetric",
    "Readings",
    "Recovery",
    "RelativeBias",
    "Samples",
    "Saturation",
    "Source",
    "StableRank",
    "input_of",
    "output_of",
    "recovery",
]
