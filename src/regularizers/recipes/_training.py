"""The training loop of all recipes: Lightning's, interruptible and resumable."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint

from regularizers._checkpoints import Checkpoints, shapes_of
from regularizers._lightning import own_interrupt, quiet
from regularizers.recipes._finished import anew
from regularizers.recipes._progress import Bar, progress_of


def fit(
    name: str,
    job: lightning.LightningModule,
    *,
    epochs: int,
    seed: int,
    checkpoint: Path,
    lines: int = 5,
    alone: bool = True,
) -> None:
    """Train `job`, from `checkpoint` if it exists.

    Args:
        name: the name shown with the progress.
        job: the loss, the batches of each epoch and the optimizer.
        epochs: passes over the batches.
        seed: the seed of the noise of layers such as dropout; each epoch seeds it anew, so that a
            resumed run repeats it.
        checkpoint: the file with the state after the last full epoch.
        lines: lines of progress without a terminal.
        alone: whether no other training runs at the same time; otherwise lines replace the bar.

    Raises:
        RunFolderError: the checkpoint is damaged or of another training, or cannot be written.
        KeyboardInterrupt: the user interrupted it; the checkpoint exists.
    """
    saving = ModelCheckpoint(
        dirpath=checkpoint.parent,
        filename=checkpoint.stem,
        enable_version_counter=False,
        save_on_train_epoch_end=True,
    )
    progress = progress_of(name, epochs, lines, alone=alone)
    with one_thread(), quiet(), own_interrupt():
        of = {"training": name, "epochs": epochs, "seed": seed, **shapes_of(job)}
        cure = anew(checkpoint.parents[1], checkpoint.stem)
        trainer = lightning.Trainer(
            accelerator="auto",
            devices=1,
            max_epochs=epochs,
            reload_dataloaders_every_n_epochs=1,
            callbacks=[_Noise(seed), saving, progress],
            plugins=[Checkpoints(of, cure)],
            logger=False,
            enable_progress_bar=isinstance(progress, Bar),
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        resumed = checkpoint if checkpoint.exists() else None
        trainer.fit(job, ckpt_path=resumed, weights_only=True)
    job.cpu().eval()


class _Noise(Callback):
    """Seeds the noise of layers at the start of each epoch."""

    def __init__(self, seed: int) -> None:
        self._seed = seed

    def on_train_epoch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        torch.manual_seed(self._seed * 100_003 + trainer.current_epoch)


@contextmanager
def one_thread() -> Iterator[None]:
    """Use one thread: fastest for small networks, and the same results on every machine."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
