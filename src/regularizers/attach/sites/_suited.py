"""Warns at attachment of penalties that make little sense at the type of their module."""

from __future__ import annotations

import warnings
from collections.abc import Iterable

from torch import nn

from regularizers.attach.sites._site import ActivitySite
from regularizers.control import TargetActive
from regularizers.errors import ConfigurationError
from regularizers.penalties import ConfidencePenalty, Difference, Entropy, Formula, KLSparsity

_UNBOUNDED = (
    nn.CELU,
    nn.ELU,
    nn.GELU,
    nn.LeakyReLU,
    nn.LogSigmoid,
    nn.LogSoftmax,
    nn.Mish,
    nn.PReLU,
    nn.RReLU,
    nn.SELU,
    nn.SiLU,
    nn.Softsign,
    nn.Tanh,
    nn.Tanhshrink,
)
"""Nonlinearities with negative outputs, which are hardly ever exactly 0."""

_HARDLY_ZERO = (
    *_UNBOUNDED,
    nn.Linear,
    nn.Bilinear,
    *(nn.Conv1d, nn.Conv2d, nn.Conv3d),
    *(nn.ConvTranspose1d, nn.ConvTranspose2d, nn.ConvTranspose3d),
    *(nn.BatchNorm1d, nn.BatchNorm2d, nn.BatchNorm3d, nn.GroupNorm, nn.LayerNorm, nn.RMSNorm),
    *(nn.LSTM, nn.GRU, nn.LSTMCell, nn.GRUCell, nn.MultiheadAttention),
    *(nn.TransformerEncoderLayer, nn.TransformerDecoderLayer),
)
_NO_FRACTION = (
    *_UNBOUNDED,
    *(nn.Hardshrink, nn.Hardswish, nn.Hardtanh, nn.ReLU, nn.ReLU6, nn.Softplus, nn.Softshrink),
)
"""Nonlinearities whose outputs do not lie between 0 and 1, so their mean is no probability."""


def check_suited(sites: Iterable[ActivitySite]) -> None:
    """Warn of penalties that make little sense at their module; raise where they are wrong.

    Modules are judged by type. Subclasses with a forward of their own, and outputs that a select
    function transforms, are not judged.

    Raises:
        ConfigurationError: a difference in time at a recurrent cell; a count of gates at a module
            that is none.
    """
    for site in sites:
        for entry in site.entries:
            _check_time(site, entry.term)
            _check_gate(site, entry.term)
            if not callable(site.rule.select):
                _check_zeros(site, entry.term)
                _check_fractions(site, entry.term)
                _check_logits(site, entry.term)


def _check_time(site: ActivitySite, term: Formula) -> None:
    if isinstance(term, Difference) and isinstance(site.module, nn.RNNCellBase):
        raise ConfigurationError(
            f"{site.name}: {type(site.module).__name__} returns one time step, with axes for "
            f"samples and units and none for time; use nn.LSTM, nn.GRU or nn.RNN, "
            f"or stack the states and pass them through a module:\n"
            f"    self.states = nn.Identity()  # in the model's __init__\n"
            f"    states = self.states(torch.stack(each_state, dim=1))  # in its forward\n"
            f'    tar(1.0, where="states", time_axis=1)  # the rule'
        )


def _check_gate(site: ActivitySite, term: Formula) -> None:
    if term.for_gates_only and not hasattr(site.module, "pseudo_gradient_window"):
        raise ConfigurationError(
            f"{site.name}: {term!r} counts the open gates of a module that returns 0 or 1 and "
            f"states where its gradient is not 0, pseudo_gradient_window(z); a "
            f"{type(site.module).__name__} states none, and a slope of 1 everywhere would be wrong "
            f"for it; name the gate, as in where='coding.gate' for layers.JumpReLU, or use L1"
        )


def _check_zeros(site: ActivitySite, term: Formula) -> None:
    target, module = term.strength, type(site.module).__name__
    counts_zeros = isinstance(target, TargetActive) and target.threshold == 0
    is_tanh_rnn = _is_plain(site.module, (nn.RNN, nn.RNNCell)) and (
        site.module.nonlinearity == "tanh"
    )
    if counts_zeros and (is_tanh_rnn or _is_plain(site.module, _HARDLY_ZERO)):
        _warn(
            f"{site.name}: {target!r} counts values that are not exactly 0, but the output of a "
            f"{module} hardly ever is 0, so every unit will count as active; use a ReLU, "
            f"TargetActive(..., threshold=0.1), or TargetMean"
        )


def _check_fractions(site: ActivitySite, term: Formula) -> None:
    if isinstance(term, KLSparsity) and _is_plain(site.module, _NO_FRACTION):
        _warn(
            f"{site.name}: KLSparsity compares mean activations with a probability, "
            f"{term.target:g}, and the output of a {type(site.module).__name__} does not lie "
            f"between 0 and 1; use a Sigmoid, or L1 for sparse activations"
        )


def _check_logits(site: ActivitySite, term: Formula) -> None:
    if isinstance(term, (Entropy, ConfidencePenalty)) and _is_plain(site.module, (nn.Softmax,)):
        _warn(
            f"{site.name}: {type(term).__name__} is of logits, and the output of a Softmax is "
            f"probabilities, of which it would take a softmax again; penalise the module before it"
        )


def _is_plain(module: nn.Module, types: tuple[type[nn.Module], ...]) -> bool:
    """Return whether a module has one of these types, and the forward of PyTorch."""
    own = getattr(type(module).forward, "__module__", "")
    return isinstance(module, types) and own.startswith("torch.nn.")


def _warn(message: str) -> None:
    warnings.warn(message, stacklevel=5)
