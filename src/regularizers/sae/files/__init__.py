"""Files of sparse autoencoders: SAELens' format both ways, and what it cannot hold beside it."""

from regularizers.sae.files._load import load
from regularizers.sae.files._norms import fold_decoder_norms
from regularizers.sae.files._save import save

__all__ = ["fold_decoder_norms", "load", "save"]
