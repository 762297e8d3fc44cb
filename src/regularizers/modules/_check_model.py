"""Whether something is a model that hooks can read."""

from __future__ import annotations

from torch import nn

from regularizers.errors import ConfigurationError, RegimeError


def check_model(model: object, name: str, loss: str) -> None:
    """Raise unless `model` is a module whose forwards run where its hooks are.

    Args:
        model: what the user gave.
        name: the class it was given to.
        loss: what goes wrong where copies of the model run, for the message.

    Raises:
        ConfigurationError: it is no module.
        RegimeError: it holds an `nn.DataParallel`.

    Example:
        >>> from regularizers.modules import check_model
        >>> check_model("encoder", "Monitor", "whose readings arrive in no order")
        Traceback (most recent call last):
        regularizers.errors.ConfigurationError: Monitor: expected a torch.nn.Module, got str
    """
    if not isinstance(model, nn.Module):
        raise ConfigurationError(f"{name}: expected a torch.nn.Module, got {type(model).__name__}")
    if any(isinstance(module, nn.DataParallel) for module in model.modules()):
        raise RegimeError(
            f"{name}: nn.DataParallel runs copies of the model, {loss}; use "
            f"torch.nn.parallel.DistributedDataParallel"
        )
