"""The progress of a training: a bar on a terminal, else a few lines."""

from __future__ import annotations

import sys
from typing import Any

import lightning
from lightning.pytorch.callbacks import Callback, TQDMProgressBar


def progress_of(name: str, epochs: int, lines: int, *, alone: bool = True) -> Callback:
    """Return the callback that shows the progress of one training.

    Args:
        name: the name of the training.
        epochs: the number of epochs.
        lines: the number of lines to print without a terminal.
        alone: whether no other training uses the terminal; otherwise lines are printed.
    """
    return Bar(name) if alone and sys.stderr.isatty() else Lines(name, epochs, lines)


def duration(seconds: float) -> str:
    """Return a time that is left, in words.

    Example:
        >>> duration(89), duration(90)
        ('89 seconds', '2 minutes')
    """
    return f"{seconds / 60:.0f} minutes" if seconds >= 90 else f"{seconds:.0f} seconds"


class Bar(TQDMProgressBar):
    """A progress bar for a terminal."""

    def __init__(self, name: str) -> None:
        super().__init__()
        self._name = name

    def init_train_tqdm(self) -> Any:
        bar = super().init_train_tqdm()
        bar.leave = False
        return bar

    def on_train_epoch_start(self, trainer: lightning.Trainer, *_: Any) -> None:
        super().on_train_epoch_start(trainer)
        self.train_progress_bar.set_description(
            f"{self._name}: epoch {trainer.current_epoch + 1} of {trainer.max_epochs}"
        )


class Lines(Callback):
    """Progress without a terminal: lines spread evenly over the epochs."""

    def __init__(self, name: str, epochs: int, lines: int) -> None:
        self._name = name
        self._every = max(epochs // lines, 1) if lines else 0

    def on_train_epoch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        done = trainer.current_epoch + 1
        if self._every and done % self._every == 0:
            print(f"{self._name}: epoch {done} of {trainer.max_epochs}", flush=True)
