"""The roles of parameters, decided by the owning module rather than by name or shape."""

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
"""Roles stated by the user: maps a `where` to the role of all its parameters, or by name."""

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
    """Return every weight tensor of `model` with its role; a tied one once for each module.

    Args:
        model: the model.
        roles: the roles that the user states, as in `Regularization`.

    Raises:
        ConfigurationError: an unknown role.
        SelectionError: a `where` in `roles` that matches nothing, or a lazy module.
    """
    found: dict[tuple[str, str], Parameter] = {}
    for parameter in parameters_within(model, StatedRoles(model, roles or {})):
        read = _as_read_by_forward(parameter)
        found.setdefault((read.owner_name, read.name), read)
    return list(found.values())


def _as_read_by_forward(parameter: Parameter) -> Parameter:
    """Return the weight that a known hook computes from `parameter`, else `parameter`."""
    for weight in hook_weights(parameter.owner):
        if parameter.name in weight.sources:
            return dataclasses.replace(parameter, name=weight.name)
    return parameter


def parameters_within(model: nn.Module, stated: StatedRoles) -> Iterator[Parameter]:
    """Yield the parameters of a model, or of a part of the model that `stated` was made for."""
    modules: dict[str, nn.Module] = {}
    computing: set[str] = set()
    for name, module in model.named_modules(remove_duplicate=False):
        modules[name] = module
        if name in computing or name.rpartition(".")[0] in computing:
            computing.add(name)  # the parametrized tensor stands for the modules that compute it
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
    """Return owning module and parameter name, looking through ParameterList and ParameterDict."""
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
    """Return the role of a parameter, and whether it is only assumed.

    The holder and the name in it decide the role. The value is read from the owner, which differs
    from the holder if it is a ParameterList or ParameterDict.
    """
    name = name.rpartition("/")[2]  # Keras names its variables by their path in the model
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
    type_name = type(holder).__name__.lower()
    if "norm" in type_name:
        return "norm", True
    if is_bias:
        return "bias", True
    if "embed" in name or "token" in name or name.endswith("emb"):
        return "embedding", True
    if words & _SCALES or _is_of_state_space(holder, name) or _is_vector(_value(owner, key)):
        return "other", True
    return ("embedding" if "embed" in type_name or words & _TABLES else "kernel"), True


def _value(owner: nn.Module, name: str) -> Tensor:
    value: Tensor = owner._parameters.get(name)  # type: ignore[assignment]
    return read_parametrized(owner, name) if value is None else value


def _is_of_state_space(holder: nn.Module, name: str) -> bool:
    """Return whether it is the diagonal state matrix or the skip term of Mamba."""
    return name in ("A_log", "D") and "A_log" in holder._parameters


def _is_vector(tensor: Tensor) -> bool:
    """Return whether it is a vector, possibly with axes of length one for broadcasting.

    A matrix of one row or column is not a vector: it maps to or from a single unit.
    """
    return tensor.ndim < 2 or (tensor.ndim > 2 and tensor.numel() == max(tensor.shape))


def _cure(model: nn.Module, where: Where, role: Role | Mapping[str, Role]) -> str:
    """Return how to state the role of a parameter, if `where` is the name of one."""
    if not isinstance(where, str) or isinstance(role, Mapping):
        return ""
    prefix, _, name = where.rpartition(".")
    for owner_name, owner in model.named_modules():
        if owner_name == prefix and name in _tensor_names(owner):
            key = repr(prefix) if prefix else type(owner).__name__
            return f"; for a parameter write roles={{{key}: {{{name!r}: {role!r}}}}}"
    return ""


class StatedRoles:
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
            matched = [module for module in self._names if self._is_selected(where, module)]
            if not matched:
                raise SelectionError(
                    f"roles: {described(where)} matches no module of {printable('', model)}"
                    f"{_cure(model, where, role)}"
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
            if self._is_selected(where, module):
                if not isinstance(role, Mapping):
                    return role
                if parameter in role:
                    return role[parameter]
        return None

    def _is_selected(self, where: Where, module: nn.Module) -> bool:
        return any(is_matched_by(where, module, name) for name in self._names[module])
