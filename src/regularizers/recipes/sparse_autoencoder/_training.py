"""The training: the reconstruction's error, with the penalty as a term of the loss."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor

import regularizers as rz
from regularizers.penalties import Penalty
from regularizers.recipes._batches import Batches
from regularizers.recipes._training import fit
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
    job = _Job(network, penalty, x, config)
    fit(name, job, epochs=config.epochs_for(len(x)), seed=config.seed, checkpoint=checkpoint)


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

    def training_step(self, batch: tuple[Tensor]) -> Tensor:
        (x,) = batch
        loss = torch.nn.functional.mse_loss(self.network(x), x)
        if self.regularization is not None:
            loss = loss + self.regularization.penalty()
        return loss

    def train_dataloader(self) -> Batches:
        return Batches(
            self.x,
            batch_size=self.config.batch_size,
            seed=self.config.seed,
            epoch=self.current_epoch,
        )

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
