"""SAELens' own training classes and trainer. It is imported when one of them is asked for."""

from __future__ import annotations

import importlib.util
import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import fields
from functools import partial
from importlib import import_module, metadata
from typing import Any

import torch
from torch import Tensor

from regularizers.errors import ConfigurationError

CLASSES = {
    "topk": "TopK",
    "batchtopk": "BatchTopK",
    "matryoshka": "MatryoshkaBatchTopK",
    "jumprelu": "JumpReLU",
    "jumprelu-quadratic": "JumpReLU",
    "gated": "Gated",
    "l1": "Standard",
}
"""Trainers; `jumprelu-quadratic` is their penalty of the distance to a stated L0."""

COEFFICIENTS = {
    "jumprelu": "l0_coefficient",
    "jumprelu-quadratic": "l0_coefficient",
    "gated": "l1_coefficient",
    "l1": "l1_coefficient",
}
"""The settings that decide how sparse a code is, where no k does."""

SEARCHED = ("jumprelu", "gated", "l1")
"""Trainers that cannot be told how many latents are active."""


def check_installed() -> None:
    """Raise a `ConfigurationError` unless SAELens can be imported; it is not imported here."""
    if importlib.util.find_spec("sae_lens") is None:
        raise ConfigurationError(
            "against: expected SAELens beside this library, where Python finds no sae_lens; "
            "pip install sae-lens, or leave --against out"
        )


def version() -> str:
    """Return the version of SAELens."""
    return metadata.version("sae-lens")


@contextmanager
def silenced() -> Iterator[None]:
    """Keep SAELens from warnings, log lines and bars."""
    disabled = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            training: Any = import_module("sae_lens.training.sae_trainer")
            bar, training.tqdm = training.tqdm, partial(training.tqdm, disable=True)
            try:
                yield
            finally:
                training.tqdm = bar
    finally:
        logging.disable(disabled)


def settings(
    trainer: str, units: int, active: float, coefficient: float | None, widths: list[int]
) -> dict[str, Any]:
    """Return what the configuration of a trainer is given beside sizes; the rest is its default."""
    if trainer in ("topk", "batchtopk", "matryoshka"):
        k = {"k": round(active) if trainer == "topk" else active}
        return k | (
            {"matryoshka_widths": widths or nested(units)} if trainer == "matryoshka" else {}
        )
    given: dict[str, Any] = {} if coefficient is None else {COEFFICIENTS[trainer]: coefficient}
    if trainer == "jumprelu-quadratic":
        given |= {"jumprelu_sparsity_loss_mode": "quadratic", "target_l0": float(active)}
    return given


def nested(units: int) -> list[int]:
    """Return the widths of Matryoshka's levels: an eighth, a quarter, half and all of the units."""
    return [units // 8, units // 4, units // 2, units]


def build(trainer: str, features: int, units: int, options: dict[str, Any], seed: int) -> Any:
    """Return an autoencoder of theirs at its start.

    Raises:
        ConfigurationError: their configuration has no such option.
    """
    name = CLASSES[trainer]
    config = _find(f"{name}TrainingSAEConfig")
    unknown = set(options) - {field.name for field in fields(config)}
    if unknown:
        raise ConfigurationError(
            f"options: expected settings of {config.__name__}, got {', '.join(sorted(unknown))}"
        )
    torch.manual_seed(seed)
    return _find(f"{name}TrainingSAE")(config(d_in=features, d_sae=units, **options))


def trainer_of(
    sae: Any,
    batches: Iterator[Tensor],
    *,
    steps: int,
    batch: int,
    learning_rate: float,
    dead_window: int = 1000,
) -> Any:
    """Return their trainer: Adam, clipping at 1, a rate that decays over the last third."""
    configs = import_module("sae_lens.config")
    config = configs.SAETrainerConfig(
        total_training_samples=steps * batch,
        train_batch_size_samples=batch,
        lr=learning_rate,
        lr_end=learning_rate,
        lr_scheduler_name="constant",
        lr_decay_steps=steps // 3,
        device="cpu",
        dead_feature_window=dead_window,
        logger=configs.LoggingConfig(log_to_wandb=False),
    )
    training = import_module("sae_lens.training.sae_trainer")
    return training.SAETrainer(cfg=config, sae=sae, data_provider=batches)


def _find(name: str) -> Any:
    for module in vars(import_module("sae_lens.saes")).values():
        if hasattr(module, name):
            return getattr(module, name)
    return getattr(import_module("sae_lens"), name)
