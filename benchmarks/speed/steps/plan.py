"""The steps that are timed beside each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import torch
from benchmarks.speed.cases import Case
from benchmarks.speed.settings import Settings
from benchmarks.speed.steps import in_keras
from benchmarks.speed.steps.allocator import keep_freed_memory
from benchmarks.speed.steps.memory import peaks_over
from benchmarks.speed.steps.step import Step, Variant
from benchmarks.speed.steps.subjects import Subject, subjects
from benchmarks.speed.steps.ways import ACTIVITY, WEIGHTS
from benchmarks.speed.timing import Contenders

GROUP = "steps"

NOTES: Mapping[Variant, str] = {
    "plain": "By hand: hooks append a number each, which are summed into the loss.",
    "compiled": "The model is compiled, with its hooks, and no more; nn.LSTM cannot be.",
    "checkpointed": "Each block is checkpointed, non-reentrant, so its hooks run twice.",
}


def cases(settings: Settings) -> Iterator[Case]:
    """Yield whole steps of four networks in three ways of training, and steps of Keras."""
    if not settings.quick:
        keep_freed_memory()
    for subject in subjects(settings):
        for variant in NOTES:
            if subject.compiles or variant != "compiled":
                yield _outputs(subject, variant, settings)
        yield _weights(subject, settings)
    if in_keras.is_installed():
        yield _keras(settings)


def _outputs(subject: Subject, variant: Variant, settings: Settings) -> Case:
    figures: dict[str, float] = {}

    def make() -> Contenders:
        if variant == "compiled" and not settings.quick:
            torch.compiler.reset()  # programs of earlier cases count against its limit
        steps = {name: Step(subject, way, settings, variant) for name, way in ACTIVITY.items()}
        figures["elements"] = elements = subject.count_penalised()
        figures.update(peaks_over("without", steps, elements, settings.device))
        return steps

    what = f"{subject.name}, {variant}"
    # bounds of a few percent are stated for plain steps
    longer = 4.0 if variant == "plain" else 1.0
    return Case(GROUP, what, "without", make, figures, NOTES[variant], longer)


def _weights(subject: Subject, settings: Settings) -> Case:
    figures: dict[str, float] = {}

    def make() -> Contenders:
        steps = {name: Step(subject, way, settings) for name, way in WEIGHTS.items()}
        elements = sum(p.numel() for p in steps["without"].model.parameters())
        figures["elements"] = elements
        figures.update(peaks_over("without", steps, elements, settings.device))
        return steps

    note = "Squares of kernels, plain; weight_decay is of all parameters."
    return Case(GROUP, f"{subject.name}, weights", "without", make, figures, note)


def _keras(settings: Settings) -> Case:
    figures: dict[str, float] = {}

    def make() -> Contenders:
        steps, elements = in_keras.steps(settings)
        figures["elements"] = elements
        figures.update(peaks_over("without", steps, elements, settings.device))
        return steps

    note = "train_on_batch of the same network; its ratio is to its own step without."
    return Case(GROUP, "MLP in Keras, torch backend, plain", "without", make, figures, note)
