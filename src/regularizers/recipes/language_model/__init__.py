"""A language model, trained with and without dropouts, AR and TAR."""

from __future__ import annotations

from regularizers.recipes.language_model._config import Config
from regularizers.recipes.language_model._sample_config import Sample

__all__ = ["Config", "Sample", "run", "sample"]


def run(config: Config) -> None:
    """Train the networks, measure them, write the run folder, and print a summary."""
    # imported here, so that a mistyped option fails without loading PyTorch
    from regularizers.recipes.language_model import _command

    _command.run(config)


def sample(config: Sample) -> None:
    """Continue a text by a trained network, and print it."""
    from regularizers.recipes.language_model import _sample_command

    _sample_command.run(config)
