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
_CONTAINERS = (nn.ParameterList, nn.ParameterDict)

_BIASES = {"bias", "biases"}
_TABLES = {"emb", "pos", "position", "positional"}
_SCALES = {"scale", "gain"}


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
            return any(p.requires_grad for p in self.parametrization.parameters())
        parameter = self.owner._parameters.get(self.name)
        return parameter is not None and parameter.requires_grad

    @property
    def identity(self) -> int:
        """Equal for tied parameters, which count once."""
        source = self.parametrization if self.parametrized else getattr(self.owner, self.name)
        return id(source)

    @property
    def sources(self) -> tuple[Tensor | None, ...]:
        """The parameters it is or is computed from, as the module holds them now."""
        if self.parametrized:
            return tuple(self.parametrization.parameters())
        return (self.owner._parameters.get(self.name),)

    def read(self) -> Tensor:
        """Return the tensor as it is now, in the graph of what it is computed from."""
        return _read(self.owner, self.name)

    @property
    def parametrization(self) -> parametrize.ParametrizationList:
        """What computes the tensor and holds what it is computed from, if it is parametrized."""
        parametrizations = self.owner.parametrizations
        assert isinstance(parametrizations, nn.ModuleDict)
        computing = parametrizations[self.name]
        assert isinstance(computing, parametrize.ParametrizationList)
        return computing


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
    return list(parameters_within(model, Stated(model, roles or {})))


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
    if words & _SCALES or _is_of_state_space(holder, name) or _is_vector(_read(owner, key)):
        return "other", True
    return ("embedding" if "embed" in kind or words & _TABLES else "kernel"), True


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
