"""What a parameter is for, known by the module that owns it rather than by its name or shape."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils import parametrize

from regularizers.attach._names import Where, described, printable
from regularizers.attach._select import is_matched_by
from regularizers.errors import ConfigurationError, SelectionError

Role: TypeAlias = Literal["kernel", "bias", "embedding", "norm", "other"]
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


@dataclass(frozen=True)
class Parameter:
    """One tensor of weights at its place in the model."""

    owner: nn.Module
    owner_name: str
    name: str
    role: Role
    assumed: bool

    @property
    def full_name(self) -> str:
        """The name as in `named_parameters`; of a parametrized tensor, the name it is read by."""
        return f"{self.owner_name}.{self.name}" if self.owner_name else self.name

    @property
    def parametrized(self) -> bool:
        """Whether the tensor is computed from other parameters."""
        return parametrize.is_parametrized(self.owner, self.name)

    @property
    def trainable(self) -> bool:
        """Whether the optimizer can change it: frozen weights are not penalised."""
        if self.parametrized:
            return any(p.requires_grad for p in self._parametrization.parameters())
        parameter = self.owner._parameters.get(self.name)
        return parameter is not None and parameter.requires_grad

    @property
    def identity(self) -> int:
        """Equal for tied parameters, which count once."""
        source = self._parametrization if self.parametrized else getattr(self.owner, self.name)
        return id(source)

    @property
    def sources(self) -> tuple[Tensor | None, ...]:
        """The parameters it is or is computed from, as the module holds them now."""
        if self.parametrized:
            return tuple(self._parametrization.parameters())
        return (self.owner._parameters.get(self.name),)

    def read(self) -> Tensor:
        """Return the tensor as it is now, in the graph of what it is computed from."""
        return _read(self.owner, self.name)

    @property
    def _parametrization(self) -> nn.Module:
        parametrizations = self.owner.parametrizations
        assert isinstance(parametrizations, nn.ModuleDict)
        return parametrizations[self.name]


def _read(owner: nn.Module, name: str) -> Tensor:
    if not parametrize.is_parametrized(owner, name):
        tensor: Tensor = getattr(owner, name)
        return tensor
    # as in evaluation, so that reading moves no state (spectral norm) and draws no noise
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


def parameters_of(model: nn.Module, roles: Roles | None = None) -> list[Parameter]:
    """Return every tensor of weights of `model` with its role, at each place it appears.

    Args:
        model: the model.
        roles: what the user knows better, as in `Regularization`.

    Raises:
        ConfigurationError: a role that is none.
        SelectionError: a `where` in `roles` that matches nothing, or a lazy module.
    """
    found = []
    stated = _Stated(model, roles or {})
    for name, module in model.named_modules(remove_duplicate=False):
        if _is_inside_parametrization(name):
            continue
        for tensor_name in _tensor_names(module):
            role, assumed = _role_of(module, tensor_name)
            stated_role = stated.role(module, tensor_name)
            if stated_role is not None:
                role, assumed = stated_role, False
            found.append(Parameter(module, name, tensor_name, role, assumed))
    return found


def _is_inside_parametrization(name: str) -> bool:
    return "parametrizations" in name.split(".")


def _tensor_names(module: nn.Module) -> Iterator[str]:
    for name, parameter in module._parameters.items():
        if isinstance(parameter, UninitializedParameter):
            raise SelectionError(
                f"{type(module).__name__} has a parameter {name!r} that is not initialised; "
                f"run one batch through the model before regularizing it"
            )
        if parameter is not None:
            yield name
    if parametrize.is_parametrized(module):
        yield from module.parametrizations  # type: ignore[misc]


def _role_of(module: nn.Module, name: str) -> tuple[Role, bool]:
    """Return the role of a parameter, and whether it had to be assumed."""
    is_bias = name.startswith("bias") or name.endswith("_bias")
    if isinstance(module, _NORMS):
        return "norm", False
    if isinstance(module, _EMBEDDINGS):
        return "embedding", False
    if isinstance(module, _KERNELS):
        if is_bias:
            return "bias", False
        if "weight" in name:
            return "kernel", False
    if isinstance(module, nn.PReLU):
        return "other", False
    kind = type(module).__name__.lower()
    if "norm" in kind:
        return "norm", True
    if "embed" in kind or "embed" in name or "token" in name:
        return "embedding", True
    if is_bias:
        return "bias", True
    return ("kernel" if _read(module, name).ndim >= 2 else "other"), True


class _Stated:
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
