"""The perceptron as Keras 3 trains it, with PyTorch below."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from benchmarks.speed.settings import Settings


def is_installed() -> bool:
    """Return whether Keras is installed."""
    return importlib.util.find_spec("keras") is not None


def steps(settings: Settings) -> tuple[dict[str, Callable[[], object]], int]:
    """Return `train_on_batch` without and with L1 of each output, and the elements of these.

    Raises:
        RuntimeError: Keras was imported before, with another backend.
    """
    width, layers, batch = (8, 4, 6) if settings.quick else (512, 24, 256)
    inputs = torch.randn(batch, width).to(settings.device)
    targets = torch.randint(10, (batch,)).to(settings.device)
    contenders: dict[str, Callable[[], object]] = {}
    for name, strength in {"without": None, "activity_regularizer": 1e-6}.items():
        model = _perceptron(width, layers, strength)
        contenders[name] = partial(model.train_on_batch, inputs, targets)
    return contenders, layers * batch * width


def _perceptron(width: int, layers: int, strength: float | None) -> Any:
    keras = _keras()
    regularizer = None if strength is None else keras.regularizers.L1(strength)
    dense = [
        keras.layers.Dense(width, activation="relu", activity_regularizer=regularizer)
        for _ in range(layers)
    ]
    model = keras.Sequential([keras.Input((width,)), *dense, keras.layers.Dense(10)])
    model.compile(
        optimizer=keras.optimizers.Adam(1e-4),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=False,
    )
    return model


def _keras() -> Any:
    os.environ.setdefault("KERAS_BACKEND", "torch")
    import keras  # type: ignore[import-untyped]

    if keras.backend.backend() != "torch":
        raise RuntimeError(
            f"expected Keras with the backend torch, got {keras.backend.backend()}; it was "
            f"imported or configured before, so set KERAS_BACKEND=torch"
        )
    return keras
