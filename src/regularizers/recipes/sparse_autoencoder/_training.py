"""The training: the reconstruction's error, with the penalty as a term of the loss."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.nn.functional import mse_loss

import regularizers as rz
from regularizers.monitor import ActiveUnits
from regularizers.recipes._batches import Batches
from regularizers.recipes._training import fit
from regularizers.recipes.sparse_autoencoder._auxiliary import auxiliary_loss
from regularizers.recipes.sparse_autoencoder._config import Config
from regularizers.recipes.sparse_autoencoder._history import History
from regularizers.recipes.sparse_autoencoder._network import Autoencoder
from regularizers.recipes.sparse_autoencoder._revival import is_due, resample
from regularizers.recipes.sparse_autoencoder._silence import Silence
from regularizers.recipes.sparse_autoencoder._variants import Variant

_ANNEALED = 1 / 3
"""The last fraction of the training, over which the learning rate falls to zero."""


def train(
    network: Autoencoder, variant: Variant, x: Tensor, config: Config, checkpoint: Path
) -> History:
    """Train `network` to reproduce `x`, from `checkpoint` if it exists.

    Args:
        network: the network, trained in place.
        variant: its penalty, and how dead units are revived.
        x: samples, of shape (samples, features).
        config: batch size, learning rate, epochs, seed.
        checkpoint: the file that holds the state after the last full epoch.

    Returns:
        What happened, from the first update on.

    Raises:
        KeyboardInterrupt: the user stopped it; the checkpoint is there.
    """
    job = _Job(network, variant, x, config)
    epochs = config.epochs_for(len(x))
    fit(variant.name, job, epochs=epochs, seed=config.seed, checkpoint=checkpoint)
    return job.history


class _Job(lightning.LightningModule):
    """The loss, the optimizer, and the work between updates."""

    def __init__(self, network: Autoencoder, variant: Variant, x: Tensor, config: Config) -> None:
        super().__init__()
        self.network = network
        self.variant = variant
        self.config = config
        self.x = x
        self.steps = config.epochs_for(len(x)) * len(self._batches(0))
        self.history = History.of(self.steps)
        self.silence = Silence(config.units)
        self.generator = torch.Generator().manual_seed(config.seed)
        rules = [] if variant.penalty is None else [rz.activity(variant.penalty, where="coding")]
        self.regularization = rz.Regularization(network, rules) if rules else None

    def train_dataloader(self) -> Batches:
        return self._batches(self.current_epoch)

    def _batches(self, epoch: int) -> Batches:
        config = self.config
        return Batches(self.x, batch_size=config.batch_size, seed=config.seed, epoch=epoch)

    def training_step(self, batch: tuple[Tensor]) -> dict[str, Tensor]:
        (x,) = batch
        preactivations = self.network.encoder(x)
        coding = self.network.coding(preactivations)
        output = self.network.decoder(coding)
        error = loss = mse_loss(output, x)
        if self.regularization is not None:
            loss = loss + self.regularization.penalty()
        self.silence.update(coding)
        if self.variant.revive == "auxiliary":
            dead = self.silence.dead
            loss = loss + auxiliary_loss(self.network, x - output, preactivations, dead)
        return {"loss": loss, "error": error.detach(), "coding": coding.detach()}

    def on_train_batch_end(self, outputs: Any, *_: Any) -> None:
        step = self.global_step
        strength = self._next_strength()
        active = ActiveUnits()
        active.update(outputs["coding"])
        dead = self.silence.dead
        self.history.add(step, strength, active.value(), outputs["error"].item(), int(dead.sum()))
        self.history.revived = int(self.silence.returned)
        if self.variant.revive == "resample" and dead.any() and is_due(step, self.steps):
            optimizer = self.trainer.optimizers[0]
            units = resample(self.network, dead, self.x, optimizer, self.generator)
            self.silence.reset(units)

    def _next_strength(self) -> float:
        """Step λ if it has a target, save the controller's warnings, and return λ."""
        if self.regularization is None:
            return 0.0
        if self.regularization.targets():
            with warnings.catch_warnings(record=True) as said:
                warnings.simplefilter("always")
                self.regularization.step()
            self.history.said += [str(warning.message) for warning in said]
        return next(iter(self.regularization.strengths.values()))

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.NAdam(self.parameters(), self.config.learning_rate)
        rate = torch.optim.lr_scheduler.LambdaLR(
            optimizer,
            lambda step: min(1.0, max(self.steps - step, 0) / (_ANNEALED * self.steps)),
        )
        return [optimizer], [{"scheduler": rate, "interval": "step"}]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["history"] = self.history.to_json()
        checkpoint["generator"] = self.generator.get_state()
        if self.regularization is not None:
            checkpoint["regularization"] = self.regularization.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.history = History.from_json(checkpoint["history"])
        self.generator.set_state(checkpoint["generator"])
        if self.regularization is not None:
            self.regularization.load_state_dict(checkpoint["regularization"])

    def on_fit_end(self) -> None:
        if self.regularization is not None:
            self.regularization.detach()
