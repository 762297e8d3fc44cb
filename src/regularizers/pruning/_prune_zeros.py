"""Zeros that stay: exact zeros of kernels as masks of `torch.nn.utils.prune`."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.nn.utils import prune

from regularizers.attach.sites import Parameter
from regularizers.errors import SelectionError
from regularizers.modules import Wheres, whole
from regularizers.pruning._kernels import select_kernels
from regularizers.pruning._zeros import Zeros, zeros


def prune_zeros(model: nn.Module, where: Wheres = "**") -> Zeros:
    r"""Keep the exact zeros of kernels at 0, whatever the optimizer does next.

    .. math:: w = m \odot w_{\text{orig}}, \qquad m_i = 0 \text{ where } w_i = 0

    Each kernel that has a zero gets a mask of `torch.nn.utils.prune`: the parameter is then called
    `weight_orig`, the mask is the buffer `weight_mask`, and `weight` is their product in every
    forward. The parameter stays the same object, so an optimizer made before goes on. A kernel
    without a zero stays as it is; that of a pruned one is combined with the mask it has. Rules for
    kernels act on pruned weights as before.

    `torch.nn.utils.prune.remove(module, "weight")` makes a plain weight of it again.

    Args:
        model: the model, whose modules get the masks.
        where: which kernels, as in `zeros`. Every kernel by default.

    Returns:
        What `zeros(model, where)` returns.

    Raises:
        ConfigurationError: `model` is not a module.
        SelectionError: a `where` that matches no kernel; or a kernel with zeros that cannot have a
            mask: parametrized or computed by a hook, tied to another weight, sharded, or read
            without a call of its module, as an attention's `out_proj` is. No kernel is masked then.
        ArrayTypeError: a complex kernel.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> from torch import nn
        >>> layer = nn.Linear(2, 1)
        >>> with torch.no_grad():
        ...     _ = layer.weight.copy_(torch.tensor([[0.0, 3.0]]))
        >>> rz.prune_zeros(layer).total
        0.5
        >>> optimizer = torch.optim.SGD(layer.parameters(), lr=0.1, momentum=0.9)
        >>> for _ in range(3):
        ...     layer(torch.ones(1, 2)).sum().backward()
        ...     optimizer.step()
        >>> _ = layer(torch.ones(1, 2))
        >>> layer.weight[0, 0].item()
        0.0
    """
    selected = select_kernels(model, where, "prune_zeros")
    kernels = {parameter.identity: parameter for parameter in selected}.values()
    owners = Counter([id(parameter) for parameter in _registered(model)])
    with torch.no_grad():  # a mask's product that has a graph could not be copied
        found = [(parameter, parameter.read()) for parameter in kernels]
        masked = [(p, weight != 0) for p, weight in found if _has_new_zeros(p, weight)]
        for parameter, _ in masked:
            _check_can_be_masked(parameter, model, owners)
        for parameter, mask in masked:
            prune.custom_from_mask(parameter.owner, parameter.name, mask)  # type: ignore[no-untyped-call]
    return zeros(model, where)


def _registered(model: nn.Module) -> Sequence[Tensor]:
    """Return the parameters of all modules, a tied one once for each module that has it."""
    return [p for module in model.modules() for p in module._parameters.values() if p is not None]


def _has_new_zeros(parameter: Parameter, weight: Tensor) -> bool:
    """Return whether elements are 0 that the weight's mask, if it has one, does not hold there."""
    new = weight == 0
    if parameter.mask is not None:
        new &= parameter.mask() != 0
    found = new.any()
    return bool(whole(found))


def _check_can_be_masked(parameter: Parameter, model: nn.Module, owners: Counter[int]) -> None:
    owner = type(parameter.owner).__name__
    (source, *_) = parameter.sources
    holder = parameter.owner_name.rpartition(".")[0]
    if parameter.is_computed and parameter.mask is None:
        way = "a parametrization" if parameter.parametrized else "a forward pre-hook"
        reason = (
            f"the weight of {owner} is computed by {way}, which a mask of torch.nn.utils.prune "
            f"cannot follow; make it plain first, as by parametrize.remove_parametrizations"
        )
    elif isinstance(source, DTensor):
        reason = "the weight is sharded (DTensor); prune before fully_shard"
    elif owners[id(source)] > 1:
        reason = (
            f"the weight of {owner} is tied to that of another module, and a mask of one would "
            f"untie them; untie them first, or leave it out of where="
        )
    elif parameter.owner_name.endswith("out_proj") and isinstance(
        model.get_submodule(holder), nn.MultiheadAttention
    ):
        reason = (
            "MultiheadAttention reads this weight without calling its module, so the hook of a "
            "mask would never run; leave it out of where="
        )
    else:
        return
    raise SelectionError(
        f"prune_zeros: {parameter.full_name}: expected a kernel that can be masked, but {reason}"
    )
