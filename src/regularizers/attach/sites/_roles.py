"""What a parameter is for, known by the module that owns it rather than by its name or shape."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import TypeAlias, get_args

from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils import parametrize

from regularizers.attach.sites._hook_weights import hook_weights
from regularizers.attach.sites._parameter import Parameter, Role, read_parametrized
from regularizers.errors import ConfigurationError, SelectionError
from regularizers.modules import Where, described, is_matched_by, printable

Roles: TypeAlias = Mapping[Where, Role | Mapping[str, Role]]
"""Roles stated by the user: a `where`, and the role of all its parameters or of each by name."""

_ROLES: tuple[Role, ...] = get_args(Role)

_NORMS = (
    nn.modules.batchnorm._NormBase,
    nn.LayerNorm,
    nn.GroupNorm,
    nn.RMSNorm,
)
_EMBEDDINGS = (nn.Embedding, nn.EmbeddingBag)
_KERNELS = (
    nn.Linear,
    nn.Bilinear,
    nn.modules.conv._ConvNd,
    nn.modules.rnn.RNNBase,
    nn.modules.rnn.RNNCellBase,
    nn.MultiheadAttention,
)
_CONTAINERS = (nn.ParameterList, nn.ParameterDict)

_BIASES = {"bias", "biases"}
_TABLES = {"emb", "pos", "position", "positional"}
_SCALES = {"scale", "gain"}


def parameters_of(model: nn.Module, roles: Roles | None = None) -> list[Parameter]:
    """Return every tensor of weights of `model` with its role, at each place it appears.

    Args:
        model: the model.
        roles: what the user knows better, as in `Regularization`.

    Raises:
        ConfigurationError: a role that is none.
        SelectionError: a `where` in `roles` that matches nothing, or a lazy module.
    """
    found: dict[tuple[str, str], Parameter] = {}
    for parameter in parameters_within(model, Stated(model, roles or {})):
        read = _as_it_is_read(parameter)
        found.setdefault((read.owner_name, read.name), read)
    return list(found.values())


def _as_it_is_read(parameter: Parameter) -> Parameter:
    """Return in the place of what a hook computes a weight from the weight itself."""
    for weight in hook_weights(parameter.owner):
        if parameter.name in weight.sources:
            return dataclasses.replace(parameter, name=weight.name)
    return parameter


def parameters_within(model: nn.Module, stated: Stated) -> Iterator[Parameter]:
    """Yield what `parameters_of` returns, of the model for which roles are `stated` or a part."""
    modules: dict[str, nn.Module] = {}
    computing: set[str] = set()
    for name, module in model.named_modules(remove_duplicate=False):
        modules[name] = module
        if name in computing or name.rpartition(".")[0] in computing:
            computing.add(name)  # what computes a parametrized tensor is counted with the tensor
            continue
        prefix = f"{name}." if name else ""
        computing |= {f"{prefix}parametrizations.{one}" for one in _computed_names(module)}
        for tensor_name in _tensor_names(module):
            role, assumed = _role_of(*_holder(modules, name, tensor_name), module, tensor_name)
            stated_role = stated.role(module, tensor_name)
            if stated_role is not None:
                role, assumed = stated_role, False
            yield Parameter(module, name, tensor_name, role, assumed)


def _holder(modules: dict[str, nn.Module], name: str, tensor: str) -> tuple[nn.Module, str]:
    """Return whose a tensor is, and its name there: a list of parameters is its owner's."""
    while isinstance(modules[name], _CONTAINERS) and name:
        name, _, attribute = name.rpartition(".")
        tensor = f"{attribute}_{tensor}"
    return modules[name], tensor


def _tensor_names(module: nn.Module) -> Iterator[str]:
    for name, parameter in module._parameters.items():
        if isinstance(parameter, UninitializedParameter):
            raise SelectionError(
                f"{type(module).__name__} has a parameter {name!r} that is not initialised; "
                f"run one batch through the model before regularizing it"
            )
        if parameter is not None:
            yield name
    yield from _computed_names(module)


def _computed_names(module: nn.Module) -> list[str]:
    if not parametrize.is_parametrized(module):
        return []
    items = module.parametrizations.items()  # type: ignore[union-attr, operator]
    return [name for name, part in items if isinstance(part, parametrize.ParametrizationList)]


def _role_of(holder: nn.Module, name: str, owner: nn.Module, key: str) -> tuple[Role, bool]:
    """Return the role of a parameter, and whether it had to be assumed.

    The holder and the name of the parameter in it say what it is for; its value is read from its
    owner, which is another module if that is only a list of parameters.
    """
    words = set(name.split("_"))
    is_bias = bool(words & _BIASES) or name.startswith("bias")
    if isinstance(holder, _NORMS):
        return "norm", False
    if isinstance(holder, _EMBEDDINGS):
        return "embedding", False
    if isinstance(holder, _KERNELS):
        if is_bias:
            return "bias", False
        if "weight" in name:
            return "kernel", False
    if isinstance(holder, nn.PReLU):
        return "other", False
    kind = type(holder).__name__.lower()
    if "norm" in kind:
        return "norm", True
    if is_bias:
        return "bias", True
    if "embed" in name or "token" in name or name.endswith("emb"):
        return "embedding", True
    if words & _SCALES or _is_of_state_space(holder, name) or _is_vector(_value(owner, key)):
        return "other", True
    return ("embedding" if "embed" in kind or words & _TABLES else "kernel"), True


def _value(owner: nn.Module, name: str) -> Tensor:
    value: Tensor = owner._parameters.get(name)  # type: ignore[assignment]
    return read_parametrized(owner, name) if value is None else value


def _is_of_state_space(holder: nn.Module, name: str) -> bool:
    """Return whether it is the diagonal dynamics or the skip of a state space model (Mamba)."""
    return name in ("A_log", "D") and "A_log" in holder._parameters


def _is_vector(tensor: Tensor) -> bool:
    """Return whether it is a vector, or one with axes of length one to broadcast along.

    A matrix of one row or column is no vector: it maps to or from a single unit.
    """
    return tensor.ndim < 2 or (tensor.ndim > 2 and tensor.numel() == max(tensor.shape))


class Stated:
    """The roles the user stated, looked up by module and parameter."""

    def __init__(self, model: nn.Module, roles: Roles) -> None:
        self._model = model
        self._roles = roles
        self._names: dict[nn.Module, list[str]] = {}
        for name, module in model.named_modules(remove_duplicate=False):
            self._names.setdefault(module, []).append(name)
        for where, role in roles.items():
            for one in role.values() if isinstance(role, Mapping) else [role]:
                if one not in _ROLES:
                    raise ConfigurationError(
                        f"roles: expected one of {', '.join(map(repr, _ROLES))}, got {one!r}"
                    )
            matched = [module for module in self._names if self._is_meant(where, module)]
            if not matched:
                raise SelectionError(
                    f"roles: {described(where)} matches no module of {printable('', model)}"
                )
            known = {name for module in matched for name in _tensor_names(module)}
            for name in role if isinstance(role, Mapping) else ():
                if name not in known:
                    raise SelectionError(
                        f"roles: {described(where)} has no parameter {name!r}, only "
                        f"{', '.join(sorted(known)) or 'none'}"
                    )

    def role(self, module: nn.Module, parameter: str) -> Role | None:
        for where, role in self._roles.items():
            if self._is_meant(where, module):
                if not isinstance(role, Mapping):
                    return role
                if parameter in role:
                    return role[parameter]
        return None

    def _is_meant(self, where: Where, module: nn.Module) -> bool:
        return any(is_matched_by(where, module, name) for name in self._names[module])
