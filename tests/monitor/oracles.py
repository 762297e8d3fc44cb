"""Oracles of the metrics, by NumPy and scikit-learn on stored activations."""

import math
from collections.abc import Callable

import numpy as np
from sklearn.metrics import explained_variance_score, precision_recall_fscore_support
from torch import Tensor

import regularizers as rz

Oracle = Callable[[np.ndarray], dict[str, float]]
"""From (samples, units) to the numbers that `as_dict` is to have."""


def active_units(x: np.ndarray, threshold: float = 0.0) -> dict[str, float]:
    active = np.abs(x) > threshold
    return {"active_units": active.sum(axis=1).mean(), "active_fraction": active.mean()}


def dead_units(x: np.ndarray, after: int | None = None, threshold: float = 0.0) -> dict[str, float]:
    recent = x if after is None else x[-after:]
    dead = (np.abs(recent) <= threshold).all(axis=0) & (len(recent) >= (after or 1))
    return {"dead_units": dead.sum(), "dead_fraction": dead.mean()}


def density(x: np.ndarray) -> dict[str, float]:
    often = (x != 0).mean(axis=0)
    fired = np.log10(often[often > 0])
    return {"log10_density": fired.mean(), "silent_units": (often == 0).sum()}


def hoyer(x: np.ndarray) -> dict[str, float]:
    each = []
    for sample in x:
        root = math.sqrt(sample.size)
        l1, l2 = np.linalg.norm(sample, 1), np.linalg.norm(sample, 2)
        each.append((root - l1 / l2) / (root - 1) if l2 else 1.0)
    return {"hoyer_sparsity": np.mean(each)}


def norm(x: np.ndarray) -> dict[str, float]:
    return {
        "norm": np.linalg.norm(x, axis=1).mean(),
        "root_mean_square": math.sqrt(np.mean(x**2)),
    }


def saturation(x: np.ndarray, low: float, high: float) -> dict[str, float]:
    below, above = np.mean(x < low), np.mean(x > high)
    return {"saturation": below + above, "saturation_low": below, "saturation_high": above}


def stable_rank(x: np.ndarray) -> dict[str, float]:
    return {"stable_rank": (x**2).sum() / np.linalg.norm(x, 2) ** 2}


OF_ONE: dict[str, tuple[rz.monitor.Metric, Oracle]] = {
    "ActiveUnits": (rz.monitor.ActiveUnits(), active_units),
    "ActiveUnits above": (rz.monitor.ActiveUnits(0.7), lambda x: active_units(x, 0.7)),
    "MeanActivation": (rz.monitor.MeanActivation(), lambda x: {"mean_activation": x.mean()}),
    "HoyerSparsity": (rz.monitor.HoyerSparsity(), hoyer),
    "Norm": (rz.monitor.Norm(), norm),
    "Saturation": (rz.monitor.Saturation(-0.5, 0.4), lambda x: saturation(x, -0.5, 0.4)),
    "DeadUnits": (rz.monitor.DeadUnits(), dead_units),
    "DeadUnits lately": (rz.monitor.DeadUnits(5), lambda x: dead_units(x, 5)),
    "DensityHistogram": (rz.monitor.DensityHistogram(), density),
    "StableRank": (rz.monitor.StableRank(), stable_rank),
}


def explained_variance(x: np.ndarray, made: np.ndarray) -> dict[str, float]:
    value = explained_variance_score(x, made, multioutput="variance_weighted")
    return {"explained_variance": value}


def variance_unexplained(x: np.ndarray, made: np.ndarray) -> dict[str, float]:
    errors = ((x - made) ** 2).sum()
    return {"variance_unexplained": errors / ((x - x.mean(axis=0)) ** 2).sum()}


def cosine_similarity(x: np.ndarray, made: np.ndarray) -> dict[str, float]:
    each = [
        np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b) for a, b in zip(x, made, strict=True)
    ]
    return {"cosine_similarity": np.mean(each)}


def norm_ratio(x: np.ndarray, made: np.ndarray) -> dict[str, float]:
    return {"norm_ratio": (np.linalg.norm(made, axis=1) / np.linalg.norm(x, axis=1)).mean()}


def relative_bias(x: np.ndarray, made: np.ndarray) -> dict[str, float]:
    # the best scale c of the reconstruction, by least squares: γ is 1 / c
    scale = np.linalg.lstsq(made.reshape(-1, 1), x.reshape(-1), rcond=None)[0][0]
    return {"relative_bias": 1 / scale}


def firing(x: np.ndarray, made: np.ndarray, threshold: float = 0.0) -> dict[str, float]:
    true, found = (np.abs(a).ravel() > threshold for a in (x, made))
    precision, recall, f1, _ = precision_recall_fscore_support(true, found, average="binary")
    return {"firing_f1": f1, "firing_precision": precision, "firing_recall": recall}


OF_TWO: dict[str, tuple[rz.monitor.PairMetric, Callable[..., dict[str, float]]]] = {
    "ExplainedVariance": (rz.monitor.ExplainedVariance(), explained_variance),
    "FractionOfVarianceUnexplained": (
        rz.monitor.FractionOfVarianceUnexplained(),
        variance_unexplained,
    ),
    "CosineSimilarity": (rz.monitor.CosineSimilarity(), cosine_similarity),
    "NormRatio": (rz.monitor.NormRatio(), norm_ratio),
    "RelativeBias": (rz.monitor.RelativeBias(), relative_bias),
    "Firing": (rz.monitor.Firing(), firing),
}


def as_matrix(x: Tensor, batch: tuple[int, ...] = (0,)) -> np.ndarray:
    """Return (samples, units) of an array whose batch axes are `batch`."""
    array = np.moveaxis(x.detach().double().numpy(), batch, range(len(batch)))
    return array.reshape(math.prod(array.shape[: len(batch)]), -1)
