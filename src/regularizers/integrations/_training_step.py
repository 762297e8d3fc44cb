"""The training step of a trainer, as one forward of a module."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from torch import nn


class TrainingStep(nn.Module):
    """The modules of a model, whose forward is a step of training without an output.

    One step is one forward then, whether it calls the model, or parts of it, or, as under DDP, runs
    within the forward of the model, which it calls again. The model has no hook of its own.

    Args:
        model: of which the names are.
        step: returns what the training step does.
    """

    def __init__(self, model: nn.Module, step: Callable[..., Any]) -> None:
        super().__init__()
        self._modules, self._parameters = model._modules, model._parameters
        self._buffers = model._buffers
        self._model, self._step, self._returned = (model,), step, None
        # errors name the root by its class
        self.__class__ = type(type(model).__name__, (TrainingStep,), {})

    def forward(self, *args: Any, **kwargs: Any) -> None:
        """Make the step. A rule for the root finds no tensor, and raises."""
        self._returned = self._step(*args, **kwargs)

    def returned(self, *args: Any, **kwargs: Any) -> Any:
        """Make the step and return what it does."""
        self.training = self._model[0].training
        try:
            self(*args, **kwargs)
            return self._returned
        finally:
            self._returned = None


def replace(trainer: object, step: Callable[..., Any]) -> Callable[[], object]:
    """Let a trainer or strategy call `step` for its `training_step`; return what undoes it.

    Several are nested. They end together, so the first that is undone undoes all.
    """
    own = vars(trainer)
    before = own.get("training_step", None)
    before = getattr(before, "before", before)

    def replaced(*args: Any, **kwargs: Any) -> Any:
        return step(*args, **kwargs)

    replaced.before = before  # type: ignore[attr-defined]
    own["training_step"] = replaced
    if before is None:
        return lambda: own.pop("training_step", None)
    return lambda: own.update(training_step=before)
