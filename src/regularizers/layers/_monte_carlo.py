"""Dropout in evaluation, for predictions with an estimate of their uncertainty."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn

from regularizers.errors import ConfigurationError, SelectionError
from regularizers.layers._noise import NoiseLayer

DROPOUTS = (
    *(nn.Dropout, nn.Dropout1d, nn.Dropout2d, nn.Dropout3d),
    *(nn.AlphaDropout, nn.FeatureAlphaDropout),
)
# Its fast path in evaluation skips its dropout; it uses its mode for nothing else.
FAST_PATH_SKIPS_DROPOUT = nn.TransformerEncoderLayer


@contextmanager
def monte_carlo_dropout(
    model: nn.Module, *, types: type[nn.Module] | tuple[type[nn.Module], ...] = ()
) -> Iterator[nn.Module]:
    r"""Evaluate a model with its dropout active: each forward is a draw from the predictions.

    .. math:: \mathrm E[y] \approx \frac 1T \sum_t f(x; m_t), \qquad m_t \text{ drawn anew}

    Inside the context every dropout is in training mode and every other module in evaluation, so
    that batch normalization uses its running statistics and does not update them. On exit, also
    after an exception, each module gets its mode back.

    A dropout is: PyTorch's dropout modules, this library's noise layers, `nn.LSTM`, `nn.GRU`,
    `nn.RNN` and `nn.MultiheadAttention` with dropout of their own, and the classes in `types`. An
    `nn.TransformerEncoderLayer` is in training mode too, because its fast path in evaluation skips
    its dropout. Dropout that is called as a function cannot be found: put the class that calls it
    into `types`.

    The context does not disable gradients; for predictions add `torch.no_grad()`.

    Args:
        model: the model; its root may be a dropout itself.
        types: further classes that drop in training mode, such as another library's. Only these
            modules change their mode, not their submodules.

    Returns:
        A context manager that gives the model.

    Raises:
        SelectionError: a model without any dropout, or with rates of 0 only.
        ConfigurationError: `types` are not module classes.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5))
        >>> with rz.layers.monte_carlo_dropout(model), torch.no_grad():
        ...     draws = torch.stack([model(torch.ones(1, 4)) for _ in range(100)])
        >>> draws.mean(dim=0).shape, bool((draws.std(dim=0) > 0).all())
        (torch.Size([1, 8]), True)

    Source: Gal, Ghahramani, "Dropout as a Bayesian approximation", 2016,
    `arXiv:1506.02142 <https://arxiv.org/abs/1506.02142>`__.
    """
    active = _active(model, _as_types(types))
    # set directly: a module's train() and eval() may do more than change its mode
    modes = {module: module.training for module in model.modules()}
    try:
        for module in modes:
            module.training = module in active
        yield model
    finally:
        for module, mode in modes.items():
            module.training = mode


def _active(model: nn.Module, types: tuple[type[nn.Module], ...]) -> set[nn.Module]:
    """Return the modules to put in training mode; raise if nothing would be dropped."""
    dropouts = {module for module in model.modules() if _drops(module, types)}
    if not dropouts:
        raise SelectionError(_no_dropout_message(model))
    return dropouts | {
        module for module in model.modules() if isinstance(module, FAST_PATH_SKIPS_DROPOUT)
    }


def _drops(module: nn.Module, types: tuple[type[nn.Module], ...]) -> bool:
    """Return whether `module` drops anything in training mode."""
    if isinstance(module, types):
        return True
    if isinstance(module, DROPOUTS):
        return module.p > 0
    if isinstance(module, NoiseLayer):
        return module.is_noisy
    if isinstance(module, nn.RNNBase):
        return module.dropout > 0 and module.num_layers > 1  # it drops between its layers
    return isinstance(module, nn.MultiheadAttention) and module.dropout > 0


def _no_dropout_message(model: nn.Module) -> str:
    """Return the message for a model without active dropout."""
    known = {type(m).__name__: isinstance(m, (*DROPOUTS, NoiseLayer)) for m in model.modules()}
    similar = sorted(name for name in known if "drop" in name.lower() or "depth" in name.lower())
    zero = [name for name in similar if known[name]]
    unknown = [name for name in similar if not known[name]]
    message = (
        f"monte_carlo_dropout: expected a model with dropout of a rate above 0, "
        f"got {type(model).__name__} without any"
    )
    if zero:
        message += f" (the rate of each {', '.join(zero)} is 0)"
    if unknown:
        return f"{message}; if {', '.join(unknown)} drops, name the class by types=..."
    return f"{message}; add nn.Dropout, or name by types=... a class that drops by its own mode"


def _as_types(types: object) -> tuple[type[nn.Module], ...]:
    """Return `types` as a tuple; raise unless each is a class of modules."""
    classes = types if isinstance(types, tuple) else (types,)
    for one in classes:
        if not (isinstance(one, type) and issubclass(one, nn.Module)):
            raise ConfigurationError(
                f"types: expected a module class or a tuple of them, got {one!r} of type "
                f"{type(one).__name__}"
            )
    return classes
