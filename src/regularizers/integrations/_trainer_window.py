"""The batches that a Trainer accumulates before a step, counted as the Trainer counts them."""

from __future__ import annotations

import math
from typing import Any

from regularizers.errors import RegimeError


class Window:
    """How many batches the running accumulation window has; the last one of an epoch is shorter.

    Args:
        args: the Trainer's arguments.
        loader: its prepared loader of training data.
        step: the steps of the optimizer that were made before.

    Raises:
        RegimeError: batches are accumulated, and the loader has no length.
    """

    def __init__(self, args: Any, loader: Any, step: int) -> None:
        self._longest: int = args.gradient_accumulation_steps
        self._in_epoch = self._length(loader)
        self._ahead = 0
        if step and not args.ignore_data_skip and self._in_epoch < math.inf:
            in_epoch = max(math.ceil(self._in_epoch / self._longest), 1)
            self._ahead = step % in_epoch * self._longest
        self._done = self._left = 0

    def begin_epoch(self) -> None:
        """Count from the first batch; the epoch of a resumed training has some behind it."""
        self._done, self._ahead, self._left = self._ahead, 0, 0

    def begin(self) -> int:
        """Begin a window, and return how many batches it has."""
        self._left = int(min(self._longest, self._in_epoch - self._done))
        return self._left

    def count(self) -> None:
        """Count a batch, whose backward pass is done."""
        self._left, self._done = self._left - 1, self._done + 1

    def check_is_full(self) -> None:
        """Raise unless the window has had the batches that it was to have."""
        if self._left:
            raise RegimeError(
                f"gradient_accumulation_steps={self._longest}: expected {self._in_epoch} batches "
                f"in an epoch, as the loader's length says, and {self._left} of the last window "
                f"did not come, so that its penalties have the wrong scale; no step was made with "
                f"them; give the dataset the length that it has, or "
                f"gradient_accumulation_steps=1"
            )

    def _length(self, loader: Any) -> float:
        try:
            return len(loader)
        except (TypeError, AttributeError):  # as the Trainer's own has_length
            if self._longest == 1:
                return math.inf
            raise RegimeError(
                f"gradient_accumulation_steps={self._longest}: the training data have no length, "
                f"so it is not known how many batches the last window will have, by which the "
                f"penalties of activities are to be divided; give the dataset a __len__, use "
                f"gradient_accumulation_steps=1 with larger batches, or rules for weights only"
            ) from None
