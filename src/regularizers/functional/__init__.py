"""Noise, batch normalization and sparse codes on arrays, each with its vector-Jacobian product.

Every function of a layer returns a named tuple of the output `y` and the values saved for backward,
with a method `vjp` that maps a cotangent of `y` to the gradients. Nothing is drawn or computed a
second time. The functions are those of training; evaluation has a function of its own where it
differs. `mixup` and `cutmix` return inputs and labels, `jacobian_penalty` a scalar.

Nothing here imports an array library; each array provides its own namespace.
"""

from regularizers.functional._batch_norm import batch_norm, batch_norm_evaluation
from regularizers.functional._cutmix import cutmix
from regularizers.functional._depth import drop_path_rates, shake_drop_probabilities
from regularizers.functional._drop_block import drop_block
from regularizers.functional._drop_path import drop_path
from regularizers.functional._dropout import dropout
from regularizers.functional._gated import GatedGradients, GatedUnits, gated
from regularizers.functional._gaussian_dropout import gaussian_dropout
from regularizers.functional._gaussian_noise import NoiseAdded, gaussian_noise
from regularizers.functional._jacobian_penalty import jacobian_penalty
from regularizers.functional._jump_relu import Jumped, jump_relu
from regularizers.functional._locked_dropout import locked_dropout
from regularizers.functional._mixing import Mixed
from regularizers.functional._mixup import mixup
from regularizers.functional._noised import Noised
from regularizers.functional._normalized import (
    BatchNormEvaluated,
    BatchNormGradients,
    BatchNormTrained,
    RunningStatistics,
    Standardised,
)
from regularizers.functional._shake_drop import Shaken, shake_drop
from regularizers.functional._shared_dropout import shared_dropout
from regularizers.functional._step_gate import Gate, GateGradients, step_gate
from regularizers.functional._top_k import Selected, batch_top_k, top_k

__all__ = [
    "BatchNormEvaluated",
    "BatchNormGradients",
    "BatchNormTrained",
    "Gate",
    "GateGradients",
    "GatedGradients",
    "GatedUnits",
    "Jumped",
    "Mixed",
    "NoiseAdded",
    "Noised",
    "RunningStatistics",
    "Selected",
    "Shaken",
    "Standardised",
    "batch_norm",
    "batch_norm_evaluation",
    "batch_top_k",
    "cutmix",
    "drop_block",
    "drop_path",
    "drop_path_rates",
    "dropout",
    "gated",
    "gaussian_dropout",
    "gaussian_noise",
    "jacobian_penalty",
    "jump_relu",
    "locked_dropout",
    "mixup",
    "shake_drop",
    "shake_drop_probabilities",
    "shared_dropout",
    "step_gate",
    "top_k",
]
