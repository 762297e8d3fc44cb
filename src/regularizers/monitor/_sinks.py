"""Sinks: they pass the activations of taps to the metrics of a site or pair."""

from __future__ import annotations

from typing import Protocol

from torch import Tensor

from regularizers.modules import Activation, Totals
from regularizers.monitor._reading import SiteMetrics
from regularizers.monitor.metrics import Samples, check_same_shape, named


class Sink(Protocol):
    """Takes the activations of one tap."""

    site: str
    """The name with which errors begin."""
    waits: bool
    """Whether it needs another tap of the same forward."""

    def take(self, activation: Activation, totals: Totals | None) -> None:
        """Add the activation, whose totals may be known."""

    def forget(self) -> None:
        """Drop an incomplete pair, since the forward has ended."""


class SiteSink:
    """The metrics of one site."""

    def __init__(self, reading: SiteMetrics) -> None:
        self.site = reading.name
        self.waits = False
        self._reading = reading

    def take(self, activation: Activation, totals: Totals | None) -> None:
        """Add the activation."""
        with named(self.site):
            x, axis, mask = activation.x, activation.batch_axis, activation.mask
            self._reading.add(Samples.of(x, axis, mask, self.site, totals))

    def forget(self) -> None:
        """Do nothing: a site holds no activation."""


class Pair:
    """The metrics of a target and its reconstruction, which arrive one after the other.

    The first is copied: later operations may change it in place, and a compiled program reuses its
    memory. The batch axes and the mask of the target hold for both.
    """

    def __init__(self, reading: SiteMetrics) -> None:
        self.reading = reading
        self._held: dict[bool, Activation] = {}

    def take(self, activation: Activation, *, is_target: bool) -> None:
        """Hold one side until the other arrives; a later call of one side replaces it."""
        other = self._held.pop(not is_target, None)
        if other is None:
            self._held[is_target] = activation._replace(x=activation.x.clone())
            return
        target, made = (activation, other) if is_target else (other, activation)
        name = self.reading.name
        with named(name):
            check_same_shape(target.x, made.x)
            self.reading.add(_samples(target.x, target, name), _samples(made.x, target, name))

    def forget(self) -> None:
        """Drop the side that is held."""
        self._held = {}


class PairSink:
    """One side of a pair."""

    def __init__(self, pair: Pair, *, is_target: bool) -> None:
        self.site = pair.reading.name
        self.waits = True
        self._pair = pair
        self._is_target = is_target

    def take(self, activation: Activation, totals: Totals | None) -> None:
        """Add the pair, or hold this side until the other arrives."""
        self._pair.take(activation, is_target=self._is_target)

    def forget(self) -> None:
        """Drop the side that is held."""
        self._pair.forget()


def _samples(x: Tensor, like: Activation, name: str) -> Samples:
    return Samples.of(x, like.batch_axis, like.mask, name)
