"""What the penalty of one weight is measured from, and by."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from regularizers.attach.rules import INITIAL, Rule, Tensors
from regularizers.attach.sites._initial import InitialWeights
from regularizers.attach.sites._kept import Absent, Kept
from regularizers.attach.sites._parameter import Parameter
from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError


class Reference:
    """The values that a weight is drawn to, and how much each element matters.

    Two references are equal if they hold the same numbers, or the weights at the start of a run.

    Args:
        name: the name of the weight.
        towards: w⁰; None for 0.
        importance: the factor of each element's penalty; None for 1.
        is_initial: whether w⁰ are the weights as they were when the Regularization was made.
    """

    def __init__(
        self, name: str, towards: Kept | None, importance: Kept | None, *, is_initial: bool
    ) -> None:
        self._name, self._is_initial = name, is_initial
        self._towards, self._importance = towards, importance

    @property
    def is_shifted(self) -> bool:
        """Whether the penalty is measured from other values than 0."""
        return self._towards is not None

    @property
    def is_weighted(self) -> bool:
        """Whether elements have an importance."""
        return self._importance is not None

    def towards(self, weight: Tensor) -> Tensor:
        """Return w⁰ in the form of `weight`; only if it is shifted."""
        assert self._towards is not None
        return self._towards.beside(weight, self._name)

    def importance(self, weight: Tensor) -> Tensor:
        """Return the importance in the form of `weight`, in at least float32; only if weighted."""
        assert self._importance is not None
        return self._importance.beside(weight, self._name)

    def measured(self, weight: Tensor) -> Tensor:
        """Return what the penalty is of: w − w⁰, in the graph of `weight` and at least float32."""
        if self._towards is None:
            return weight
        dtype = torch.promote_types(weight.dtype, torch.float32)
        return weight.to(dtype) - self.towards(weight).to(dtype)

    def weighted(self, slope: Tensor, weight: Tensor) -> Tensor:
        """Return the gradient of a sum over elements, times the importance of each."""
        return slope if self._importance is None else slope * self.importance(weight)

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Reference):
            return NotImplemented
        same_start = self._is_initial and other._is_initial
        return (same_start or _are_equal(self._towards, other._towards)) and _are_equal(
            self._importance, other._importance
        )

    def __hash__(self) -> int:
        return hash((self.is_shifted, self.is_weighted))

    def __str__(self) -> str:
        """Return what a report adds to the penalty."""
        source = "initial" if self._is_initial else "given"
        shifted = [f"towards {source}"] if self.is_shifted else []
        return " ".join([*shifted, *["by importance"] * self.is_weighted])


class References:
    """Finds the reference of each weight under a rule.

    Args:
        parameters: all weights of the model, whose names the tensors of rules have.
        initial: holds the weights at the start of a run.
    """

    def __init__(self, parameters: Iterable[Parameter], initial: InitialWeights) -> None:
        self._parameters, self._initial = parameters, initial

    def of(self, rule: Rule, parameter: Parameter) -> Reference | None:
        """Return the reference of a weight; None if the rule has none.

        Raises:
            ConfigurationError: the weight is missing, or an importance is negative or not finite.
            ArrayTypeError, ShapeError: a tensor does not fit the weight.
        """
        if rule.towards is None and rule.importance is None:
            return None
        towards = importance = None
        if rule.towards == INITIAL:
            towards = self._initial.take(parameter)
        elif rule.towards is not None:
            towards = self._given(rule.towards, "towards", rule, parameter)
        if rule.importance is not None:
            importance = self._given(rule.importance, "importance", rule, parameter)
        is_initial = rule.towards == INITIAL
        return Reference(parameter.full_name, towards, importance, is_initial=is_initial)

    def _given(self, tensors: Any, option: str, rule: Rule, parameter: Parameter) -> Kept:
        """Return a copy of the tensor of a weight, checked against the weight."""
        where = f"{rule}: {parameter.full_name}: {option}"
        tensor = tensors.get(parameter.full_name)
        if tensor is None:
            aliases = self._aliases(parameter)
            tensor = next((tensors[name] for name in aliases if name in tensors), None)
        if tensor is not None:
            _check_fits(tensor, option, parameter, where)
            return Kept(tensor, option, wide=option == "importance")
        hint = "; it is computed, and its parts do not stand for it" * parameter.is_computed
        error = ConfigurationError(
            f"{where}: expected a tensor under this name, got {_listed(tensors)}{hint}; add it, "
            f"or narrow the rule with where="
        )
        if parameter.trainable:
            raise error
        return Absent(error, option)

    def _aliases(self, parameter: Parameter) -> list[str]:
        """Return the names of a tied weight, of which `named_parameters` has one."""
        return [p.full_name for p in self._parameters if p.identity == parameter.identity]


def _check_fits(tensor: Any, option: str, parameter: Parameter, where: str) -> None:
    if not isinstance(tensor, Tensor) or not tensor.is_floating_point():
        got = tensor.dtype if isinstance(tensor, Tensor) else type(tensor).__name__
        raise ArrayTypeError(f"{where}: expected a tensor of a real floating type, got {got}")
    with torch.no_grad():
        shape = parameter.read().shape
    if tensor.shape != shape:
        raise ShapeError(
            f"{where}: expected the shape {tuple(shape)} of the weight, got {tuple(tensor.shape)}"
        )
    if option == "importance" and not bool(((tensor >= 0) & tensor.isfinite()).all()):
        raise ConfigurationError(
            f"{where}: expected finite numbers that are not negative, got others; the squares of "
            f"gradients that diagonal_fisher returns are such numbers"
        )


def _listed(tensors: Tensors) -> str:
    names = list(tensors)
    return ", ".join(names[:4]) + ", ..." * (len(names) > 4) or "no tensor"


def _are_equal(first: Kept | None, second: Kept | None) -> bool:
    if first is None or second is None:
        return first is second
    if first is second:
        return True
    one, two = first.tensor, second.tensor
    return one.shape == two.shape and torch.equal(one, two.to(one))
