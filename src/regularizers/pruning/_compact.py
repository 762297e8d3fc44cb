"""A smaller model that computes the same: output units of zeros are removed."""

from __future__ import annotations

import warnings
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.distributed.tensor import DTensor

from regularizers.errors import SelectionError
from regularizers.modules import Wheres, printable, whole
from regularizers.pruning._chain import LAYERS, CannotFollowError, Chain, Graphs
from regularizers.pruning._copy import plain_copy
from regularizers.pruning._kernels import select_kernels
from regularizers.pruning._passing import Constants
from regularizers.pruning._slicing import keep_inputs, keep_outputs, keep_passed

Module = TypeVar("Module", bound=nn.Module)


def compact(model: Module, where: Wheres = "**") -> Module:
    r"""Return a smaller model with the same outputs: units whose kernel is 0 are removed.

    A unit of `Linear`, `Conv1d`, `Conv2d` or `Conv3d` whose kernel is exactly 0 says the same
    whatever the input: its bias b. What follows makes a constant c of it, and the layer that reads
    it adds one more constant, which goes into that layer's bias:

    .. math:: W h + a = W_{\text{kept}} h_{\text{kept}} + (a + W_{\text{removed}} c),
        \qquad c = \varphi(b)

    The unit is removed with its bias, its place in the batch norms on the way, and the matching
    inputs of the next layer.

    - The way from layer to layer is read by `torch.fx`, and may pass activations, batch norm,
      dropout, pooling and `Flatten`, as modules. If the way from a layer that has such units is
      another, `compact` raises, and changes nothing. What the model returns is never removed.
    - Where c is not 0 and a convolution pads with zeros, or an average counts padding, what the
      unit adds differs at the border. Such units stay, and a warning says so. So does one unit of a
      layer in which all are 0. A reader without a bias gets one if it is needed.
    - Outputs are the same in evaluation, and in training where no batch norm, and no dropout of a
      c that is not 0, stands behind a removed unit: batch norm reads the batch in training.
    - Pruned weights become plain ones of the same values; `prune_zeros` masks them anew. Make
      optimizer, Regularization and Monitor anew, too: parameters have other shapes.

    Args:
        model: the model, which is left as it is.
        where: the layers to remove units from, as in `zeros`; their readers are changed with them.
            Every layer by default.

    Returns:
        A new model, in the same mode, on the same device. Without a unit to remove, a copy.

    Raises:
        ConfigurationError: `model` is not a module.
        SelectionError: a `where` that matches no kernel; a forward that cannot be traced; or a
            layer with units to remove that is grouped, parametrized, hooked, shared, tied or
            sharded, or whose output cannot be followed, as into a residual sum. It is named.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        >>> with torch.no_grad():
        ...     _ = model[0].weight[3:].zero_()
        >>> small = rz.compact(model)
        >>> small
        Sequential(
          (0): Linear(in_features=4, out_features=3, bias=True)
          (1): ReLU()
          (2): Linear(in_features=3, out_features=2, bias=True)
        )
        >>> x = torch.randn(5, 4)
        >>> torch.allclose(small(x), model(x), atol=1e-6)
        True

    Source: Wen et al., "Learning structured sparsity in deep neural networks", 2016,
    `arXiv:1608.03665 <https://arxiv.org/abs/1608.03665>`__.
    """
    small = plain_copy(model) if isinstance(model, nn.Module) else model
    layers = {
        parameter.owner: parameter.owner_name
        for parameter in select_kernels(small, where, "compact")
        if _has_silent_units(parameter.owner)
    }
    if not layers:
        return small
    with torch.no_grad():
        graphs = Graphs(plain_copy(model))
        for chain in [_chain(graphs, small, name) for name in layers.values()]:
            if chain is not None:
                _remove(small, chain)
    return small


def _has_silent_units(layer: nn.Module) -> bool:
    return isinstance(layer, LAYERS) and bool(_silent(layer).any())


def _silent(layer: Any) -> Tensor:
    """Return which units of a layer have a kernel of 0; (units,), boolean."""
    weight: Tensor = layer.weight.detach()
    return (whole(weight) == 0).flatten(1).all(dim=1)


def _chain(graphs: Graphs, model: nn.Module, layer: str) -> Chain | None:
    """Return the way from a layer to its reader, if all modules on it can be changed."""
    try:
        chain = graphs.chain(layer)
        if chain is not None:
            for name in (chain.layer, *chain.passed, chain.reader):
                _check_own_parameters(name, model)
    except CannotFollowError as reason:
        module = model.get_submodule(layer)
        count = int(_silent(module).sum())
        raise SelectionError(
            f"compact: {printable(layer)} ({type(module).__name__}) has {_units(count)} whose "
            f"kernel is 0, and expected a way for {'it' if count == 1 else 'them'} through "
            f"activations, batch norm, dropout, pooling and Flatten to one linear layer or "
            f"convolution, but {reason}; leave the layer out of where="
        ) from None
    return chain


def _units(count: int) -> str:
    return "1 unit" if count == 1 else f"{count} units"


def _check_own_parameters(name: str, model: nn.Module) -> None:
    """Raise if a module shares a parameter with another, or holds a part of it."""
    module = model.get_submodule(name)
    own = list(module._parameters.values())
    others = {id(p) for m in model.modules() if m is not module for p in m._parameters.values()}
    if any(p is not None and id(p) in others for p in own):
        raise CannotFollowError(f"{name} has a parameter that is tied to another module's")
    if any(isinstance(p, DTensor) for p in own):
        raise CannotFollowError(f"{name} is sharded; compact before fully_shard")


def _remove(model: nn.Module, chain: Chain) -> None:
    """Remove the units of a layer whose constants the bias of its reader can hold."""
    layer, reader = model.get_submodule(chain.layer), model.get_submodule(chain.reader)
    passed = [model.get_submodule(name) for name in chain.passed]
    silent = _silent(layer)
    constants = Constants.of(layer, silent)
    for module in passed:
        constants.pass_through(module)
    added = constants.added_by(reader)
    exact = constants.are_exact_in(reader) & added.isfinite().all(dim=0)
    if not exact.all():
        count = int((~exact).sum())
        stay, them = ("stays", "it") if count == 1 else ("stay", "them")
        warnings.warn(
            f"compact: {printable(chain.layer)}: {_units(count)} whose kernel is 0 {stay}, since "
            f"a bias makes a constant of {them} that is not 0 and differs at the padded border, or "
            f"is not finite; a bias of 0 lets {them} go",
            stacklevel=3,
        )
    if exact.all() and silent.all():
        warnings.warn(
            f"compact: {printable(chain.layer)}: the kernels of all {len(silent)} units are 0; one "
            f"unit stays, since a layer of none has no output",
            stacklevel=3,
        )
        exact[0] = False
    stays = ~silent
    stays[silent] = ~exact
    kept = stays.nonzero().flatten()
    keep_outputs(layer, kept)
    for module in passed:
        keep_passed(module, kept, len(silent))
    keep_inputs(reader, kept, len(silent), added[:, exact].sum(dim=1))
