"""A sparse autoencoder told how many units are active, beside L1 and KL."""

from __future__ import annotations

from regularizers.recipes.sparse_autoencoder._config import Config
from regularizers.recipes.sparse_autoencoder._encode_config import Encode

__all__ = ["Config", "Encode", "encode", "run"]


def run(config: Config) -> None:
    """Train the autoencoders, measure them, write the run folder, and print a summary."""
    # imported here, so that a mistyped option fails without loading PyTorch
    from regularizers.recipes.sparse_autoencoder import _command

    _command.run(config)


def encode(config: Encode) -> None:
    """Write the codes of samples by a network of a run."""
    from regularizers.recipes.sparse_autoencoder import _encode

    _encode.run(config)
