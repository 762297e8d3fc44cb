"""A language model, trained with and without dropouts, AR and TAR."""

from __future__ import annotations

from regularizers.recipes.language_model._config import Config

__all__ = ["Config", "run"]


def run(config: Config) -> None:
    """Train the networks, measure them, and write the run folder; print what a person reads."""
    # loaded here, so that a mistyped option is answered at once
    from regularizers.recipes.language_model import _command

    _command.run(config)
