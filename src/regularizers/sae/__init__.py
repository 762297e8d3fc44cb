"""Sparse codes: dictionaries of directions, of which few are active in each sample."""

from regularizers.sae._autoencoder import Losses, SparseAutoencoder
from regularizers.sae._auxk import auxk
from regularizers.sae._debias import debias
from regularizers.sae._history import History
from regularizers.sae._revival import Revival
from regularizers.sae._train import train
from regularizers.sae._transcoder import Crosscoder, Transcoder

__all__ = [
    "Crosscoder",
    "History",
    "Losses",
    "Revival",
    "SparseAutoencoder",
    "Transcoder",
    "auxk",
    "debias",
    "train",
]
