"""What metrics of one activation and of two share: how they are given samples."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from regularizers.errors import ShapeError
from regularizers.monitor.metrics._samples import Samples
from regularizers.monitor.metrics._streaming import State, Streaming, named
from regularizers.penalties.arrays import Axes


class Metric(Streaming):
    """A metric of one activation."""

    def update(self, x: Tensor, *, batch_axis: Axes = 0, mask: Tensor | None = None) -> None:
        """Count the samples of `x`, of which nothing is kept. It does not wait for the device.

        Args:
            x: real floating, on any device; a sample is one index along the batch axes, a unit
                one along all others. Half precision is read as float32. An empty one changes
                nothing.
            batch_axis: which axes count samples; of tokens `(0, 1)`.
            mask: boolean, over the leading axes of `x`: True where it counts. What is False may
                be NaN.

        Raises:
            ArrayTypeError: no plain tensor of a real floating type.
            OutputError: a mask that is not boolean.
            ShapeError: axes or a mask that do not fit, or another number of units than before
                where units are told apart.
        """
        name = type(self).__name__
        with named(name):
            self.add(Samples.of(x, batch_axis, mask, name))

    def add(self, samples: Samples) -> None:
        """Count `samples`."""
        if not samples.is_empty:
            with torch.no_grad():
                for part in samples.parts():
                    self._take(self._measure(part))

    @abstractmethod
    def _measure(self, samples: Samples) -> State:
        """Return the state of `samples`."""


class PairMetric(Streaming):
    """A metric of a target and its reconstruction."""

    def update(
        self,
        target: Tensor,
        reconstruction: Tensor,
        *,
        batch_axis: Axes = 0,
        mask: Tensor | None = None,
    ) -> None:
        """Count the samples of `target` and `reconstruction`, which have the same shape.

        Args:
            target: what was to be reconstructed.
            reconstruction: what came.
            batch_axis: as in `Metric.update`.
            mask: as in `Metric.update`, of both.

        Raises:
            ShapeError: two shapes; or as `Metric.update`.
            ArrayTypeError, OutputError: as `Metric.update`.
        """
        name = type(self).__name__
        with named(name):
            check_same_shape(target, reconstruction)
            first = Samples.of(target, batch_axis, mask, name)
            self.add(first, Samples.of(reconstruction, batch_axis, mask, name))

    def add(self, target: Samples, reconstruction: Samples) -> None:
        """Count `target` and `reconstruction`, sample by sample."""
        if not target.is_empty:
            with torch.no_grad():
                parts = zip(target.parts(), reconstruction.parts(), strict=True)
                for of_target, of_reconstruction in parts:
                    self._take(self._measure(of_target, of_reconstruction))

    @abstractmethod
    def _measure(self, target: Samples, reconstruction: Samples) -> State:
        """Return the state of `target` and `reconstruction`."""


def check_same_shape(target: Tensor, reconstruction: Tensor) -> None:
    """Raise unless a reconstruction has the shape of its target."""
    shapes = [tuple(getattr(x, "shape", ())) for x in (target, reconstruction)]
    if shapes[0] != shapes[1]:
        raise ShapeError(
            f"expected a reconstruction of the shape of its target, {shapes[0]}, got {shapes[1]}; "
            f"reshape one of them"
        )
