"""A language model, trained with and without dropouts, AR and TAR."""

from __future__ import annotations

from regularizers.recipes.language_model._config import Config

__all__ = ["Config", "run"]


def run(config: Config) -> None:
    """Train the networks, measure them, write the run folder, and print a summary."""
    # imported here, so that a mistyped option fails without loading PyTorch
    from regularizers.recipes.language_model import _command

    _command.run(config)
