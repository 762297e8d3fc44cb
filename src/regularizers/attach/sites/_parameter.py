"""A weight tensor of one module, read by name: plain, parametrized or computed by a hook."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from regularizers.attach.sites._hook_weights import hook_weight, left_by_hook
from regularizers.errors import ArrayTypeError, RegimeError

Role: TypeAlias = Literal["kernel", "bias", "embedding", "norm", "other"]


@dataclass(frozen=True)
class Parameter:
    """A weight tensor of one module, identified by its name."""

    owner: nn.Module
    owner_name: str
    name: str
    role: Role
    assumed: bool

    @property
    def full_name(self) -> str:
        """The name as in `named_parameters`; for a computed tensor, the attribute that is read."""
        return f"{self.owner_name}.{self.name}" if self.owner_name else self.name

    @property
    def parametrized(self) -> bool:
        """Whether the tensor is computed by `torch.nn.utils.parametrize`."""
        return parametrize.is_parametrized(self.owner, self.name)

    @property
    def trainable(self) -> bool:
        """Whether it requires a gradient; frozen weights are not penalised.

        Raises:
            RegimeError: the module has no such weight any more.
        """
        own = self.owner._parameters
        if self.name in own:
            parameter = own[self.name]
            return parameter is not None and parameter.requires_grad
        return any(source is not None and source.requires_grad for source in self.sources)

    @property
    def identity(self) -> object:
        """Equal for tied parameters, since they count once."""
        parameter = self.owner._parameters.get(self.name)
        if parameter is not None:
            return id(parameter)
        return id(self.parametrization) if self.parametrized else (id(self.owner), self.name)

    @property
    def sources(self) -> tuple[Tensor | None, ...]:
        """The parameter itself, or the current parameters that it is computed from.

        Raises:
            RegimeError: the module has no such weight any more.
        """
        own = self.owner._parameters
        if self.name in own:
            return (own[self.name],)
        if self.parametrized:
            return tuple(self.parametrization.parameters())
        known = hook_weight(self.owner, self.name)
        if known is not None:
            return tuple([own.get(name) for name in known.sources])
        if own and left_by_hook(self.owner, self.name) is not None:
            return tuple(own.values())
        raise RegimeError(
            f"{self.full_name}: {type(self.owner).__name__} has no such weight any more, so it "
            f"cannot be penalised; detach() this Regularization and attach a new one"
        )

    @property
    def plain(self) -> Tensor | None:
        """The parameter itself; None if the tensor is computed from other parameters."""
        return self.owner._parameters.get(self.name)

    @property
    def is_computed(self) -> bool:
        """Whether the tensor is computed from other parameters: parametrized, or by a hook."""
        return self.name not in self.owner._parameters

    @property
    def mask(self) -> Callable[[], Tensor] | None:
        """Returns the current mask of a pruned weight; None for other weights."""
        known = hook_weight(self.owner, self.name) if self.is_computed else None
        return None if known is None else known.mask

    @property
    def is_left_by_hook(self) -> bool:
        """Whether an unknown hook computes it, and only in the forward."""
        if self.name in self.owner._parameters or self.parametrized:
            return False
        return hook_weight(self.owner, self.name) is None

    def read(self) -> Tensor:
        """Return the current tensor, differentiable in its sources.

        Raises:
            ArrayTypeError: a complex weight.
            RegimeError: a hook computed it without gradients, or the weight is gone.
        """
        weight = self.owner._parameters.get(self.name)
        tensor = self._computed() if weight is None else weight
        if not tensor.is_floating_point():
            raise ArrayTypeError(
                f"{self.full_name}: expected a weight of a real floating type, got "
                f"{tensor.dtype}; penalise its parts, torch.view_as_real(weight), in a module of "
                f"your own, or narrow the rule"
            )
        return tensor

    def _computed(self) -> Tensor:
        if self.parametrized:
            return read_parametrized(self.owner, self.name)
        known = hook_weight(self.owner, self.name)
        if known is not None:
            return known.compute()
        left = left_by_hook(self.owner, self.name)
        if left is None or (torch.is_grad_enabled() and self.trainable and not left.requires_grad):
            raise RegimeError(
                f"{self.full_name}: a forward pre-hook computes this weight and has not done so "
                f"with gradients; call penalty() after a forward in training mode"
            )
        return left

    @property
    def parametrization(self) -> parametrize.ParametrizationList:
        """The module that computes a parametrized tensor and holds its sources."""
        parametrizations = self.owner.parametrizations
        assert isinstance(parametrizations, nn.ModuleDict)
        computing = parametrizations[self.name]
        assert isinstance(computing, parametrize.ParametrizationList)
        return computing


def read_parametrized(owner: nn.Module, name: str) -> Tensor:
    """Return a parametrized tensor, differentiable in its sources."""
    # in evaluation mode, so that reading changes no buffer (spectral norm) and draws no noise
    parts = list(owner.parametrizations[name].modules())  # type: ignore[index, union-attr]
    modes = [part.training for part in parts]
    try:
        for part in parts:
            part.training = False
        computed: Tensor = getattr(owner, name)
        return computed
    finally:
        for part, mode in zip(parts, modes, strict=True):
            part.training = mode
