"""The figures of one trained autoencoder, on fresh samples."""

from __future__ import annotations

from dataclasses import dataclass

from regularizers.recipes.superposition._config import BATCH
from regularizers.sae import SparseAutoencoder, Superposition, compare_with_truth, evaluate

HELD_OUT = 51_200
"""Fresh samples that figures are of."""


@dataclass(frozen=True)
class Figures:
    """What was measured, by the definitions of `rz.sae.evaluate` and `compare_with_truth`."""

    l0: float
    explained_variance: float
    f1: float
    mcc: float
    dead: int
    surplus: int
    """Latents that are matched to no feature, since there are more latents than features."""
    surplus_dead: int
    seconds: float
    """Of processor time, for one training with the making of its samples."""
    coefficient: float | None = None
    """The strength of a penalty that was found by trying, where the other library needs one."""
    tries: int = 1
    """Trainings that finding it took."""
    warnings: tuple[str, ...] = ()


def measure(sae: SparseAutoencoder, source: Superposition, seconds: float) -> Figures:
    """Return the figures of an autoencoder on samples that no training saw."""
    sae.eval()
    evaluation = evaluate(sae, source.batches(BATCH, HELD_OUT // BATCH, seed=99))
    truth = compare_with_truth(sae, source, samples=HELD_OUT, seed=98)
    return Figures(
        l0=evaluation.l0,
        explained_variance=evaluation.explained_variance,
        f1=truth.f1,
        mcc=truth.mcc,
        dead=evaluation.dead,
        surplus=truth.surplus,
        surplus_dead=truth.surplus_dead,
        seconds=seconds,
    )
