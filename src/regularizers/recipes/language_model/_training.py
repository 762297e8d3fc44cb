"""The training: window by window with the state carried on; penalties are a term of the loss."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import lightning
import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

import regularizers as rz
from regularizers.recipes._training import fit
from regularizers.recipes.language_model._config import Config
from regularizers.recipes.language_model._corpus import Corpus, Part
from regularizers.recipes.language_model._metrics import Metrics, measure
from regularizers.recipes.language_model._network import LanguageModel, State, detached
from regularizers.recipes.language_model._variants import Variant
from regularizers.recipes.language_model._windows import Windows, streams_of, windows_of

_WARM_UP = 0.15
"""Fraction of the updates in which the learning rate rises."""


@dataclass
class Learned:
    """The results of one network."""

    epochs: list[Metrics] = field(default_factory=list)
    """Metrics of the validation text after each epoch."""

    training_perplexity: float = math.nan
    """In evaluation, on a part of the training text as long as the validation text."""

    training_bits_per_byte: float | None = None
    """The same in bits per byte."""

    test: Metrics | None = None
    """Metrics of the text for testing after the last epoch, if there is one."""

    def to_json(self) -> dict[str, Any]:
        """Return the figures as plain values."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, kept: dict[str, Any]) -> Learned:
        """Return the figures from the values of `to_json`."""
        test = kept.get("test")
        return cls(
            [Metrics(**epoch) for epoch in kept["epochs"]],
            kept["training_perplexity"],
            kept.get("training_bits_per_byte"),
            None if test is None else Metrics(**test),
        )


def train(
    network: LanguageModel,
    variant: Variant,
    corpus: Corpus,
    config: Config,
    seed: int,
    checkpoint: Path,
) -> Learned:
    """Train `network` to predict the text for training, from `checkpoint` if it exists.

    Args:
        network: trained in place.
        variant: its penalties.
        corpus: the text to learn, the one to be measured by after each epoch, and, if there is
            one, that to be measured by at the end.
        config: batches, windows, learning rate, epochs.
        seed: of the windows and the dropouts.
        checkpoint: the file that holds the state after the last full epoch.

    Returns:
        The figures of all epochs.

    Raises:
        KeyboardInterrupt: the user stopped it; the checkpoint is there.
    """
    job = _Job(network, variant, corpus, config, seed)
    fit(
        f"{variant.name}, seed {seed}",
        job,
        epochs=config.shape.epochs,
        seed=seed,
        checkpoint=checkpoint,
        alone=config.jobs == 1,
    )
    return job.learned


class _Job(lightning.LightningModule):
    """The loss and the optimizer."""

    def __init__(
        self,
        network: LanguageModel,
        variant: Variant,
        corpus: Corpus,
        config: Config,
        seed: int,
    ) -> None:
        super().__init__()
        self.network = network
        self.config = config
        self.corpus = corpus
        training = torch.from_numpy(corpus.training.tokens)
        self.inputs, self.targets = streams_of(training, config.shape.batch_size)
        self.bounds = [
            windows_of(len(self.inputs), config.shape.window, seed * 100_003 + epoch)
            for epoch in range(config.shape.epochs)
        ]
        rules = variant.rules(network)
        self.regularization = rz.Regularization(network, rules) if rules else None
        self.state: State | None = None
        self.steps = 0
        self.learned = Learned()

    def train_dataloader(self) -> Windows:
        return Windows(self.inputs, self.targets, self.bounds[self.current_epoch])

    def on_train_epoch_start(self) -> None:
        self.state = None

    def training_step(self, window: tuple[Tensor, Tensor]) -> Tensor:
        inputs, targets = window
        scores, state = self.network(inputs, self.state)
        self.state, self.steps = detached(state), len(inputs)
        loss = cross_entropy(scores.flatten(0, 1), targets.flatten())
        if self.regularization is not None:
            loss = loss + self.regularization.penalty()
        return loss

    def configure_optimizers(self) -> Any:
        # decay of the embedding would shrink words that the window does not contain
        groups = rz.weight_decay_groups(self.network, self.config.weight_decay, embeddings=False)
        rate = self.config.shape.learning_rate
        optimizer = torch.optim.AdamW(groups, rate, betas=(0.9, 0.99))
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer,
            rate,
            total_steps=sum(map(len, self.bounds)),
            pct_start=_WARM_UP,
        )
        return [optimizer], [{"scheduler": schedule, "interval": "step"}]

    def on_before_optimizer_step(self, optimizer: torch.optim.Optimizer) -> None:
        torch.nn.utils.clip_grad_norm_(self.network.parameters(), self.config.clip)
        # a short window is a smaller sample: it moves the weights less; the schedule then sets
        # the rate of the next step anew
        for group in optimizer.param_groups:
            group["lr"] *= self.steps / self.config.shape.window

    def on_train_epoch_end(self) -> None:
        self.learned.epochs.append(self._metrics_of(self.corpus.validation))

    def _metrics_of(self, part: Part) -> Metrics:
        tokens = torch.from_numpy(part.tokens).to(self.device)
        return measure(self.network, tokens, covered=part.size)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        checkpoint["learned"] = self.learned.to_json()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self.learned = Learned.from_json(checkpoint["learned"])

    def on_fit_end(self) -> None:
        if self.regularization is not None:
            self.regularization.detach()
        beginning = self._metrics_of(self.corpus.beginning)
        self.learned.training_perplexity = beginning.perplexity
        self.learned.training_bits_per_byte = beginning.bits_per_byte
        if self.corpus.test is not None:
            self.learned.test = self._metrics_of(self.corpus.test)
