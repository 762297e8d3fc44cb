"""One forward of a model in evaluation, after which it is as before."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from typing import Any, TypeAlias

import torch
from torch import nn

from regularizers.errors import DataError
from regularizers.sae._evaluation_mode import evaluation_mode

Forward: TypeAlias = Callable[[nn.Module, Any], Any]
"""Runs a model on a batch of data."""


@contextmanager
def evaluated(model: nn.Module) -> Iterator[None]:
    """Run in evaluation mode and without gradients; every module gets its own mode back.

    Compiled parts run eagerly and attention without its fused path, as neither calls the hooks of
    all modules.
    """
    fused = torch.backends.mha.get_fastpath_enabled()
    try:
        torch.backends.mha.set_fastpath_enabled(False)
        with evaluation_mode(model), torch.no_grad(), _eager(model):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(fused)


def _eager(model: nn.Module) -> Any:
    compiled = any(
        module._compiled_call_impl is not None or hasattr(module, "_orig_mod")
        for module in model.modules()
    )
    # the import of the compiler takes seconds, so that it is asked only if it is in use
    return torch.compiler.set_stance("force_eager") if compiled else nullcontext()


def run_on(model: nn.Module, batch: Any) -> Any:
    """Run the model on a dictionary as keywords, on the first of a tuple or list, or on the batch.

    Raises:
        DataError: the batch is an empty tuple or list.
    """
    # weights that are loaded only when they are used have no device before
    held = [x for x in (*model.parameters(), *model.buffers()) if not x.is_meta]
    device = held[0].device if held else None

    def moved(value: Any) -> Any:
        return value.to(device) if device is not None and hasattr(value, "to") else value

    if isinstance(batch, Mapping):
        return model(**{key: moved(value) for key, value in batch.items()})
    # a PackedSequence is a tuple, and one input
    if isinstance(batch, (tuple, list)) and not hasattr(batch, "batch_sizes"):
        if not batch:
            raise DataError("data: expected a batch with the model's input first, got an empty one")
        return model(moved(batch[0]))
    return model(moved(batch))
