"""Regularizing modules that PyTorch lacks."""

from regularizers.layers._activity_penalty import ActivityPenalty
from regularizers.layers._drop_block import DropBlock2d
from regularizers.layers._drop_path import DropPath
from regularizers.layers._embedding_dropout import EmbeddingDropout
from regularizers.layers._gaussian_dropout import GaussianDropout
from regularizers.layers._gaussian_noise import GaussianNoise
from regularizers.layers._locked_dropout import LockedDropout
from regularizers.layers._monte_carlo import monte_carlo_dropout
from regularizers.layers._shake_drop import ShakeDrop
from regularizers.layers._shared_dropout import SharedDropout
from regularizers.layers._weight_drop import WeightDrop
from regularizers.layers._weight_standardization import (
    WeightStandardization,
    weight_standardization,
)

__all__ = [
    "ActivityPenalty",
    "DropBlock2d",
    "DropPath",
    "EmbeddingDropout",
    "GaussianDropout",
    "GaussianNoise",
    "LockedDropout",
    "ShakeDrop",
    "SharedDropout",
    "WeightDrop",
    "WeightStandardization",
    "monte_carlo_dropout",
    "weight_standardization",
]
