"""The observer: the state that the hooks of one monitor share."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from regularizers.modules import Activation, Pass, Totals, current_pass, eager_only, masked
from regularizers.monitor import _compiled_ops as _program
from regularizers.monitor._gate import Gate
from regularizers.monitor._sinks import Sink
from regularizers.monitor._transforms import outside, unwrapped


class MonitorObserver:
    """Decides whether a forward is read, and passes activations to the metrics."""

    def __init__(self, gate: Gate, sinks: Sequence[Sink]) -> None:
        self.handle = _program.OBSERVERS.add(self)
        self.order = torch.zeros(())
        self.closed = False
        self.around: list[Tensor | None] = [None] * len(sinks)
        """The mask that `with monitor.mask(...)` sets for each tap."""
        self._gate = gate
        self._sinks = tuple(sinks)

    @eager_only
    def begin(self) -> None:
        """Begin a forward of the model."""
        if self._counts():
            self._gate.begin()
            self._forget()

    def read(self, tap: int, activation: Activation) -> None:
        """Add the activation of a tap, if this forward is read."""
        if self.wants(tap):
            self.take(tap, activation)

    @eager_only
    def end(self) -> None:
        """End the forward of the model."""
        if self._counts():
            self._gate.end()
            self._forget()

    def wants(self, tap: int) -> bool:
        """Return whether this call of a tap is read; call it once per call of the tap."""
        return self._counts() and self._gate.lets_through(tap)

    def take(self, tap: int, activation: Activation, totals: Totals | None = None) -> None:
        """Add an activation to the metrics, outside of any graph and without waiting.

        `totals` are those of the whole activation that are known, to which others are added.
        """
        sink, around = self._sinks[tap], self.around[tap]
        x = unwrapped(activation.x, sink.site)
        mask = activation.mask
        mask = mask if mask is None else unwrapped(mask, sink.site)
        with outside(), torch.no_grad():
            read = Activation(x, activation.batch_axis, mask)
            if around is not None:
                read, totals = masked(read, around, sink.site), None
            if self._gate.in_forward or not sink.waits:
                sink.take(read, totals)

    def _counts(self) -> bool:
        # a recomputation of a checkpoint was already read in the forward
        return not self.closed and current_pass() is Pass.FORWARD

    def _forget(self) -> None:
        for sink in self._sinks:
            sink.forget()
