"""What becomes of weights that are exactly 0: counted, kept at 0 as masks, or removed."""

from regularizers.pruning._compact import compact
from regularizers.pruning._prune_zeros import prune_zeros
from regularizers.pruning._zeros import Zeros, zeros

__all__ = ["Zeros", "compact", "prune_zeros", "zeros"]
