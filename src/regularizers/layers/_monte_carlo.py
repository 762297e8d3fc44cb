"""Dropout in evaluation, for predictions that know how sure they are."""

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
# In evaluation its fast path goes around the dropout inside it; it has no other use for its mode.
GOES_AROUND = nn.TransformerEncoderLayer


@contextmanager
def monte_carlo_dropout(
    model: nn.Module, *, types: type[nn.Module] | tuple[type[nn.Module], ...] = ()
) -> Iterator[nn.Module]:
    r"""Evaluate a model with its dropout active: each forward is a draw from the predictions.

    .. math:: \mathrm E[y] \approx \frac 1T \sum_t f(x; m_t), \qquad m_t \text{ drawn anew}

    Within the context every dropout is in training mode and every other module in evaluation, so
    that batch normalization uses its running statistics and keeps them as they are. On exit, also
    by an exception, each module has the mode it had.

    A dropout is: PyTorch's dropout modules, this library's noise layers, `nn.LSTM`, `nn.GRU`,
    `nn.RNN` and `nn.MultiheadAttention` with dropout of their own, and what `types` names. An
    `nn.TransformerEncoderLayer` is in training mode too, because its fast path in evaluation leaves
    out the dropout inside it. Dropout called as a function has no module to be found by: name the
    class that calls it by `types`.

    Gradients are as outside; predictions want `torch.no_grad()` beside it.

    Args:
        model: the model; its root may be a dropout itself.
        types: further classes that drop in training mode, such as another library's. They alone
            take the mode, not what is inside them.

    Returns:
        A context manager that gives the model.

    Raises:
        SelectionError: a model without any dropout, or with rates of 0 only.
        ConfigurationError: `types` that are no module classes.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Dropout(0.5))
        >>> with rz.layers.monte_carlo_dropout(model), torch.no_grad():
        ...     draws = torch.stack([model(torch.ones(1, 4)) for _ in range(100)])
        >>> draws.mean(dim=0).shape, bool((draws.std(dim=0) > 0).all())
        (torch.Size([1, 8]), True)

    Source: Gal, Ghahramani, "Dropout as a Bayesian approximation", 2016, arXiv 1506.02142.
    """
    active = _active(model, _as_types(types))
    # set, not by train() and eval(): a module may do more in these than change its mode
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
        raise SelectionError(_nothing_drops(model))
    return dropouts | {module for module in model.modules() if isinstance(module, GOES_AROUND)}


def _drops(module: nn.Module, types: tuple[type[nn.Module], ...]) -> bool:
    """Return whether `module` drops anything in training mode."""
    if isinstance(module, types):
        return True
    if isinstance(module, DROPOUTS):
        return module.p > 0
    if isinstance(module, NoiseLayer):
        return module.rate > 0
    if isinstance(module, nn.RNNBase):
        return module.dropout > 0 and module.num_layers > 1  # it drops between its layers
    return isinstance(module, nn.MultiheadAttention) and module.dropout > 0


def _nothing_drops(model: nn.Module) -> str:
    """Return the message for a model that would predict the same each time."""
    names = {type(module).__name__ for module in model.modules()}
    similar = sorted(name for name in names if "drop" in name.lower() or "depth" in name.lower())
    kinds: tuple[type[nn.Module], ...] = (*DROPOUTS, *NoiseLayer.__subclasses__())
    known = {kind.__name__ for kind in kinds}
    zero = [name for name in similar if name in known]
    unknown = [name for name in similar if name not in known]
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
    kinds = types if isinstance(types, tuple) else (types,)
    for kind in kinds:
        if not (isinstance(kind, type) and issubclass(kind, nn.Module)):
            raise ConfigurationError(
                f"types: expected a module class or a tuple of them, got {kind!r} of type "
                f"{type(kind).__name__}"
            )
    return kinds
