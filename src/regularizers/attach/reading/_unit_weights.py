"""The weights of the units of one site, which multiply the penalty of each."""

from __future__ import annotations

import weakref

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from regularizers.attach.rules import Weights
from regularizers.errors import ArrayTypeError, ConfigurationError, RegimeError, ShapeError
from regularizers.modules import is_transformed
from regularizers.penalties.arrays import Axes, normalise_axes


class UnitWeights:
    """Returns the weights in the shape in which they multiply an output.

    Args:
        given: a tensor over the units of one sample, or a function of the model that returns one.
        model: the model.
        site: the name of the site, for messages.
    """

    def __init__(self, given: Weights, model: weakref.ref[nn.Module], site: str) -> None:
        self._given, self._model, self._site = given, model, site
        self._checked = False

    def beside(self, x: Tensor, batch_axis: Axes) -> Tensor:
        """Return the weights with axes of length 1 where `x` has its samples.

        Args:
            x: the output.
            batch_axis: the axes of its samples.

        Raises:
            ArrayTypeError: no tensor of a floating type.
            ShapeError: it does not broadcast to the units of a sample.
            ConfigurationError: a weight is negative.
            RegimeError: the weights are sharded.
        """
        weights = self._current()
        if x.is_nested:
            raise RegimeError(
                f"{self._site}: weights= does not take nested tensors, whose samples have units of "
                f"their own; pad them, and give the rule a mask"
            )
        batch = normalise_axes(batch_axis, x.ndim)
        units = [size for axis, size in enumerate(x.shape) if axis not in batch]
        padded = [1] * (len(units) - weights.ndim) + list(weights.shape)
        if len(padded) != len(units) or any(
            size not in (1, extent) for size, extent in zip(padded, units, strict=True)
        ):
            raise ShapeError(
                f"{self._site}: weights: expected a shape that broadcasts to {tuple(units)}, the "
                f"units of one sample, got {tuple(weights.shape)}; batch_axis= says which axes "
                f"number samples"
            )
        sizes = iter(padded)
        shape = [1 if axis in batch else next(sizes) for axis in range(x.ndim)]
        return weights.to(x.device).reshape(shape)

    def _current(self) -> Tensor:
        weights: object = self._given
        if not isinstance(weights, Tensor):
            model = self._model()
            assert model is not None  # it is running
            weights = self._given(model)  # type: ignore[operator]
        if isinstance(weights, DTensor):
            raise RegimeError(
                f"{self._site}: weights: the tensor is sharded (DTensor), and the gradient of its "
                f"parts is not known here; give weights= whole tensors, such as those of a module "
                f"that is not sharded"
            )
        if not isinstance(weights, Tensor) or not weights.is_floating_point():
            got = weights.dtype if isinstance(weights, Tensor) else type(weights).__name__
            raise ArrayTypeError(
                f"{self._site}: weights: expected a tensor of a real floating type, or a function "
                f"of the model that returns one, got {got}"
            )
        self._check_not_negative(weights)
        return weights

    def _check_not_negative(self, weights: Tensor) -> None:
        """Raise if a weight is negative; other devices than the CPU are read once."""
        if torch.compiler.is_compiling() or is_transformed():
            return
        if self._checked and not weights.is_cpu:
            return
        self._checked = True
        if bool((weights.detach() < 0).any()):
            raise ConfigurationError(
                f"{self._site}: weights: expected numbers that are not negative, got "
                f"{weights.detach().min().item():g} at the least; a penalty is to cost, not to pay"
            )
