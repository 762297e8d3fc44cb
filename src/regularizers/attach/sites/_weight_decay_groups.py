"""Parameter groups for an optimizer: which parameters decay."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from torch import Tensor, nn
from torch.distributed.fsdp import FullyShardedDataParallel
from torch.nn.utils import parametrizations, parametrize
from torch.nn.utils.spectral_norm import SpectralNorm
from torch.nn.utils.weight_norm import WeightNorm

from regularizers.attach.sites._parameter import Parameter, Role
from regularizers.attach.sites._roles import Roles, StatedRoles, parameters_within
from regularizers.errors import ConfigurationError, RegimeError, SelectionError
from regularizers.layers import WeightStandardization
from regularizers.penalties.strength import check_strength

_FIXED_NORM = (
    parametrizations._SpectralNorm,
    parametrizations._Orthogonal,
    WeightStandardization,
)


def weight_decay_groups(
    model: nn.Module,
    weight_decay: float,
    *,
    embeddings: bool = True,
    roles: Roles | None = None,
) -> list[dict[str, Any]]:
    r"""Return parameter groups in which kernels decay, and biases and norms do not.

    The module that owns a parameter decides its role: a norm under any name does not decay, nor do
    the biases of fused experts, which are matrices. Only in a module of unknown type is the role
    assumed, from names and shapes; `roles` overrides it. Plain SGD shrinks a kernel as the penalty
    `L2Squared(weight_decay / 2)` does; AdamW decouples the decay from the gradient.

    - Each parameter of the model is in one group, in the order of `model.parameters()`; a tied
      parameter counts once. It is an embedding if it is one in any of its modules, so the tied
      head of a language model follows `embeddings`. Otherwise it decays if it is a kernel in any.
    - Frozen parameters are in their group too, where optimizers skip them: left out, they would
      silently stay untrained after unfreezing. Integer parameters cannot be trained and are left
      out.
    - In a parametrized kernel, the parameters that scale it decay. In `weight_norm`, w = g·v/‖v‖,
      only the magnitude g decays: w does not depend on the length of v, and its decay would only
      change how fast v turns. Under `spectral_norm`, `orthogonal` and
      `layers.weight_standardization` w has a fixed size, and no parameter of it decays. A
      parametrization's own parameters have their own roles.
    - Parameters marked by their author with `parameter._no_weight_decay = True` (Mamba) do not
      decay.

    Args:
        model: the model, in its final shape: after tying, and after `fully_shard`.
        weight_decay: λ of the kernels, as the optimizer takes it; finite and not negative.
        embeddings: whether embeddings decay too, including learned positions and tokens.
        roles: roles that you state, as in `Regularization`: a `where`, and the role (`"kernel"`,
            `"bias"`, `"embedding"`, `"norm"`, `"other"`) of its parameters, or of each by name.

    Returns:
        One or two groups for any optimizer, named `"decay"` and `"no_decay"`, the second with a
        weight decay of 0. Empty groups are left out.

    Raises:
        ConfigurationError: `model` is not a module, or a role is unknown.
        StrengthError: a weight decay that is negative, infinite or NaN.
        StrengthTypeError: a weight decay that is not a number.
        SelectionError: no trainable parameter, a lazy module, or a `where` that matches nothing.
        RegimeError: a model under `FullyShardedDataParallel`, which flattens its parameters.

    Example:
        >>> import torch
        >>> import regularizers as rz
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.LayerNorm(8), nn.Linear(8, 2))
        >>> optimizer = torch.optim.AdamW(rz.weight_decay_groups(model, 0.1), lr=1e-3)
        >>> for group in optimizer.param_groups:
        ...     print(group["name"], group["weight_decay"], len(group["params"]))
        decay 0.1 2
        no_decay 0.0 4

    Source:
        I. Loshchilov, F. Hutter, Decoupled Weight Decay Regularization, 2019,
        `arXiv:1711.05101 <https://arxiv.org/abs/1711.05101>`__.
        T. van Laarhoven, L2 Regularization versus Batch and Weight Normalization, 2017,
        `arXiv:1706.05350 <https://arxiv.org/abs/1706.05350>`__.
    """
    if not isinstance(model, nn.Module):
        raise ConfigurationError(
            f"weight_decay_groups: expected a torch.nn.Module, got {type(model).__name__}"
        )
    decay = check_strength(weight_decay, "weight_decay")
    _check_not_flattened(model)
    roles_of: dict[int, set[Role]] = {}
    stated = StatedRoles(model, roles or {})
    for tensor, role in _optimized_tensors(parameters_within(model, stated), stated):
        roles_of.setdefault(id(tensor), set()).add(role)
    parameters = [p for p in model.parameters() if p.is_floating_point() or p.is_complex()]
    if not any(p.requires_grad for p in parameters):
        raise SelectionError(
            f"weight_decay_groups: {type(model).__name__} has no trainable parameter; "
            f"unfreeze its parameters first"
        )
    groups: dict[bool, list[nn.Parameter]] = {True: [], False: []}
    for parameter in parameters:
        decays = _decays(roles_of[id(parameter)], embeddings=embeddings)
        groups[decays and not getattr(parameter, "_no_weight_decay", False)].append(parameter)
    return [
        {"params": params, "weight_decay": decay if decays else 0.0, "name": name}
        for (decays, params), name in zip(groups.items(), ("decay", "no_decay"), strict=True)
        if params
    ]


def _decays(roles: set[Role], *, embeddings: bool) -> bool:
    return embeddings if "embedding" in roles else "kernel" in roles


def _optimized_tensors(
    parameters: Iterable[Parameter], stated: StatedRoles
) -> Iterator[tuple[Tensor | None, Role]]:
    """Yield the tensors that the optimizer updates for `parameters`, with their roles."""
    for parameter in parameters:
        if not parameter.parametrized:
            (tensor,) = parameter.sources
            yield tensor, "other" if _is_normalised_by_hook(parameter) else parameter.role
            continue
        parts = parameter.parametrization
        for name, original in parts._parameters.items():
            yield original, parameter.role if _scales_the_weight(name, parts) else "other"
        inner = [p for p in parameters_within(parts, stated) if p.owner is not parts]
        for tensor, role in _optimized_tensors(inner, stated):
            yield tensor, parameter.role if role in ("kernel", "embedding") else role


def _scales_the_weight(original: str, parts: parametrize.ParametrizationList) -> bool:
    """Return whether shrinking the tensor `original` shrinks the parametrized weight."""
    if any(isinstance(part, _FIXED_NORM) for part in parts):
        return False
    return not (isinstance(parts[0], parametrizations._WeightNorm) and original == "original1")


def _is_normalised_by_hook(parameter: Parameter) -> bool:
    """Return whether the hook of the older `weight_norm` or `spectral_norm` normalises it."""
    return any(
        (isinstance(hook, WeightNorm) and parameter.name == f"{hook.name}_v")
        or (isinstance(hook, SpectralNorm) and parameter.name == f"{hook.name}_orig")
        for hook in parameter.owner._forward_pre_hooks.values()
    )


def _check_not_flattened(model: nn.Module) -> None:
    if any(isinstance(module, FullyShardedDataParallel) for module in model.modules()):
        raise RegimeError(
            "weight_decay_groups: FullyShardedDataParallel flattens the parameters, which hides "
            "their roles; use torch.distributed.fsdp.fully_shard instead"
        )
