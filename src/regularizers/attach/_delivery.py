"""A delivery: how the gradient of the penalties of one model reaches its parameters."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from regularizers.attach._processes import Processes
from regularizers.attach.reading import Gauge, WeightsInLoss
from regularizers.attach.sites import ActivitySite, FollowHook, Sites, Strengths
from regularizers.errors import ConfigurationError
from regularizers.modules import Masks


@dataclass(frozen=True)
class Attachment:
    """What a delivery is made from: one model, its sites, and the strengths of its penalties."""

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

    A method that another delivery has and this one has not raises a `RegimeError` with the cure.
    """

    weights: WeightsInLoss
    """The weights whose penalty enters with the loss."""
    masks: Masks
    pause: Pause

    @property
    def last(self) -> dict[str, Tensor] | None:
        """The last value of each penalty that has one; None before the first."""

    def attach(self, gauges: Mapping[str, Gauge], follow_hook: FollowHook) -> list[RemovableHandle]:
        """Register the hooks; `follow_hook` lets outputs join that are added later."""

    def add(
        self, activities: Iterable[ActivitySite], gauges: Mapping[str, Gauge]
    ) -> list[RemovableHandle]:
        """Register hooks at new sites, and look for new weights."""

    def close(self) -> None:
        """Stop for good, also where a compiled program still holds the hooks."""

    def penalty(self) -> Tensor:
        """Return the sum of all penalties as a term of the loss."""

    def scale_from(self, loss: Tensor) -> Tensor:
        """Return `loss`, from whose gradient the penalties take their scale."""

    def set_scale(self, scale: float) -> None:
        """Use `scale` where the loss is never seen."""


class Closable(Protocol):
    """What the taps write to; while it is closed they do nothing."""

    closed: bool


class Pause:
    """Closes what the taps write to: for the time of a context, or for good.

    Args:
        written: what they write to.
        weights: what notes the weights of a forward.
    """

    def __init__(self, written: Closable, weights: WeightsInLoss) -> None:
        self._written, self._weights = written, weights
        self._contexts = 0
        self._is_closed = False

    @contextmanager
    def put(self) -> Iterator[None]:
        """Let the forwards in this context not count; contexts may be nested."""
        self._put(1)
        try:
            yield
        finally:
            self._put(-1)

    def close(self) -> None:
        """Let no forward count any more, also of hooks that a compiled program holds."""
        self._is_closed = self._written.closed = True

    def _put(self, more: int) -> None:
        self._contexts += more
        paused = self._contexts > 0
        self._written.closed = self._is_closed or paused
        self._weights.pause(paused)
