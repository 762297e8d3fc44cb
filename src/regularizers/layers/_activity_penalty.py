"""A layer for `nn.Sequential` at which an activity is penalised."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from regularizers.errors import ConfigurationError
from regularizers.modules import warn_if_unread
from regularizers.penalties import Penalty


class ActivityPenalty(nn.Module):
    """The identity; `Regularization(model)` penalises the activity at it, as in Keras.

    By itself it computes nothing: the penalty enters the loss through `Regularization`. If no
    Regularization has read the layer, the first backward pass through it warns.

    Args:
        penalty: the penalty of the activity; its reduction is `"batch_mean"` unless it states one.

    Shape:
        The output is the input.

    Raises:
        ConfigurationError: `penalty` is not a penalty.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), rz.layers.ActivityPenalty(rz.L1(0.1)))
        >>> reg = rz.Regularization(model)
        >>> coding = model(torch.randn(16, 8))
        >>> torch.isclose(reg.penalty(), 0.1 * coding.sum(dim=1).mean()).item()
        True
    """

    def __init__(self, penalty: Penalty) -> None:
        super().__init__()
        if not isinstance(penalty, Penalty):
            raise ConfigurationError(
                f"ActivityPenalty: expected a penalty such as L1(1e-3), got {penalty!r} "
                f"of type {type(penalty).__name__}"
            )
        self.penalty = penalty

    def forward(self, x: Tensor) -> Tensor:
        """Return `x` itself."""
        if not torch.jit.is_scripting():  # type: ignore[attr-defined]
            warn_if_unread(self, x)
        return x

    def extra_repr(self) -> str:
        """Return the penalty, as the module's text shows it."""
        return repr(self.penalty)
