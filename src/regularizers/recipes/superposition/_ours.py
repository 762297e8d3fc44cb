"""A training by this library."""

from __future__ import annotations

import time
import warnings
from dataclasses import replace
from typing import cast

import torch

from regularizers.recipes._settings import Architecture
from regularizers.recipes.superposition._figures import Figures, measure
from regularizers.recipes.superposition._trainings import Training
from regularizers.sae import SparseAutoencoder, debias, train


def train_ours(training: Training) -> Figures:
    """Train by `rz.sae.train`, after L1 refit by `rz.sae.debias`, and measure."""
    source = training.source()
    data = training.batches(source)
    torch.manual_seed(training.seed)
    architecture = cast("Architecture", training.architecture)
    began = time.process_time()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        sae = SparseAutoencoder(
            source.dimensions, training.latents(source), training.active, architecture
        )
        train(
            sae,
            data,
            learning_rate=training.learning_rate,
            seed=training.seed,
            accelerator="cpu",  # where theirs are trained and processor time is measured
        )
        if architecture == "l1":
            debias(sae, data, seed=training.seed)
    seconds = time.process_time() - began
    said = tuple(dict.fromkeys(str(one.message) for one in caught))
    return replace(measure(sae, source, seconds), warnings=said)
