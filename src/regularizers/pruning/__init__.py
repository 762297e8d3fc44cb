"""What becomes of weights that are exactly 0: counted, kept at 0 as masks, or removed."""

from regularizers.pruning._compact import compact
from regularizers.pruning._prune_zeros import prune_zeros
from regularizers.pruning._zeros import Count, Zeros, zeros

__all__ = ["Count", "Zeros", "compact", "prune_zeros", "zeros"]
