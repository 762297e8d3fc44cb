"""Noise and batch normalization on arrays, each with its vector-Jacobian product.

Every function returns a named tuple of the output `y` and the values saved for backward, with a
method `vjp` that maps a cotangent of `y` to the gradients. Nothing is drawn or computed a second
time. The functions are those of training; evaluation has a function of its own where it differs.
`jacobian_penalty` alone is none of these: a penalty of tensors of PyTorch, it returns a scalar.

Nothing here imports an array library; each array provides its own namespace.
"""

from regularizers.functional._batch_norm import batch_norm, batch_norm_evaluation
from regularizers.functional._drop_block import drop_block
from regularizers.functional._drop_path import drop_path
from regularizers.functional._dropout import dropout
from regularizers.functional._gaussian_dropout import gaussian_dropout
from regularizers.functional._jacobian_penalty import jacobian_penalty
from regularizers.functional._locked_dropout import locked_dropout
from regularizers.functional._noised import Noised
from regularizers.functional._normalized import (
    BatchNormEvaluated,
    BatchNormGradients,
    BatchNormTrained,
    RunningStatistics,
)

__all__ = [
    "BatchNormEvaluated",
    "BatchNormGradients",
    "BatchNormTrained",
    "Noised",
    "RunningStatistics",
    "batch_norm",
    "batch_norm_evaluation",
    "drop_block",
    "drop_path",
    "dropout",
    "gaussian_dropout",
    "jacobian_penalty",
    "locked_dropout",
]
