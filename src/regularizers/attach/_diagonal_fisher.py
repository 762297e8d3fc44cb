"""The diagonal of the Fisher information: how much each parameter matters to a task."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.func import functional_call, grad, vmap

from regularizers.errors import ConfigurationError, RegimeError, SelectionError
from regularizers.modules import check_model

_Loss = Callable[[Any, Tensor], Tensor]
_Tensors = dict[str, Tensor]


def diagonal_fisher(
    model: nn.Module, batches: Iterable[tuple[Any, Tensor]], loss: _Loss
) -> dict[str, Tensor]:
    r"""Return the mean over samples of the squared gradient of each sample's loss.

    .. math:: F_i = \frac1n \sum_{k=1}^n \left( \frac{\partial\, \ell(f(x_k), y_k)}
        {\partial w_i} \right)^2

    It is the `importance` of elastic weight consolidation. The squares are of the gradients of
    single samples: the square of a batch's mean gradient is another number, far smaller near a
    minimum. With targets of the data this is the empirical Fisher information; with targets that
    are drawn from the model's own distribution, an estimate of the Fisher information itself.

    The model is in evaluation mode meanwhile, so that dropout is off and batch normalization does
    not mix samples. Its gradients, modes, buffers, hooks and random state are as before.

    The gradients of a batch are computed together by `torch.func.vmap`, which takes memory for one
    gradient a sample. A model that it cannot follow (recurrent layers, values read by Python) is
    run sample by sample: exact too, and slower.

    Args:
        model: the model, usually at the end of the training on a task.
        batches: pairs of inputs and targets, which have the samples along axis 0. Inputs are a
            tensor, or a tuple of tensors for several arguments of the model.
        loss: a function `(outputs, targets)` of a batch of one sample that returns a scalar; its
            mean and its sum are then the same. A negative log-likelihood, such as
            `torch.nn.functional.cross_entropy`, gives the Fisher information.

    Returns:
        A tensor of each trainable parameter's shape by its name in `named_parameters()`, in float32
        or wider.

    Raises:
        ConfigurationError: there is no batch, a batch is no such pair, or the loss of one sample is
            no scalar.
        SelectionError: the model has no trainable parameter.
        RegimeError: a parameter is sharded; call it before `fully_shard`.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> model = torch.nn.Linear(2, 1)
        >>> x, y = torch.tensor([[1.0, 0.0], [0.0, 2.0]]), torch.zeros(2, 1)
        >>> def error(outputs, targets):
        ...     return (outputs - targets).sum()
        >>> rz.diagonal_fisher(model, [(x, y)], error)["weight"]  # the mean of x squared
        tensor([[0.5000, 2.0000]])

    Source: Kirkpatrick et al., "Overcoming catastrophic forgetting in neural networks", 2017,
    `arXiv:1612.00796 <https://arxiv.org/abs/1612.00796>`__.
    """
    check_model(model, "diagonal_fisher", "whose gradients lie on several devices")
    parameters = _trainable(model)
    of_sample = _gradient_of_sample(model, loss)
    totals = {
        name: torch.zeros_like(p, dtype=torch.promote_types(p.dtype, torch.float32))
        for name, p in parameters.items()
    }
    count, together = 0, True
    with _undisturbed(model):
        for batch in batches:
            inputs, targets = _checked(batch)
            if together:
                try:
                    found = vmap(of_sample, in_dims=(None, 0, 0))(parameters, inputs, targets)
                except Exception:  # the loop below raises it again, unless it is one of vmap alone
                    together = False
            if together:
                for name, total in totals.items():
                    total += _squares(found[name], total).sum(dim=0)
            else:
                for number in range(len(targets)):
                    sample = tuple([each[number] for each in inputs])
                    one = of_sample(parameters, sample, targets[number])
                    for name, total in totals.items():
                        total += _squares(one[name], total)
            count += len(targets)
    if count == 0:
        raise ConfigurationError("diagonal_fisher: expected a batch of samples or more, got none")
    return {name: total / count for name, total in totals.items()}


def _gradient_of_sample(
    model: nn.Module, loss: _Loss
) -> Callable[[_Tensors, tuple[Tensor, ...], Tensor], _Tensors]:
    """Return a function of parameters and one sample that returns the gradient of its loss."""

    def loss_of(parameters: _Tensors, inputs: tuple[Tensor, ...], target: Tensor) -> Tensor:
        # copies, since a model may write its buffers in evaluation mode too
        buffers = {name: buffer.clone() for name, buffer in model.named_buffers()}
        arguments = tuple([each.unsqueeze(0) for each in inputs])
        outputs = functional_call(model, (parameters, buffers), arguments)
        value = loss(outputs, target.unsqueeze(0))
        if not isinstance(value, Tensor) or value.ndim:
            got = f"shape {tuple(value.shape)}" if isinstance(value, Tensor) else repr(value)
            raise ConfigurationError(
                f"diagonal_fisher: loss: expected a scalar for a batch of one sample, got {got}; "
                f"use its mean or its sum"
            )
        return value

    return grad(loss_of)


def _squares(gradient: Tensor, total: Tensor) -> Tensor:
    # an embedding's sparse gradient holds a row once for each time that it was read
    return gradient.to_dense().to(total.dtype).square()


def _trainable(model: nn.Module) -> _Tensors:
    found = {name: p.detach() for name, p in model.named_parameters() if p.requires_grad}
    if not found:
        raise SelectionError(
            f"diagonal_fisher: {type(model).__name__} has no trainable parameter; unfreeze those "
            f"that matter"
        )
    for name, parameter in found.items():
        if isinstance(parameter, DTensor):
            raise RegimeError(
                f"diagonal_fisher: {name} is sharded, and gradients of single samples are not "
                f"known for it; call diagonal_fisher before fully_shard"
            )
    return found


def _checked(batch: Any) -> tuple[tuple[Tensor, ...], Tensor]:
    """Return inputs, as a tuple, and targets of a batch."""
    if isinstance(batch, (tuple, list)) and len(batch) == 2:
        inputs, targets = batch
        given = tuple(inputs) if isinstance(inputs, (tuple, list)) else (inputs,)
        tensors = [*given, targets]
        if all(isinstance(each, Tensor) and each.ndim for each in tensors) and len(given):
            if len({len(each) for each in tensors}) == 1:
                return given, targets
            shapes = ", ".join(str(tuple(each.shape)) for each in tensors)
            raise ConfigurationError(
                f"diagonal_fisher: expected as many targets as inputs along axis 0, got shapes "
                f"{shapes}"
            )
    raise ConfigurationError(
        f"diagonal_fisher: expected batches (inputs, targets) of tensors with the samples along "
        f"axis 0, such as a DataLoader's, got {type(batch).__name__}"
    )


@contextmanager
def _undisturbed(model: nn.Module) -> Iterator[None]:
    """Put the model into evaluation mode; leave modes and random state as they were."""
    modes = [(module, module.training) for module in model.modules()]
    devices = {p.device for p in model.parameters() if p.device.type == "cuda"}
    is_recurrent = any(isinstance(module, nn.RNNBase) for module, _ in modes)
    try:
        model.eval()
        with (
            torch.random.fork_rng(sorted(devices, key=str)),
            # the recurrent layers of cuDNN have no gradient in evaluation mode
            torch.backends.cudnn.flags(enabled=False) if is_recurrent else nullcontext(),
            torch.inference_mode(False),
            torch.enable_grad(),
        ):
            yield
    finally:
        for module, mode in modes:
            module.training = mode
