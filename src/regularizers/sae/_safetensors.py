"""The library of the files, imported when a file is read or written."""

from __future__ import annotations

from typing import Any

from regularizers.errors import ConfigurationError


def safetensors(what: str) -> Any:
    """Return the module safetensors, with its part for PyTorch.

    Args:
        what: the subject of the message.

    Raises:
        ConfigurationError: it is not installed.
    """
    try:
        import safetensors.torch
    except ImportError as error:
        raise ConfigurationError(
            f"{what} need {error.name}, which is not installed: pip install 'regularizers[sae]'"
        ) from None
    return safetensors
