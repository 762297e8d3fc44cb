"""Noise and batch normalization on arrays, each with its vector-Jacobian product.

Every function returns a named tuple: the output `y` first, then what it was made with, and a
method `vjp` that takes a cotangent of `y` to the gradients. The product uses what the forward
kept; nothing is drawn or measured a second time. The functions are those of training; what is
different in evaluation is a function of its own.

Nothing here imports an array library; what an array can do is asked of the array.
"""

from regularizers.functional._batch_norm import batch_norm, batch_norm_evaluation
from regularizers.functional._drop_block import drop_block
from regularizers.functional._drop_path import drop_path
from regularizers.functional._dropout import dropout
from regularizers.functional._gaussian_dropout import gaussian_dropout
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
    "locked_dropout",
]
