"""Synthetic data in superposition, made of a known dictionary."""

from regularizers.sae.superposition._batches import SyntheticBatches
from regularizers.sae.superposition._firing import Samples
from regularizers.sae.superposition._superposition import Superposition, superposition

__all__ = ["Samples", "Superposition", "SyntheticBatches", "superposition"]
