"""Modules that PyTorch lacks, one a file."""

from regularizers.layers._activity_penalty import ActivityPenalty

__all__ = ["ActivityPenalty"]
