"""Whether a metric can say anything at the output of a module, judged by the module's type."""

from __future__ import annotations

import math
import warnings
from collections.abc import Iterable, Sequence

from torch import nn

from regularizers.modules import printable
from regularizers.monitor.metrics import (
    ActiveUnits,
    DeadUnits,
    DensityHistogram,
    Saturation,
    Streaming,
)

_LIKE_TANH = (nn.Tanh, nn.Softsign, nn.LSTM, nn.GRU)
_LIKE_SIGMOID = (nn.Sigmoid, nn.Softmax)
_SMOOTH = (nn.GELU, nn.SiLU, nn.Mish, nn.Softplus, nn.ELU, nn.SELU, nn.CELU, nn.LogSigmoid)
_NEVER_ZERO = (*_LIKE_TANH, *_LIKE_SIGMOID, *_SMOOTH, nn.LogSoftmax)
_WITHOUT_ENDS = (*_SMOOTH, nn.ReLU, nn.LeakyReLU, nn.PReLU, nn.LogSoftmax)


def misfit(metric: Streaming, module: nn.Module) -> str | None:
    """Return why `metric` says nothing at the output of `module`, and the cure; None if it does.

    Only types that PyTorch defines are judged, and no value is read.
    """
    kind, name = type(module), type(module).__name__
    if isinstance(metric, (ActiveUnits, DeadUnits, DensityHistogram)):
        if metric.threshold == 0 and kind in _NEVER_ZERO:
            return (
                f"{type(metric).__name__} counts zeros, and the output of {name} is hardly ever "
                f"exactly 0; say {type(metric).__name__}(threshold=...){_or_saturation(kind)}"
            )
    elif isinstance(metric, Saturation):
        made_for = _made_for(metric)
        others = _LIKE_SIGMOID if made_for == "tanh" else _LIKE_TANH
        if made_for and kind in (*others, *_WITHOUT_ENDS):
            return (
                f"{metric!r} is where {made_for} is flat, and the output of {name} has other ends"
                f"{_or_saturation(kind).replace(', or', '; say') or '; leave it out'}"
            )
    return None


def warn_of_misfits(
    metrics: Sequence[Streaming], sites: Iterable[tuple[str, nn.Module]], stacklevel: int
) -> None:
    """Warn once of the metrics that say nothing at one of the sites."""
    found = [
        (printable(name), reason)
        for name, module in sites
        for metric in metrics
        if (reason := misfit(metric, module)) is not None
    ]
    if found:
        site, reason = found[0]
        more = f" (and {len(found) - 1} more of this kind)" if len(found) > 1 else ""
        warnings.warn(f"Monitor: {site}: {reason}{more}", stacklevel=stacklevel)


def _or_saturation(kind: type[nn.Module]) -> str:
    if kind in _LIKE_TANH:
        return ", or Saturation.of_tanh()"
    return ", or Saturation.of_sigmoid()" if kind in _LIKE_SIGMOID else ""


def _made_for(metric: Saturation) -> str | None:
    """Return which function has its flat ends where `metric` has its edges, if any."""
    if not (math.isfinite(metric.low) and math.isfinite(metric.high)):
        return None
    if metric.low == -metric.high and metric.high < 1:
        return "tanh"
    is_sigmoid = math.isclose(metric.low + metric.high, 1) and metric.low > 0
    return "sigmoid" if is_sigmoid else None
