"""SAELens' own training classes and trainer, silenced. Needs an environment with sae-lens."""

from __future__ import annotations

import logging
import os
import warnings
from collections.abc import Iterator
from dataclasses import fields
from functools import partial
from typing import Any

os.environ |= {"WANDB_MODE": "disabled", "WANDB_SILENT": "true"}
warnings.simplefilter("ignore")
logging.disable(logging.WARNING)

import sae_lens  # noqa: E402
import torch  # noqa: E402
from sae_lens import saes  # noqa: E402
from sae_lens.config import LoggingConfig, SAETrainerConfig  # noqa: E402
from sae_lens.training import sae_trainer  # noqa: E402
from torch import Tensor  # noqa: E402

sae_trainer.tqdm = partial(sae_trainer.tqdm, disable=True)

VERSION = sae_lens.__version__

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


def settings(
    trainer: str, units: int, active: float, coefficient: float | None, widths: list[int]
) -> dict[str, Any]:
    """Return what the configuration of a trainer is given beside sizes; the rest is its default."""
    if trainer in ("topk", "batchtopk", "matryoshka"):
        k = {"k": round(active) if trainer == "topk" else active}
        return k | (
            {"matryoshka_widths": widths or nested(units)} if trainer == "matryoshka" else {}
        )
    given = {} if coefficient is None else {COEFFICIENTS[trainer]: coefficient}
    if trainer == "jumprelu-quadratic":
        given |= {"jumprelu_sparsity_loss_mode": "quadratic", "target_l0": float(active)}
    return given


def nested(units: int) -> list[int]:
    """Return the widths of Matryoshka's levels: an eighth, a quarter, half and all of the units."""
    return [units // 8, units // 4, units // 2, units]


def build(
    trainer: str, features: int, units: int, options: dict[str, Any], seed: int
) -> saes.sae.TrainingSAE[Any]:
    """Return an autoencoder of theirs at its start."""
    name = CLASSES[trainer]
    config = _find(f"{name}TrainingSAEConfig")
    unknown = set(options) - {field.name for field in fields(config)}
    if unknown:
        raise SystemExit(f"{config.__name__} has no settings {', '.join(sorted(unknown))}")
    torch.manual_seed(seed)
    return _find(f"{name}TrainingSAE")(config(d_in=features, d_sae=units, **options))


def trainer_of(
    sae: saes.sae.TrainingSAE[Any],
    batches: Iterator[Tensor],
    *,
    steps: int,
    batch: int,
    learning_rate: float,
    dead_window: int = 1000,
) -> sae_trainer.SAETrainer[Any, Any]:
    """Return their trainer: Adam, clipping at 1, a rate that decays over the last third."""
    config = SAETrainerConfig(
        total_training_samples=steps * batch,
        train_batch_size_samples=batch,
        lr=learning_rate,
        lr_end=learning_rate,
        lr_scheduler_name="constant",
        lr_decay_steps=steps // 3,
        device="cpu",
        dead_feature_window=dead_window,
        logger=LoggingConfig(log_to_wandb=False),
    )
    return sae_trainer.SAETrainer(cfg=config, sae=sae, data_provider=batches)


def _find(name: str) -> Any:
    for module in vars(saes).values():
        if hasattr(module, name):
            return getattr(module, name)
    return getattr(sae_lens, name)
