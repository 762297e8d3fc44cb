"""A training by SAELens, on the same samples, measured as ours are."""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

from regularizers.recipes.superposition import _saelens as saelens
from regularizers.recipes.superposition._config import BATCH
from regularizers.recipes.superposition._figures import Figures, measure
from regularizers.recipes.superposition._search import matched
from regularizers.recipes.superposition._trainings import Training
from regularizers.sae import load


def train_theirs(training: Training) -> Figures | None:
    """Train by SAELens, where it needs a coefficient by a search of it, and measure what it saves.

    Returns:
        The figures; None where weights were not finite in the end.
    """
    with saelens.silenced():
        if training.architecture in saelens.SEARCHED:
            return matched(lambda coefficient: _train(training, coefficient), training.active)
        return _train(training, None)


def _train(training: Training, coefficient: float | None) -> Figures | None:
    source, trainer = training.source(), training.architecture
    units = training.latents(source)
    options = saelens.settings(trainer, units, training.active, coefficient, [])
    began = time.process_time()
    theirs = saelens.build(trainer, source.dimensions, units, options, training.seed)
    saelens.trainer_of(
        theirs,
        iter(training.batches(source)),
        steps=training.steps,
        batch=BATCH,
        learning_rate=training.learning_rate,
    ).fit()
    seconds = time.process_time() - began
    if not all(parameter.isfinite().all() for parameter in theirs.parameters()):
        return None
    with tempfile.TemporaryDirectory() as name:
        theirs.save_inference_model(Path(name))
        # the file of TopK says its k; of the others none says how many are active
        sae = load(name, active=None if trainer == "topk" else training.active)
        return measure(sae, source, seconds)
