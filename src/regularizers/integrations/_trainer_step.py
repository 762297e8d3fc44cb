"""A scale that holds within the training steps of a Trainer, and nowhere else."""

from __future__ import annotations

import sys
from collections.abc import Callable
from typing import Any

from transformers import Trainer

from regularizers.attach import Regularization
from regularizers.errors import RegimeError
from regularizers.integrations._training_step import replace


def trainer_in_use() -> Trainer:
    """Return the Trainer that calls a callback, which is not told of it.

    Raises:
        RegimeError: none does.
    """
    frame = sys._getframe(1)
    while frame is not None:
        caller = frame.f_locals.get("self")
        if isinstance(caller, Trainer):
            return caller
        frame = frame.f_back  # type: ignore[assignment]
    raise RegimeError(
        "Regularizing: expected to be called by a transformers.Trainer, whose steps have the scale "
        "of the loss, got another caller; use a regularizers.Regularization in its loop"
    )


def scale_within(
    trainer: Trainer, reg: Regularization, scale: Callable[[], float]
) -> Callable[[], object]:
    """Set a scale for each training step, forward and backward, and none after it.

    A training that breaks off tells no callback. So what comes after it raises at its first
    backward pass, where it would have the penalties of a training that has ended.

    Returns:
        A function that leaves the Trainer as it was.
    """
    step = trainer.training_step

    def training_step(*args: Any, **kwargs: Any) -> Any:
        reg.set_scale(scale())
        try:
            return step(*args, **kwargs)
        finally:
            reg.set_scale(None)

    return replace(trainer, training_step)
