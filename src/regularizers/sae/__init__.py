"""Sparse codes: dictionaries of directions, of which few are active in each sample."""

from regularizers.sae._autoencoder import Losses, SparseAutoencoder
from regularizers.sae._auxk import auxk
from regularizers.sae._debias import debias
from regularizers.sae._history import History
from regularizers.sae._memory import Memory, memory
from regularizers.sae._revival import Revival
from regularizers.sae._train import train
from regularizers.sae._transcoder import Crosscoder, Transcoder
from regularizers.sae.evaluation import (
    Context,
    Evaluation,
    Recovered,
    TopSamples,
    Truth,
    compare_with_truth,
    cross_entropy_recovered,
    evaluate,
    substituted,
    top_samples,
)
from regularizers.sae.files import fold_decoder_norms, load, save
from regularizers.sae.streams import ActivationStream, StoredActivations, activations, store
from regularizers.sae.synthetic import Superposition, superposition

__all__ = [
    "ActivationStream",
    "Context",
    "Crosscoder",
    "Evaluation",
    "History",
    "Losses",
    "Memory",
    "Recovered",
    "Revival",
    "SparseAutoencoder",
    "StoredActivations",
    "Superposition",
    "TopSamples",
    "Transcoder",
    "Truth",
    "activations",
    "auxk",
    "compare_with_truth",
    "cross_entropy_recovered",
    "debias",
    "evaluate",
    "fold_decoder_norms",
    "load",
    "memory",
    "save",
    "store",
    "substituted",
    "superposition",
    "top_samples",
    "train",
]
