"""Groups of a kernel's outputs with their biases, in the step of the optimizer of both."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from regularizers.attach.reading import xp
from regularizers.attach.sites import Entry, Parameter, Strengths, WithBias
from regularizers.attach.step._proximal import (
    check_mask_is_binary,
    step_taken,
)
from regularizers.attach.step._pruned import add_to_gradient
from regularizers.attach.step._weight_gradients import weight_gradient
from regularizers.penalties import proximal


@dataclass(frozen=True)
class Part:
    """A kernel or a bias: what the optimizer updates, its parameter group and pruning mask."""

    parameter: Parameter
    tensor: Tensor
    group: dict[str, Any]

    def read(self) -> Tensor:
        """Return what the forward uses."""
        mask = self.mask
        return self.tensor if mask is None else mask * self.tensor

    @property
    def mask(self) -> Tensor | None:
        """The current pruning mask."""
        mask = self.parameter.mask
        return None if mask is None else mask().to(self.tensor.dtype)


@dataclass(frozen=True)
class GroupsWithBias:
    """The penalty of one kernel and its bias, which is None while it is frozen.

    Args:
        entry: the penalty, which reads both as one matrix.
        kernel: the kernel.
        bias: the bias.
        strengths: the strength of each penalty.
    """

    entry: Entry
    kernel: Part
    bias: Part | None
    strengths: Strengths

    @property
    def joint(self) -> WithBias:
        """How both are read as one matrix."""
        assert self.entry.with_bias is not None
        return self.entry.with_bias

    @property
    def matrix(self) -> Tensor:
        """Both as the forward uses them, a row for each output."""
        bias = None if self.bias is None else self.bias.read()
        return self.joint.joined(self.kernel.read(), bias)

    def add(self, strengths: Strengths, scale: Tensor | None) -> None:
        """Add the gradient of the penalty to both, times `scale` if gradients are scaled."""
        if strengths.is_zero(self.entry.key):
            return
        unit = dataclasses.replace(self.entry.term, strength=1.0)
        gradient = weight_gradient(unit).single(self.matrix)
        for part, one in self._parts(gradient):
            sign = -1.0 if part.group.get("maximize") else 1.0
            masked = one if part.mask is None else one * part.mask
            strength = strengths.value(self.entry.key)
            add_to_gradient(part.tensor, masked, strength, sign, scale)

    def shrink(self, optimizer: Optimizer) -> None:
        """Take the proximal step of both together, unless the kernel was not updated.

        A bias that was not updated, since it has no gradient, has a step of 0: it counts and stays.
        """
        if self.kernel.tensor.grad is None:
            return
        strength: Any = self.strengths.value(self.entry.key)
        if isinstance(strength, Tensor):
            strength = strength.to(self.kernel.tensor.device)
        step = self._step(optimizer)
        shrunk = proximal(xp, self.matrix, step, [(self.entry.term, strength)])
        for part, one in self._parts(shrunk):
            mask = part.mask
            part.tensor.copy_(one if mask is None else torch.where(mask != 0, one, part.tensor))

    def _parts(self, matrix: Tensor) -> list[tuple[Part, Tensor]]:
        rows, column = self.joint.parts(matrix, self.kernel.tensor)
        found = [(self.kernel, rows)]
        return found if self.bias is None else [*found, (self.bias, column)]

    def _step(self, optimizer: Optimizer) -> Any:
        """Return the step size: one number, or one for each element of the matrix."""
        parts = [self.kernel] if self.bias is None else [self.kernel, self.bias]
        steps = [_step_of(part, optimizer) for part in parts]
        if not any(isinstance(step, Tensor) for step in steps) and len({*steps}) == 1:
            return steps[0]
        whole = [
            torch.as_tensor(step, dtype=part.tensor.dtype, device=part.tensor.device).expand(
                part.tensor.shape
            )
            for part, step in zip(parts, steps, strict=True)
        ]
        return self.joint.joined(whole[0], whole[1] if len(whole) == 2 else None)


def _step_of(part: Part, optimizer: Optimizer) -> Any:
    if part.tensor.grad is None:
        return 0.0
    return step_taken(optimizer, part.group, part.tensor, part.parameter.full_name)


def groups_with_bias(
    entry: Entry,
    kernel: Part,
    group_of: Callable[[Tensor], dict[str, Any]],
    strengths: Strengths,
) -> GroupsWithBias:
    """Return the penalty `entry` of a kernel and, while it is trainable, its bias."""
    assert entry.with_bias is not None
    entry.with_bias.check_is_whole(kernel.tensor)
    parameter = entry.with_bias.bias
    for one in (kernel.parameter, parameter) if entry.proximal else ():
        check_mask_is_binary(one.full_name, one.mask)
    if not parameter.trainable:
        return GroupsWithBias(entry, kernel, None, strengths)
    (tensor,) = parameter.sources
    assert tensor is not None
    return GroupsWithBias(entry, kernel, Part(parameter, tensor, group_of(tensor)), strengths)
