"""The size of the Jacobian of a network, by random projections."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator

import array_api_compat

from regularizers.errors import ArrayTypeError, ConfigurationError, RegimeError, ShapeError
from regularizers.functional._random import Generator, normal
from regularizers.penalties.arrays import Array, namespace_of, nonzero


def jacobian_penalty(
    inputs: Array,
    outputs: Array,
    projections: int | None = 1,
    *,
    generator: Generator = None,
) -> Array:
    r"""Return half the squared Jacobian of the outputs, averaged over the batch.

    .. math:: \frac{1}{2N} \sum_i \|J_i\|_F^2, \qquad
        J_i = \frac{\partial z_i}{\partial x_i} \in \mathbb{R}^{C \times D}

    It keeps outputs as they are where inputs change a little. Each projection costs one backward
    pass, which is itself differentiated by the backward of the loss:

    .. math:: \|J_i\|_F^2 = C\,\mathbb{E}_v \|v^\top J_i\|^2, \qquad
        v \text{ uniform on the unit sphere of } \mathbb{R}^C

    The estimate is right on average for every number of projections, and exact for one output.

    Args:
        inputs: x, a tensor that requires a gradient, with the samples along axis 0.
        outputs: z, computed from it, with the same samples along axis 0; the output of a sample
            depends on that sample alone, as it does not after a batch norm in training mode.
            Logits, in the publication.
        projections: how many v are drawn for each sample. None: every output by itself in place of
            random v, which is exact and costs C backward passes.
        generator: a `torch.Generator` on the device of the outputs; None for PyTorch's own.

    Returns:
        A scalar tensor in at least float32, in the graph of the outputs; multiply it by a strength
        and add it to the loss.

    Shape:
        inputs: (N, ...), of D elements a sample; outputs: (N, ...), of C elements a sample.

    Raises:
        ArrayTypeError: what is no tensor of PyTorch, or not real floating point.
        ShapeError: no batch axis, or batches of two sizes.
        ConfigurationError: projections that are no number of 1 or more, or another generator.
        RegimeError: inputs that require no gradient; outputs that do not depend on them.

    Example:
        >>> import torch
        >>> from regularizers import functional
        >>> x = torch.tensor([[1.0, 2.0], [3.0, 4.0]], requires_grad=True)
        >>> z = x @ torch.tensor([[3.0], [4.0]])
        >>> functional.jacobian_penalty(x, z).item()
        12.5

    Source: Hoffman, Roberts and Yaida, "Robust learning with Jacobian regularization", 2019,
    `arXiv:1908.02729 <https://arxiv.org/abs/1908.02729>`__.
    """
    _check_tensors(inputs, outputs)
    _check_projections(projections)
    torch = sys.modules["torch"]
    dtype = torch.promote_types(inputs.dtype, torch.float32)
    total = inputs.new_zeros((), dtype=dtype)
    for v in _directions(outputs, projections, generator):
        (slope,) = torch.autograd.grad(
            outputs, inputs, v.reshape(outputs.shape), create_graph=True, allow_unused=True
        )
        if slope is None:
            raise _unrelated("whose graph does not lead to the inputs")
        total = total + slope.to(dtype).square().sum()
    weight = 1.0 if projections is None else _outputs_of_a_sample(outputs) / projections
    return total * (weight / (2 * max(len(outputs), 1)))


def _directions(outputs: Array, projections: int | None, generator: Generator) -> Iterator[Array]:
    """Yield matrices of one direction for each sample: random ones, or all axes in turn."""
    shape = (len(outputs), _outputs_of_a_sample(outputs))
    xp = namespace_of(outputs)
    if generator is not None and not isinstance(generator, xp.Generator):
        raise ConfigurationError(
            f"generator: expected a torch.Generator or None for PyTorch's own, got {generator!r}; "
            f"pass torch.Generator(outputs.device).manual_seed(0)"
        )
    if projections is None:
        for axis in range(shape[1]):
            basis = outputs.new_zeros(shape)
            basis[:, axis] = 1
            yield basis
        return
    for _ in range(projections):
        v = normal(xp, outputs, shape, generator)
        yield (v / nonzero(xp, v.norm(dim=1, keepdim=True))).to(outputs.dtype)


def _outputs_of_a_sample(outputs: Array) -> int:
    return math.prod(outputs.shape[1:])


def _check_tensors(inputs: Array, outputs: Array) -> None:
    for name, x in (("inputs", inputs), ("outputs", outputs)):
        namespace_of(x, name)
        if not array_api_compat.is_torch_array(x):
            raise ArrayTypeError(
                f"{name}: expected a tensor of PyTorch, which differentiates a gradient again, got "
                f"{type(x).__name__}"
            )
        if x.ndim == 0:
            raise ShapeError(f"{name}: expected samples along axis 0, got a tensor of one number")
    if len(inputs) != len(outputs):
        raise ShapeError(
            f"outputs: expected one for each of the {len(inputs)} samples of the inputs, along "
            f"axis 0, got the shape {tuple(outputs.shape)}"
        )
    if not inputs.requires_grad:
        raise RegimeError(
            "inputs: expected a tensor that requires a gradient, got one that does not; call "
            "inputs.requires_grad_() before the forward"
        )
    if not outputs.requires_grad:
        raise _unrelated("which have no graph")


def _unrelated(how: str) -> RegimeError:
    return RegimeError(
        f"outputs: expected what was computed from the inputs, got outputs {how}; give the very "
        f"tensor that the model was called with, with gradients enabled and nothing detached"
    )


def _check_projections(projections: object) -> None:
    if projections is not None and (type(projections) is not int or projections < 1):
        raise ConfigurationError(
            f"projections: expected an integer of 1 or more, or None for every output, got "
            f"{projections!r}"
        )
