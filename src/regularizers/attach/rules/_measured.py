"""What a penalty is measured from and by: `towards=`, `importance=` and `weights=` of a rule."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, Literal, TypeAlias

from torch import Tensor, nn

from regularizers.control import Target
from regularizers.errors import ConfigurationError
from regularizers.penalties import Formula, is_elementwise

Weights: TypeAlias = Tensor | Callable[[nn.Module], Tensor]
"""A tensor over the units of one sample, or a function of the model that returns one."""
Tensors: TypeAlias = Mapping[str, Tensor]
"""Tensors by the full names of weights, as a state dict has them; other names are ignored."""
Towards: TypeAlias = Literal["initial", "now"] | Tensors

INITIAL: Literal["initial"] = "initial"


class Named(Mapping[str, Tensor]):
    """Tensors by name that were given to a rule, as they were then.

    A state dict shares its memory with the model, so training changes it.

    Args:
        tensors: the tensors.
        option: of the rule, for the message.
    """

    def __init__(self, tensors: Mapping[str, Any], option: str) -> None:
        self._tensors, self._option = dict(tensors), option
        self._versions = {name: _version(tensor) for name, tensor in tensors.items()}

    def __getitem__(self, name: str) -> Tensor:
        """Return a tensor.

        Raises:
            ConfigurationError: it was changed in place since.
        """
        tensor: Tensor = self._tensors[name]
        if _version(tensor) != self._versions[name]:
            raise ConfigurationError(
                f"{name}: {self._option}: the tensor was changed in place after the rule was "
                f"written, as training changes a state dict; make the Regularization before, or "
                f"give copies: {{n: t.clone() for n, t in model.state_dict().items()}}"
            )
        return tensor

    def __iter__(self) -> Iterator[str]:
        return iter(self._tensors)

    def __len__(self) -> int:
        return len(self._tensors)


def _version(tensor: Any) -> int | None:
    """Return how often a tensor was changed in place; None if nobody counts."""
    counts = isinstance(tensor, Tensor) and not tensor.is_inference()
    return tensor._version if counts else None


def checked_towards(kind: str, towards: Any, terms: Sequence[Formula]) -> Towards | None:
    """Return `towards`, with "initial" for its alias "now"; tensors noted as they are now.

    Raises:
        ConfigurationError: neither a word nor tensors by name, or a target that measures zeros.
    """
    if towards is None:
        return None
    for term in terms:
        if isinstance(term.strength, Target) and term.strength.measures == "weights":
            raise ConfigurationError(
                f"{kind}: {term.strength!r} counts weights that are exactly 0, and towards= draws "
                f"them to other values; leave one of the two out"
            )
        if term.joins_bias:
            raise ConfigurationError(
                f"{kind}: towards= is of one weight, and with_bias=True joins a kernel with its "
                f"bias; leave one of the two out, got {term!r}"
            )
    if isinstance(towards, str):
        if towards not in (INITIAL, "now"):
            raise ConfigurationError(
                f"{kind}: towards: expected 'initial' or its alias 'now', a state dict, or tensors "
                f"by name, got {towards!r}"
            )
        return INITIAL
    return _named(kind, "towards", towards)


def checked_importance(kind: str, importance: Any, terms: Sequence[Formula]) -> Named | None:
    """Return `importance`, noted as it is now.

    Raises:
        ConfigurationError: no tensors by name, or a penalty that is no sum over elements.
    """
    if importance is None:
        return None
    _check_sums_elements(kind, "importance", terms)
    return _named(kind, "importance", importance)


def check_weights(kind: str, weights: Any, terms: Sequence[Formula]) -> None:
    """Raise unless `weights` can be those of units.

    Raises:
        ConfigurationError: neither a tensor nor a function, or a penalty that is no sum over
            elements.
    """
    if weights is None:
        return
    _check_sums_elements(kind, "weights", terms)
    if not isinstance(weights, Tensor) and (
        isinstance(weights, nn.Module) or not callable(weights)
    ):
        raise ConfigurationError(
            f"{kind}: weights: expected a tensor over the units of one sample, or a function of "
            f"the model, such as lambda model: model.decoder.weight.norm(dim=0), got "
            f"{type(weights).__name__}"
        )


def _check_sums_elements(kind: str, option: str, terms: Sequence[Formula]) -> None:
    for term in terms:
        if not is_elementwise(term):
            raise ConfigurationError(
                f"{kind}: {option}= multiplies the penalty of each element, so it is for sums over "
                f"elements, such as L1, L2Squared, Huber, Lp and Elementwise, got {term!r}"
            )


def _named(kind: str, option: str, tensors: Any) -> Named:
    if isinstance(tensors, Named):  # of a rule that dataclasses.replace has copied
        return tensors
    if isinstance(tensors, Mapping) and all(isinstance(name, str) for name in tensors):
        return Named(tensors, option)
    cure = ""
    if isinstance(tensors, nn.Module):
        cure = "; write model.state_dict()"
    elif isinstance(tensors, Tensor):
        cure = '; write {"head.weight": tensor}'
    raise ConfigurationError(
        f"{kind}: {option}: expected tensors by the names of weights, such as a state dict, got "
        f"{type(tensors).__name__}{cure}"
    )
