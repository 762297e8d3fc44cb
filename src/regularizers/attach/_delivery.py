"""A delivery: how the gradient of the penalties of one model reaches its parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from regularizers.attach.reading import Gauge, WeightsInLoss
from regularizers.attach.sites import ActivitySite, FollowHook, Sites, Strengths
from regularizers.errors import ConfigurationError
from regularizers.modules import Masks, Processes


@dataclass(frozen=True)
class Attachment:
    """The arguments of a delivery: a model, its sites, and the strengths of its penalties."""

    model: nn.Module
    sites: Sites
    strengths: Strengths
    processes: Processes
    max_uncollected: int

    def __post_init__(self) -> None:
        if self.max_uncollected < 1:
            raise ConfigurationError(
                f"max_uncollected: expected 1 or more forwards, got {self.max_uncollected}"
            )


class Delivery(Protocol):
    """Reads the sites of one model, and delivers the gradient of their penalties.

    A method that only another delivery supports raises a `RegimeError` with the cure.
    """

    weights: WeightsInLoss
    """The weights whose penalty enters with the loss."""
    masks: Masks
    pause: Pause

    @property
    def last(self) -> dict[str, Tensor] | None:
        """The last value of each penalty that has one; None before the first."""

    def attach(self, gauges: Mapping[str, Gauge], follow_hook: FollowHook) -> list[RemovableHandle]:
        """Register the hooks; `follow_hook` adds sites when the model gains modules."""

    def add(
        self, activities: Iterable[ActivitySite], gauges: Mapping[str, Gauge]
    ) -> list[RemovableHandle]:
        """Register hooks at new sites, and add new weights."""

    def close(self) -> None:
        """Stop for good, also in hooks that a compiled program still holds."""

    def penalty(self) -> Tensor:
        """Return the sum of all penalties as a term of the loss."""

    def scale_from(self, loss: Tensor) -> Tensor:
        """Return `loss`; its gradient is the scale of the penalties."""

    def set_scale(self, scale: float | None) -> None:
        """Use `scale` where no loss goes through `scale_from`."""

    def check_fired(self) -> None:
        """Raise if an output that a rule selects has never fired with gradients."""


class Closable(Protocol):
    """The object that taps write to; while it is closed they do nothing."""

    closed: bool


class Pause:
    """Closes the object that the taps write to, within a context or for good.

    Args:
        written: the object that they write to.
        weights: records the weights that a forward uses.
    """

    def __init__(self, written: Closable, weights: WeightsInLoss) -> None:
        self._written, self._weights = written, weights
        self._contexts = 0
        self._is_closed = False

    @contextmanager
    def put(self) -> Iterator[None]:
        """Ignore the forwards in this context; contexts may be nested."""
        self._put(1)
        try:
            yield
        finally:
            self._put(-1)

    def close(self) -> None:
        """Ignore all forwards for good, also in hooks that a compiled program holds."""
        self._is_closed = self._written.closed = True

    def _put(self, more: int) -> None:
        self._contexts += more
        paused = self._contexts > 0
        self._written.closed = self._is_closed or paused
        self._weights.pause(paused)
