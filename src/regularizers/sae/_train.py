"""Trains a sparse autoencoder by Lightning."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

from regularizers.errors import ConfigurationError
from regularizers.sae._autoencoder import SparseAutoencoder
from regularizers.sae._batches import batches_of
from regularizers.sae._history import History
from regularizers.sae._settings import Settings


def train(
    sae: SparseAutoencoder,
    data: Any,
    *,
    steps: int | None = None,
    learning_rate: float = 3e-3,
    batch_size: int = 512,
    revive: bool = True,
    clip: float = 1.0,
    seed: int = 0,
    checkpoints: Path | str | None = None,
    progress: bool = False,
    **trainer: Any,
) -> History:
    """Train a sparse autoencoder, in place.

    It begins by `calibrate` with the first batches. Then each step takes the gradient of
    `losses(x).loss` and of the rules of the autoencoder, and Adam's step (β 0.9 and 0.99) with a
    rate that rises over the first twentieth and falls to 0 over the last third. `Revival` brings
    back idle units.

    Args:
        sae: the autoencoder.
        data: samples in the rows of a tensor; a folder of stored activations; or an iterable of
            batches, whose first entry counts if they are tuples: a list, a DataLoader, a stream of
            `activations`. It is iterated as often as the steps take. With several processes it
            gives the batches of its own process.
        steps: the number of steps, each of one batch; None: one pass over data with a length.
        learning_rate: of Adam. One rate does for all synthetic problems that were tried; a short
            training on a language model's activations gained from 1e-2.
        batch_size: samples of a batch, if `data` is a tensor or a folder; of a tensor over all
            processes, of a folder on each.
        revive: whether idle units are brought back.
        clip: the largest norm of the gradient.
        seed: the seed of the order of samples and of what revival draws.
        checkpoints: a folder for the state of the training, from which it goes on if it was
            interrupted; it ends bit for bit as if it had not been.
        progress: whether to show a bar.
        trainer: options of `lightning.Trainer`, such as `devices`, `accelerator`, `strategy`,
            `logger`, `callbacks`; `precision="bf16-mixed"`; `accumulate_grad_batches=k`, with which
            k batches make one step, as one batch of their samples would. Only `"batchtopk"` is
            another then: it selects in each batch, as many units.

    Returns:
        What happened, as a few hundred points.

    Raises:
        ConfigurationError: a setting that cannot be, or Lightning is not installed.
        DataError: data that are constant, not finite or too few, or a loss that is not finite.
        RunFolderError: a checkpoint is damaged or of another training, or cannot be written.
        KeyboardInterrupt: it was interrupted; the checkpoint is there.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> _ = torch.manual_seed(0)
        >>> directions = torch.randn(32, 8)
        >>> x = (torch.rand(4096, 32) < 0.06).float() @ directions
        >>> sae = rz.sae.SparseAutoencoder(features=8, units=32, active=2)
        >>> history = rz.sae.train(sae, x, steps=200, batch_size=128)
        >>> history.explained[-1] > 0.5
        True
    """
    try:
        job = importlib.import_module("regularizers.sae._job")
        options = importlib.import_module("regularizers.sae._trainer_options")
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"train: expected Lightning, which is not installed ({error.name}); install "
            f"regularizers[sae], or write the loop with losses(), regularization() and Revival"
        ) from error
    accumulated = options.check_trainer_options(trainer)
    settings = Settings(
        learning_rate=learning_rate, revive=revive, clip=clip, seed=seed, accumulated=accumulated
    )
    batches = batches_of(
        data, steps=steps, batch_size=batch_size, seed=seed, accumulated=accumulated
    )
    folder = None if checkpoints is None else Path(checkpoints)
    history: History = job.fit(sae, batches, settings, folder, progress=progress, options=trainer)
    return history
