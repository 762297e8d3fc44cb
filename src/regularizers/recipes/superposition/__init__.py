"""Sparse autoencoders on problems whose dictionary is known, beside those of another library."""

from __future__ import annotations

from regularizers.recipes.superposition._config import Config

__all__ = ["Config", "run"]


def run(config: Config) -> None:
    """Train the autoencoders, compare them with the truth, write the run folder, print a table."""
    # imported here, so that a mistyped option fails without loading PyTorch
    from regularizers.recipes.superposition import _command

    _command.run(config)
