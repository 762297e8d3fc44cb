"""Every regime of the matrix."""

from matrix import (
    changes,
    checkpointed,
    compiled,
    compiled_checkpoints,
    constrained,
    eager,
    inplace,
    lifecycle,
    offloaded,
    optimizers,
    precision,
    proximal,
    recorded,
    referenced,
    temporal,
    transforms,
    weights,
)
from matrix.judge import Regime

GROUPS: dict[str, list[Regime]] = {
    "Plain PyTorch": eager.REGIMES,
    "In place": inplace.REGIMES,
    "Checkpointing": checkpointed.REGIMES,
    "Offloading": offloaded.REGIMES,
    "Compiling": compiled.REGIMES,
    "Compiling and checkpointing": compiled_checkpoints.REGIMES,
    "Precision": precision.REGIMES,
    "Backward passes recorded or compiled": recorded.REGIMES,
    "Transforms": transforms.REGIMES,
    "Life of a model": lifecycle.REGIMES,
    "Models that change": changes.REGIMES,
    "Recurrent layers": temporal.REGIMES,
    "Kernels": weights.REGIMES,
    "Kernels, within the step": optimizers.REGIMES,
    "Kernels, proximal": proximal.REGIMES,
    "Kernels, constrained": constrained.REGIMES,
    "Kernels, measured from other weights": referenced.REGIMES,
}

REGIMES = [regime for group in GROUPS.values() for regime in group]
