"""Options of `lightning.Trainer` that `train` passes on, and those that it refuses."""

from __future__ import annotations

import inspect
from difflib import get_close_matches
from typing import Any

import lightning
from lightning.pytorch.callbacks import GradientAccumulationScheduler

from regularizers.errors import ConfigurationError

_SETTINGS = {
    "max_steps": "steps=",
    "max_epochs": "steps=",
    "min_steps": "steps=",
    "min_epochs": "steps=",
    "limit_train_batches": "steps=",
    "overfit_batches": "steps=",
    "gradient_clip_val": "clip=",
    "enable_progress_bar": "progress=",
    "enable_checkpointing": "checkpoints=",
}
"""Options that are settings of `train` under another name."""

_OWN = ("steps", "learning_rate", "batch_size", "revive", "clip", "seed", "checkpoints", "progress")
_PRECISIONS = (None, 32, "32", "32-true", "bf16-mixed")
_SHARDED = ("fsdp", "deepspeed", "modelparallel", "model_parallel")


def check_trainer_options(options: dict[str, Any]) -> int:
    """Return how many batches are accumulated for one step.

    Args:
        options: what `train` was given for the trainer.

    Raises:
        ConfigurationError: an option that is a setting of `train`, or with which the training would
            not be what `train` says.
    """
    known = [*inspect.signature(lightning.Trainer.__init__).parameters][1:]
    for name, value in options.items():
        if name in _SETTINGS:
            raise ConfigurationError(
                f"{name}: expected the setting {_SETTINGS[name]} of train in its place, got "
                f"{name}={value!r}"
            )
        if name not in known:
            near = get_close_matches(name, [*_OWN, *known], 1)
            cure = f"; do you mean {near[0]}=?" if near else ""
            raise ConfigurationError(
                f"{name}: expected a setting of train or an option of lightning.Trainer, got "
                f"{name}={value!r}{cure}"
            )
    _check_precision(options.get("precision"))
    _check_strategy(options.get("strategy"))
    accumulated = options.get("accumulate_grad_batches", 1)
    if type(accumulated) is not int or accumulated < 1:
        raise ConfigurationError(
            f"accumulate_grad_batches: expected an integer of 1 or more, got {accumulated!r}"
        )
    for callback in callbacks_of(options):
        if isinstance(callback, GradientAccumulationScheduler):
            raise ConfigurationError(
                "callbacks: expected none that changes how many batches are accumulated, since the "
                "schedule counts steps, got a GradientAccumulationScheduler; write "
                "accumulate_grad_batches=4"
            )
    return accumulated


def callbacks_of(options: dict[str, Any]) -> list[lightning.Callback]:
    """Return the callbacks among the options, of which one may stand alone."""
    callbacks = options.get("callbacks") or []
    return [callbacks] if isinstance(callbacks, lightning.Callback) else [*callbacks]


def plugins_of(options: dict[str, Any]) -> list[Any]:
    """Return the plugins among the options, of which one may stand alone."""
    plugins = options.get("plugins") or []
    return [*plugins] if isinstance(plugins, list | tuple) else [plugins]


def _check_precision(precision: Any) -> None:
    if precision in _PRECISIONS:
        return
    cure = {
        "16-mixed": "'bf16-mixed' has the range of float32 and needs no scaler, which skips steps",
        "64-true": "sae.double() before is the same",
    }.get(str(precision), "parameters of half precision lose the small steps of Adam")
    raise ConfigurationError(
        f"precision: expected '32-true', that of the autoencoder, or 'bf16-mixed', got "
        f"{precision!r}; {cure}"
    )


def _check_strategy(strategy: Any) -> None:
    name = strategy if isinstance(strategy, str) else type(strategy).__name__
    if name.lower().startswith(_SHARDED):
        raise ConfigurationError(
            f"strategy: expected 'auto', 'ddp' or another that keeps the whole autoencoder on each "
            f"device, got {name!r}, which shards it: columns of norm 1 and revival need whole "
            f"directions; rz.sae.memory(...) says how much room a device needs"
        )
