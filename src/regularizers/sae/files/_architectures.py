"""How the tensors of each architecture are named and scaled in a file of SAELens."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

State = dict[str, Tensor]
"""A state dict of ours, or the tensors of a file of theirs."""

WEIGHTS = {"encoder.weight": "W_enc", "decoder.weight": "W_dec"}
"""The matrices, each the transpose of the other's; no fold of the input scale changes them."""


@dataclass(frozen=True)
class Architecture:
    r"""One architecture in their words.

    With input scale c ours computes f(c·x − b), and gives out f / c. Every nonlinearity here
    satisfies f(z; θ) / c = f(z / c; θ / c) for c > 0, where θ is what stands in the units of the
    code. Their tensors are therefore the matrices as they are, and all the rest divided by c.
    """

    theirs: str
    """The name of the architecture in `cfg.json`."""
    biases: tuple[str, ...]
    """Their tensors of shape (units,), besides W_enc, W_dec and b_dec."""
    code_units: tuple[str, ...] | None
    """Our tensors of one element a unit in the units of the code; None: units are compared."""
    export: Callable[[State, Tensor], State]
    """Their biases, from our state and c."""
    restore: Callable[[State], State]
    """Our state without the matrices and the decoder's bias, from their tensors; c is 1."""
    settings: tuple[str, ...] = ()
    """Attributes of the coding that no state dict has."""


def _relu_out(state: State, scale: Tensor) -> State:
    return {"b_enc": state["encoder.bias"] / scale}


def _relu_in(tensors: State) -> State:
    return {"encoder.bias": tensors["b_enc"]}


def _jump_out(state: State, scale: Tensor) -> State:
    threshold = _below(state["coding.gate.threshold"] / scale, state["encoder.weight"].dtype)
    return _relu_out(state, scale) | {"threshold": threshold}


def _jump_in(tensors: State) -> State:
    # they apply relu, too: a threshold below 0 is one at 0
    return _relu_in(tensors) | {"coding.gate.threshold": tensors["threshold"].clamp(min=0)}


def _batch_out(state: State, scale: Tensor) -> State:
    weight, threshold = state["encoder.weight"], state["coding.threshold"] / scale
    # active here is z >= t, and there z > t
    below = _below(threshold, weight.dtype, strictly=True)
    return _relu_out(state, scale) | {"threshold": below.repeat(len(weight))}


def _below(threshold: Tensor, dtype: torch.dtype, *, strictly: bool = False) -> Tensor:
    """Return the largest numbers of a type that are not above (strictly: are below) thresholds."""
    near = threshold.to(dtype)
    over = near >= threshold if strictly else near > threshold
    return torch.where(over, torch.nextafter(near, torch.full_like(near, -torch.inf)), near)


def _gated_out(state: State, scale: Tensor) -> State:
    log_scale = state["coding.log_scale"]
    tensors = {
        "b_gate": state["coding.gate.bias"] / scale,
        "b_mag": state["coding.bias"] / scale,
        "r_mag": log_scale,
    }
    return shifted(tensors, state["encoder.bias"] / scale) if "encoder.bias" in state else tensors


def _gated_in(tensors: State) -> State:
    return {
        "coding.gate.bias": tensors["b_gate"],
        "coding.bias": tensors["b_mag"],
        "coding.log_scale": tensors["r_mag"],
    }


def shifted(tensors: State, shift: Tensor) -> State:
    """Return their tensors for pre-activations that are larger by `shift`, of shape (units,)."""
    shifts = {"b_enc": shift, "b_gate": shift}
    if "b_mag" in tensors:
        shifts["b_mag"] = tensors["r_mag"].to(shift.dtype).exp() * shift
    moved = {k: (tensors[k] + d).to(tensors[k].dtype) for k, d in shifts.items() if k in tensors}
    return tensors | moved


ARCHITECTURES = {
    "l1": Architecture("standard", ("b_enc",), ("encoder.bias",), _relu_out, _relu_in),
    "topk": Architecture("topk", ("b_enc",), None, _relu_out, _relu_in, ("k",)),
    "jumprelu": Architecture(
        theirs="jumprelu",
        biases=("b_enc", "threshold"),
        code_units=("encoder.bias", "coding.gate.threshold"),
        export=_jump_out,
        restore=_jump_in,
        settings=("gate.bandwidth", "gate.input_gradient"),
    ),
    # only ever written: in evaluation it is a JumpReLU with one threshold, and they save it as that
    "batchtopk": Architecture(
        theirs="jumprelu",
        biases=("b_enc", "threshold"),
        code_units=None,
        export=_batch_out,
        restore=_jump_in,
        settings=("k", "momentum"),
    ),
    "gated": Architecture(
        theirs="gated",
        biases=("b_gate", "b_mag", "r_mag"),
        code_units=("encoder.bias", "coding.gate.bias", "coding.bias"),
        export=_gated_out,
        restore=_gated_in,
    ),
}

READ = {"standard": "l1", "topk": "topk", "jumprelu": "jumprelu", "gated": "gated"}
"""What an architecture of theirs is here."""


def exported(architecture: Architecture, state: State) -> State:
    """Return their tensors, with the input scale folded."""
    scale = state["scale"]
    return {
        **{theirs: state[ours].T.contiguous() for ours, theirs in WEIGHTS.items()},
        "b_dec": state["decoder.bias"] / scale,
        **architecture.export(state, scale),
    }


def restored(architecture: Architecture, tensors: State, *, centred: bool) -> State:
    """Return our state, at an input scale of 1, for their tensors.

    Ours subtracts the decoder's bias from the input. Where theirs does not (`centred` is false) its
    image under the encoder is given back.
    """
    if not centred:
        tensors = shifted(tensors, tensors["b_dec"].double() @ tensors["W_enc"].double())
    return {
        **{ours: tensors[theirs].T.contiguous() for ours, theirs in WEIGHTS.items()},
        "decoder.bias": tensors["b_dec"],
        "scale": torch.ones_like(tensors["b_dec"][0]),
        **architecture.restore(tensors),
    }
