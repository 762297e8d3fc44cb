"""Evaluation mode for a while."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import nn


@contextmanager
def evaluation_mode(*models: nn.Module) -> Iterator[None]:
    """Put models into evaluation mode; each part is in its own mode again after, also an error."""
    before = [(model, [(part, part.training) for part in model.modules()]) for model in models]
    try:
        for model, modes in before:
            if any(training for _, training in modes):
                model.eval()
        yield
    finally:
        for model, modes in before:
            if model.training != modes[0][1]:
                model.train(modes[0][1])  # of a module of one's own it may do more
            for part, training in modes:
                if part.training != training:
                    part.training = training
