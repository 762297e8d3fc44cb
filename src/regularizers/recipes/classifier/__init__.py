"""A classifier, trained without regularization, with each of several, and with all together."""

from __future__ import annotations

from regularizers.recipes.classifier._config import Config
from regularizers.recipes.classifier._predict_config import Predict

__all__ = ["Config", "Predict", "predict", "run"]


def run(config: Config) -> None:
    """Train the networks, measure them, write the run folder, and print a summary."""
    # imported here, so that a mistyped option fails without loading PyTorch
    from regularizers.recipes.classifier import _command

    _command.run(config)


def predict(config: Predict) -> None:
    """Classify new samples with a network of a run, and write a CSV."""
    from regularizers.recipes.classifier import _predict

    _predict.run(config)
