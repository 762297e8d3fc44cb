"""A classifier, trained without regularization, with each of several, and with all together."""

from __future__ import annotations

from regularizers.recipes.classifier._config import Config

__all__ = ["Config", "run"]


def run(config: Config) -> None:
    """Train the networks, measure them, write the run folder, and print a summary."""
    # imported here, so that a mistyped option fails without loading PyTorch
    from regularizers.recipes.classifier import _command

    _command.run(config)
