"""Sparse codes: dictionaries of directions, of which few are active in each sample."""

from regularizers.sae._autoencoder import SparseAutoencoder

__all__ = ["SparseAutoencoder"]
