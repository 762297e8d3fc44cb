"""The kernels of a model that a `where` selects."""

from __future__ import annotations

from torch import nn

from regularizers.attach.sites import Parameter, parameters_of, select_by_role
from regularizers.errors import ConfigurationError
from regularizers.modules import Wheres


def select_kernels(model: nn.Module, where: Wheres, caller: str) -> list[Parameter]:
    """Return the kernels that `where` selects; a tied one once for each module.

    Raises:
        ConfigurationError: `model` is not a module, or `where` is of the wrong type.
        SelectionError: an alternative that matches no kernel, or a module that is not initialised.
    """
    if not isinstance(model, nn.Module):
        raise ConfigurationError(
            f"{caller}: expected a torch.nn.Module, got {type(model).__name__}"
        )
    return select_by_role("kernel", where, model, parameters_of(model), caller)
