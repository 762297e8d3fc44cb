"""The training loop: Lightning's, with the penalty as a term of the loss."""

from __future__ import annotations

import logging
import signal
import sys
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, TQDMProgressBar
from torch import Tensor

import regularizers as rz
from regularizers.penalties import Penalty
from regularizers.recipes.sparse_autoencoder._config import Config
from regularizers.recipes.sparse_autoencoder._network import Autoencoder


def train(
    name: str,
    network: Autoencoder,
    penalty: Penalty | None,
    x: Tensor,
    config: Config,
    checkpoint: Path,
) -> None:
    """Train `network` to reproduce `x`; go on from `checkpoint` where there is one.

    Args:
        name: what the progress bar calls it.
        network: the network, trained in place.
        penalty: of the coding; None for the mean squared error alone.
        x: samples, of shape (samples, features).
        config: batch size, learning rate, epochs, seed.
        checkpoint: the file that holds the state after the last full epoch.

    Raises:
        KeyboardInterrupt: the user stopped it; the checkpoint is there.
    """
    epochs = config.epochs_for(len(x))
    saving = ModelCheckpoint(
        dirpath=checkpoint.parent,
        filename=checkpoint.stem,
        enable_version_counter=False,
        save_on_train_epoch_end=True,
    )
    progress = _Bar(name) if sys.stderr.isatty() else _Lines(name, epochs)
    logging.getLogger("lightning.pytorch").setLevel(logging.ERROR)
    handler = signal.getsignal(signal.SIGINT)
    threads = torch.get_num_threads()
    # so small a network is fastest on one, and its figures are then the same on any machine
    torch.set_num_threads(1)
    with warnings.catch_warnings():
        # the samples are in memory, where workers would only be slower
        warnings.filterwarnings("ignore", ".*does not have many workers.*")
        # how Lightning asks PyTorch about tree leaves is between the two of them
        warnings.filterwarnings("ignore", ".*isinstance.treespec, LeafSpec.*")
        # the folder of the checkpoints is made for them
        warnings.filterwarnings("ignore", ".*exists and is not empty.*")
        trainer = lightning.Trainer(
            accelerator="auto",
            devices=1,
            max_epochs=epochs,
            reload_dataloaders_every_n_epochs=1,
            callbacks=[saving, progress],
            logger=False,
            enable_progress_bar=isinstance(progress, TQDMProgressBar),
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        try:
            trainer.fit(
                _Job(network, penalty, x, config),
                ckpt_path=checkpoint if checkpoint.is_file() else None,
            )
        except SystemExit:
            # Lightning ends the process on Ctrl-C; its caller has a run folder to speak of
            raise KeyboardInterrupt from None
        finally:
            signal.signal(signal.SIGINT, handler)
            torch.set_num_threads(threads)
    network.cpu().eval()


class _Job(lightning.LightningModule):
    """The loss and the optimizer."""

    def __init__(
        self, network: Autoencoder, penalty: Penalty | None, x: Tensor, config: Config
    ) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.x = x
        rules = [] if penalty is None else [rz.activity(penalty, where="coding")]
        self.regularization = rz.Regularization(network, rules) if rules else None

    def training_step(self, x: Tensor) -> Tensor:
        loss = torch.nn.functional.mse_loss(self.network(x), x)
        if self.regularization is not None:
            loss = loss + self.regularization.penalty()
        return loss

    def train_dataloader(self) -> Batches:
        return Batches(self.x, self.config.batch_size, (self.config.seed, self.current_epoch))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.NAdam(self.parameters(), self.config.learning_rate)
        steps = int(self.trainer.estimated_stepping_batches)
        rate = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: min(1.0, max(steps - step, 0) / (steps / 3))
        )
        return [optimizer], [{"scheduler": rate, "interval": "step"}]

    def on_fit_end(self) -> None:
        if self.regularization is not None:
            self.regularization.detach()


class Batches:
    """Samples in an order that the seed and the epoch settle, so that a resumed run repeats it."""

    def __init__(self, x: Tensor, batch_size: int, seed: tuple[int, int]) -> None:
        self._x = x
        self._batch_size = batch_size
        self._seed = seed

    def __len__(self) -> int:
        return -(-len(self._x) // self._batch_size)

    def __iter__(self) -> Iterator[Tensor]:
        seed, epoch = self._seed
        generator = torch.Generator().manual_seed(seed * 100_003 + epoch)
        order = torch.randperm(len(self._x), generator=generator)
        for start in range(0, len(order), self._batch_size):
            yield self._x[order[start : start + self._batch_size]]


class _Bar(TQDMProgressBar):
    """Progress on a terminal."""

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


class _Lines(Callback):
    """Progress where there is no terminal: a line every fifth of the way."""

    def __init__(self, name: str, epochs: int) -> None:
        self._name = name
        self._every = max(epochs // 5, 1)

    def on_train_epoch_end(self, trainer: lightning.Trainer, *_: Any) -> None:
        done = trainer.current_epoch + 1
        if done % self._every == 0:
            print(f"{self._name}: epoch {done} of {trainer.max_epochs}", flush=True)
