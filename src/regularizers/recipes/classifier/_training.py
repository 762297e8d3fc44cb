"""The training: activity penalties in the loss, kernel penalties in the optimizer's step."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor, nn

import regularizers as rz
from regularizers.errors import ConfigurationError
from regularizers.recipes._batches import Batches
from regularizers.recipes._training import fit
from regularizers.recipes.classifier._config import Config
from regularizers.recipes.classifier._methods import Method
from regularizers.recipes.classifier._networks import Arguments
from regularizers.recipes.classifier._parts import Part, Parts


def trained(
    parts: Parts, method: Method, config: Config, seed: int, checkpoint: Path
) -> tuple[nn.Sequential, Arguments]:
    """Return a network trained on the training part, and the arguments that build it.

    It reads samples as they are in the parts; `parts.scaling` stands before it elsewhere.

    Args:
        parts: the data; the training part alone is seen.
        method: its regularization.
        config: epochs, batches, learning rate, and the size of the network.
        seed: the seed of the first weights, the order and the noise.
        checkpoint: the file to go on from, and to keep the state in.

    Raises:
        ConfigurationError: the weights grew beyond all bounds.
        KeyboardInterrupt: the user stopped it; the checkpoint is there.
    """
    arguments = dataclasses.replace(
        parts.arguments(config), dropout=method.dropout, batch_norm=method.batch_norm
    )
    torch.manual_seed(seed)
    network = arguments.build()
    train(network, method, parts.training, config, seed, checkpoint)
    if not all(torch.isfinite(value).all() for value in network.state_dict().values()):
        raise ConfigurationError(
            f"learning-rate: expected one at which {method.name!r} of seed {seed} trains, got "
            f"{config.learning_rate}, at which its weights grew beyond all bounds; lower it"
        )
    return network, arguments


def train(
    network: nn.Module, method: Method, part: Part, config: Config, seed: int, checkpoint: Path
) -> None:
    """Train `network` in place, from `checkpoint` if it exists.

    Raises:
        KeyboardInterrupt: the user stopped it; the checkpoint is there.
    """
    fit(
        f"seed {seed}, {method.name}",
        _Job(network, method, part, config, seed),
        epochs=config.epochs_for(len(part.x)),
        seed=seed,
        checkpoint=checkpoint,
        lines=0,
    )


def rate_at(step: int, steps: int) -> float:
    """Return the factor of the learning rate: it rises over a tenth, then falls along a cosine.

    Without the rise, batch normalization and dropout at once may leave no unit alive.
    """
    rise = max(steps // 10, 1)
    if step < rise:
        return (step + 1) / rise
    return (1 + math.cos(math.pi * (step - rise) / (steps - rise))) / 2 if steps > rise else 0.0


class _Job(lightning.LightningModule):
    """The loss and the optimizer."""

    def __init__(
        self, network: nn.Module, method: Method, part: Part, config: Config, seed: int
    ) -> None:
        super().__init__()
        self.network = network
        self.method = method
        self.part = part
        self.config = config
        self.seed = seed
        self.regularization = rz.Regularization(network, method.rules) if method.rules else None

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        x, y = batch
        loss = nn.functional.cross_entropy(self.network(x), y)
        if self.regularization is not None:
            loss = loss + self.regularization.penalty()
        return loss

    def train_dataloader(self) -> Batches:
        return Batches(
            self.part.x,
            self.part.y,
            batch_size=self.config.batch_size,
            seed=self.seed,
            epoch=self.current_epoch,
            # batch normalization needs at least two samples
            smallest=2,
        )

    def configure_optimizers(self) -> Any:
        optimizer = torch.optim.SGD(
            self.network.parameters(), self.config.learning_rate, momentum=0.9
        )
        if self.regularization is not None and self.method.penalises_kernels:
            self.regularization.attach(optimizer)
        steps = int(self.trainer.estimated_stepping_batches)
        rate = torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: rate_at(step, steps))
        return [optimizer], [{"scheduler": rate, "interval": "step"}]

    def on_fit_end(self) -> None:
        if self.regularization is not None:
            self.regularization.detach()
