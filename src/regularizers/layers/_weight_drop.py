"""Dropout of the weights of a module."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils import parametrize

from regularizers.errors import ConfigurationError, RegimeError, SelectionError
from regularizers.layers._noise import RatedNoise
from regularizers.layers._substitution import WeightSlot, substituted
from regularizers.layers._unwrapped_state_dict import accept_unwrapped_state_dict

_MAX_NAMES = 12


class WeightDrop(RatedNoise):
    r"""Calls a module with a share of the named weights set to zero, drawn anew for each forward.

    .. math:: y = f\left(x;\ \frac{m}{1 - r} \odot W\right), \qquad
        m_{ij} \sim \mathrm{Bernoulli}(1 - r)

    In a recurrent layer the same weights are dropped at every time step: for the weights from
    hidden state to hidden state it is the weight-dropped LSTM. In evaluation it is the module.

    The module keeps its parameters and their names, and only they are trained: the dropped weights
    exist only in the forward. A penalty of the kernels therefore reads the raw weights, and a rule
    finds the module as `"rnn.module"`. The layer saves `"module.weight_hh_l0"`, as in
    `named_parameters`, and also loads a state dict of the module alone. On a GPU the weights of a
    recurrent layer stay in the one chunk of memory that cuDNN needs.

    Args:
        module: any module; the layer passes its arguments on to it.
        weights: the names of its parameters to drop, such as `["weight_hh_l0"]`; dotted names for
            parameters of its submodules.
        rate: r, the fraction of each weight's elements that is dropped, in [0, 1).
        p: PyTorch's name for the rate; one of the two is given.

    Shape:
        Inputs and outputs are those of the module.

    Raises:
        ConfigurationError: a rate outside [0, 1); both a rate and p; no names; a weight that is not
            a parameter, is parametrized, or is not initialised yet.
        SelectionError: a name that the module does not have.
        RegimeError: a replica of `nn.DataParallel`; a sharded weight; in the forward, weights that
            something else exchanged.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> from torch import nn
        >>> rnn = rz.layers.WeightDrop(nn.LSTM(3, 4), ["weight_hh_l0"], 0.5)
        >>> states, (hidden, cell) = rnn(torch.randn(5, 2, 3))
        >>> states.sum().backward()
        >>> bool((rnn.module.weight_hh_l0.grad == 0).any())
        True
        >>> [name for name, _ in rnn.named_parameters()][:2]
        ['module.weight_ih_l0', 'module.weight_hh_l0']

    Source: Wan et al., "Regularization of neural networks using DropConnect", 2013; Merity, Keskar,
    Socher, "Regularizing and optimizing LSTM language models", 2017,
    `arXiv:1708.02182 <https://arxiv.org/abs/1708.02182>`__.
    """

    def __init__(
        self,
        module: nn.Module,
        weights: Sequence[str],
        rate: float | None = None,
        *,
        p: float | None = None,
    ) -> None:
        super().__init__(rate, p=p)
        _check_names(weights)
        self.module = module
        self.weights = tuple(weights)
        self._weight_slots()
        accept_unwrapped_state_dict(self)

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the module, in training with the named weights dropped."""
        if not self.draws:
            return self.module(*args, **kwargs)
        with substituted({slot: self.noised(slot.read()) for slot in self._weight_slots()}):
            return self.module(*args, **kwargs)

    def noise(self, x: Tensor) -> Tensor:
        return self.mask(x, x.shape)

    def _weight_slots(self) -> list[WeightSlot]:
        # looked up each time: a submodule may have been replaced or parametrized since
        if getattr(self.module, "_is_replica", False):
            raise RegimeError(
                "WeightDrop: the replicas of nn.DataParallel have no parameters; use "
                "torch.nn.parallel.DistributedDataParallel"
            )
        slots = [_weight_slot(self.module, name) for name in self.weights]
        if len(set(slots)) < len(slots):
            raise ConfigurationError(f"WeightDrop: a weight is named twice in {[*self.weights]}")
        return slots

    def extra_repr(self) -> str:
        """Return the settings, as the module's text shows them."""
        return f"weights={[*self.weights]}, {super().extra_repr()}"


def _check_names(weights: object) -> None:
    """Raise unless `weights` is a list of names that is not empty."""
    names = isinstance(weights, (list, tuple)) and all(isinstance(name, str) for name in weights)
    if not (names and weights):
        raise ConfigurationError(
            f"WeightDrop: expected a list of names of weights such as ['weight_hh_l0'], "
            f"got {weights!r}"
        )


def _weight_slot(module: nn.Module, name: str) -> WeightSlot:
    """Return the slot of the parameter `name` of `module`; raise unless it can be dropped."""
    path, _, last = name.rpartition(".")
    module_type = type(module).__name__
    owner = dict(module.named_modules(remove_duplicate=False)).get(path)
    if owner is None:
        raise SelectionError(_unknown(module, name))
    if isinstance(owner, torch.jit.ScriptModule):
        raise ConfigurationError(
            f"WeightDrop: {name!r} of {module_type} is kept by TorchScript, where it cannot be "
            f"exchanged; wrap the module before torch.jit.script"
        )
    if parametrize.is_parametrized(owner) and (
        parametrize.is_parametrized(owner, last) or isinstance(owner, nn.RNNBase)
    ):
        # a parametrized recurrent layer computes all its weights in its forward
        raise ConfigurationError(
            f"WeightDrop: {name!r} of {module_type} cannot be dropped, because a parametrization "
            f"computes weights of {type(owner).__name__} when they are read; "
            f"use torch.nn.utils.parametrize.remove_parametrizations first"
        )
    parameter = owner._parameters.get(last)
    if isinstance(parameter, UninitializedParameter):
        raise ConfigurationError(
            f"WeightDrop: {name!r} of {module_type} is not initialised; run one batch through "
            f"the module before wrapping it"
        )
    if hasattr(parameter, "device_mesh"):
        raise RegimeError(
            f"WeightDrop: {name!r} of {module_type} is sharded, as a DTensor; apply fully_shard "
            f"to the WeightDrop or a module around it, and not to the module in it"
        )
    if parameter is not None:
        return WeightSlot(owner, last)
    if getattr(owner, last, None) is None:
        raise SelectionError(_unknown(module, name))
    raise ConfigurationError(
        f"WeightDrop: expected a parameter of {module_type}, got {name!r}, which is of type "
        f"{type(getattr(owner, last)).__name__} and no parameter; {_parameter_names(module)}"
    )


def _unknown(module: nn.Module, name: str) -> str:
    return f"WeightDrop: {type(module).__name__} has no {name!r}; {_parameter_names(module)}"


def _parameter_names(module: nn.Module) -> str:
    names = [name for name, _ in module.named_parameters(remove_duplicate=False)]
    more = f" and {len(names) - _MAX_NAMES} more" if len(names) > _MAX_NAMES else ""
    return f"its parameters are {', '.join(names[:_MAX_NAMES]) or 'none'}{more}"
