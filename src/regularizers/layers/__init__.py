"""Regularizing modules that PyTorch lacks."""

from regularizers.layers._activity_penalty import ActivityPenalty
from regularizers.layers._batch_top_k import BatchTopK
from regularizers.layers._drop_block import DropBlock2d
from regularizers.layers._drop_path import DropPath
from regularizers.layers._embedding_dropout import EmbeddingDropout
from regularizers.layers._gated import GateBias, Gated
from regularizers.layers._gaussian_dropout import GaussianDropout
from regularizers.layers._gaussian_noise import GaussianNoise
from regularizers.layers._jump_relu import JumpReLU
from regularizers.layers._locked_dropout import LockedDropout
from regularizers.layers._monte_carlo import monte_carlo_dropout
from regularizers.layers._shake_drop import ShakeDrop
from regularizers.layers._shared_dropout import SharedDropout
from regularizers.layers._step_gate import StepGate
from regularizers.layers._top_k import TopK
from regularizers.layers._weight_drop import WeightDrop
from regularizers.layers._weight_standardization import (
    WeightStandardization,
    weight_standardization,
)

__all__ = [
    "ActivityPenalty",
    "BatchTopK",
    "DropBlock2d",
    "DropPath",
    "EmbeddingDropout",
    "GateBias",
    "Gated",
    "GaussianDropout",
    "GaussianNoise",
    "JumpReLU",
    "LockedDropout",
    "ShakeDrop",
    "SharedDropout",
    "StepGate",
    "TopK",
    "WeightDrop",
    "WeightStandardization",
    "monte_carlo_dropout",
    "weight_standardization",
]
