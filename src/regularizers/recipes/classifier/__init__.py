"""A classifier, trained without regularization, with each of several, and with all together."""

from __future__ import annotations

from regularizers.recipes.classifier._config import Config

__all__ = ["Config", "run"]


def run(config: Config) -> None:
    """Train the networks, measure them, and write the run folder; print what a person reads."""
    # loaded here, so that a mistyped option is answered at once
    from regularizers.recipes.classifier import _command

    _command.run(config)
