"""Synthetic data in superposition, made of a known dictionary."""

from regularizers.sae.synthetic._batches import SyntheticBatches
from regularizers.sae.synthetic._firing import Samples
from regularizers.sae.synthetic._superposition import Superposition, superposition

__all__ = ["Samples", "Superposition", "SyntheticBatches", "superposition"]
