"""What metrics of one activation and of two share: how they are given samples."""

from __future__ import annotations

from abc import abstractmethod

import torch
from torch import Tensor

from regularizers.errors import ConfigurationError, ShapeError
from regularizers.monitor.metrics._samples import Samples
from regularizers.monitor.metrics._streaming import Streaming
from regularizers.monitor.metrics._sums import Sums, named, widened
from regularizers.penalties.arrays import Axes


class Metric(Streaming):
    """A metric of one activation.

    To write one of your own, say in `statistics` which sums it needs of some samples, and in
    `compute` which number follows from them. Batches, masks, parts of a large batch, `merge`,
    several processes, `as_dict` and reports come by themselves. Write it as a dataclass if it has
    settings.

    Example:
        >>> import dataclasses
        >>> import regularizers as rz
        >>> import torch
        >>> @dataclasses.dataclass(eq=False)
        ... class FractionAbove(rz.monitor.Metric):
        ...     threshold: float
        ...
        ...     def statistics(self, samples):
        ...         above = samples.select(samples.x > self.threshold)
        ...         return {"above": above.sum(), "elements": samples.elements}
        ...
        ...     def compute(self, sums):
        ...         return sums["above"] / sums["elements"]
        >>> metric = FractionAbove(1.0)
        >>> metric.update(torch.tensor([[0.0, 2.0], [3.0, 0.5]]))
        >>> metric.as_dict()
        {'fraction_above': 0.5}
    """

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
                    self.add_part(part)

    def add_part(self, samples: Samples) -> None:
        """Count `samples` at once."""
        version = samples.version
        statistics = self.statistics(samples)
        _check_unwritten(version, samples)
        self.take(widened(statistics))

    @abstractmethod
    def statistics(self, samples: Samples) -> Sums:
        """Return sums over `samples`, which add up over batches, parts of them and processes.

        It does not wait for the device, so that nothing is read here.

        Args:
            samples: never none at all; of a large batch a part.

        Returns:
            Sums and counts by name, of 0 dimensions, one number a unit, or any shape that stays
            the same. They are kept in float64 and int64.
        """


class PairMetric(Streaming):
    """A metric of a target and its reconstruction; one of your own is written as a `Metric` is.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> class MeanError(rz.monitor.PairMetric):
        ...     def statistics(self, target, reconstruction):
        ...         error = target.select((target.x - reconstruction.x).abs())
        ...         return {"error": error.sum(), "elements": target.elements}
        ...
        ...     def compute(self, sums):
        ...         return sums["error"] / sums["elements"]
        >>> metric = MeanError()
        >>> metric.update(torch.tensor([[1.0, 2.0]]), torch.tensor([[1.5, 1.0]]))
        >>> metric.as_dict()
        {'mean_error': 0.75}
    """

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
                    self.add_part(of_target, of_reconstruction)

    def add_part(self, target: Samples, reconstruction: Samples) -> None:
        """Count both at once."""
        versions = target.version, reconstruction.version
        statistics = self.statistics(target, reconstruction)
        _check_unwritten(versions[0], target)
        _check_unwritten(versions[1], reconstruction)
        self.take(widened(statistics))

    @abstractmethod
    def statistics(self, target: Samples, reconstruction: Samples) -> Sums:
        """Return sums over the samples of both, as `Metric.statistics` does of one.

        Both are of the same shape, with the same samples and units.
        """


def check_same_shape(target: Tensor, reconstruction: Tensor) -> None:
    """Raise unless a reconstruction has the shape of its target."""
    shapes = [tuple(getattr(x, "shape", ())) for x in (target, reconstruction)]
    if shapes[0] != shapes[1]:
        raise ShapeError(
            f"expected a reconstruction of the shape of its target, {shapes[0]}, got {shapes[1]}; "
            f"reshape one of them"
        )


def _check_unwritten(version: int | None, samples: Samples) -> None:
    """Raise if a metric has written into the array that it was given."""
    if samples.version != version:
        raise ConfigurationError(
            "statistics: expected a function that leaves its samples as they are, got one that "
            "writes into them, which may be the output of a module; make a new array"
        )
