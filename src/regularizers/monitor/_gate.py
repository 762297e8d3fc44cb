"""The gate: which forwards of a model are read."""

from __future__ import annotations

import weakref
from collections import Counter
from typing import Literal, TypeAlias, get_args

from torch import nn

from regularizers.errors import ConfigurationError

During: TypeAlias = Literal["training", "evaluation", "always"]


class Gate:
    """Opens for every N-th forward of a model in the chosen mode.

    A module that is called outside of the model's own forward counts its own calls.
    """

    def __init__(self, model: nn.Module, every: int, during: During) -> None:
        if type(every) is not int or every < 1:
            raise ConfigurationError(
                f"every: expected an integer, 1 or more, for every N-th forward, got {every!r}"
            )
        if during not in get_args(During):
            raise ConfigurationError(
                f"during: expected one of {', '.join(map(repr, get_args(During)))}, got {during!r}"
            )
        self.during = during
        self.every = every
        self.in_forward = False
        self._model = weakref.ref(model)
        self._counts: Counter[int | None] = Counter()
        self._open = False
        self._has_read = False
        self._passed_over: Counter[int | None] = Counter()

    def __str__(self) -> str:
        mode = {"always": "any mode"}.get(self.during, self.during)
        return f"{mode}, of which every {self.every}th forward is read" if self.every > 1 else mode

    @property
    def missed(self) -> str | None:
        """What to do if every forward since `forget` was in the other mode; None if none was."""
        forwards = self._passed_over[None] or max(self._passed_over.values(), default=0)
        if self._has_read or not forwards:
            return None
        other = "evaluation" if self.during == "training" else "training"
        number = "1 forward" if forwards == 1 else f"{forwards} forwards"
        return f'the model ran only in {other} mode ({number}); say Monitor(..., during="{other}")'

    def forget(self) -> None:
        """Forget in which mode the model has run."""
        self._has_read = False
        self._passed_over.clear()

    def begin(self) -> None:
        """Decide whether the forward that begins is read."""
        self._open = self._next(None)
        self.in_forward = True

    def end(self) -> None:
        """End the forward."""
        self.in_forward = False

    def lets_through(self, tap: int) -> bool:
        """Return whether this call of a tap is read; call it once per call of the tap."""
        return self._open if self.in_forward else self._next(tap)

    def _next(self, caller: int | None) -> bool:
        model = self._model()
        if model is None:
            return False
        mode = "training" if model.training else "evaluation"
        if self.during not in (mode, "always"):
            self._passed_over[caller] += 1
            return False
        self._has_read = True
        self._counts[caller] += 1
        return (self._counts[caller] - 1) % self.every == 0
