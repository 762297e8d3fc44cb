"""Streaming metrics of what a model does."""

from __future__ import annotations

import weakref
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Self

import torch.distributed as dist
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from regularizers.errors import CollectionError, ConfigurationError, SelectionError
from regularizers.modules import (
    Mask,
    Select,
    Wheres,
    check_model,
    described,
    remove_inert_hooks,
    select_modules,
)
from regularizers.monitor._gate import During, Gate
from regularizers.monitor._hooks import Begin, End, Tap
from regularizers.monitor._observer import Watch
from regularizers.monitor._places import Pairs, Place, resolve
from regularizers.monitor._readings import Readings
from regularizers.monitor._report import MonitorReport
from regularizers.monitor.metrics import Streaming
from regularizers.penalties.arrays import Axes, check_batch_axis


class Monitor:
    """Metrics of what modules put out, over the forwards since the last `reset`.

    The model is not edited: its outputs, gradients, `state_dict` and copies are what they were, and
    `detach` takes the hooks away again, as does the end of this object. Nothing of a forward is
    kept but sums, on the device it ran on, and no forward waits for them.

    Args:
        model: any module.
        where: which modules' outputs, as in `activity`: a name, a glob, a type, a module, a
            predicate (module, name), or a list of these. None: only `pairs`.
        metrics: what to measure of each, such as `[ActiveUnits(), Saturation.of_tanh()]`; those of
            pairs among them. By default `ActiveUnits`, `DeadUnits`, `MeanActivation` and `Norm` of
            sites, `ExplainedVariance` and `FractionOfVarianceUnexplained` of pairs.
        pairs: targets with their reconstructions by a name for the two, such as
            `{"reconstruction": (rz.monitor.input_of("encoder"), "decoder")}`. Each side is one
            module: `input_of(...)`, or a `where` or `output_of(...)` for its output. Both must run
            within one forward of the model.
        select: which part of an output that is no tensor, as in `activity`.
        mask: a function of a module's inputs that returns a boolean tensor over the leading axes
            of its output (of `input_of`, its input): True where it counts. Of a pair the mask is
            that of the target.
        batch_axis: which axes count samples, of tokens `(0, 1)`; units are the other axes. None:
            axis 0, and of recurrent layers and attention the axes of sequences and of steps.
        every: read each N-th forward of the model only, from the first on.
        during: `"training"`, `"evaluation"` or `"always"`: the mode the model must be in.

    Raises:
        SelectionError: a `where` that matches nothing, or a side of a pair that matches several.
        ConfigurationError: another setting that cannot be.
        RegimeError: a model in `nn.DataParallel`.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> from torch import nn
        >>> model = nn.Sequential(nn.Linear(8, 4), nn.ReLU(), nn.Linear(4, 8))
        >>> monitor = rz.Monitor(
        ...     model, "1", pairs={"reconstruction": (rz.monitor.input_of("0"), "2")}
        ... )
        >>> for _ in range(3):
        ...     _ = model(torch.randn(16, 8))
        >>> list(monitor.as_dict())
        ['1/active_units', '1/active_fraction', '1/dead_units', '1/dead_fraction',
         '1/mean_activation', '1/norm', '1/root_mean_square',
         'reconstruction/explained_variance', 'reconstruction/variance_unexplained']
    """

    def __init__(
        self,
        model: nn.Module,
        where: Wheres | None = None,
        metrics: Iterable[Streaming] | None = None,
        *,
        pairs: Pairs | None = None,
        select: Select | None = None,
        mask: Mask | None = None,
        batch_axis: Axes | None = None,
        every: int = 1,
        during: During = "training",
    ) -> None:
        _check(model, mask, batch_axis)
        gate = Gate(model, every, during)
        places, readings = resolve(model, where, metrics, pairs, select)
        self._readings = Readings(readings, str(gate))
        self._places: Sequence[Place] = places
        self._model = model
        self._watch = Watch(gate, [place.sink for place in places])
        self._unusable: str | None = None
        remove_inert_hooks(model)
        self._handles = self._attach(batch_axis, mask)
        self._detach = weakref.finalize(self, _remove, self._handles, self._watch)
        self._detach.atexit = False

    def __getitem__(self, name: str) -> Mapping[str, Streaming]:
        """Return the metrics of a site or pair by their class: `monitor["act"]["DeadUnits"]`.

        The model itself is `monitor["model"]`, and a second metric alike `"DeadUnits/2"`.

        Raises:
            SelectionError: another name.
        """
        return self._readings[name]

    def as_dict(self) -> dict[str, float]:
        """Return all numbers by `site/number`, for any logger; NaN before any sample."""
        return self._readings.as_dict()

    def report(self) -> MonitorReport:
        """Return a table for a person, with notes on what is wrong; `print` it."""
        return self._readings.report()

    def reset(self) -> None:
        """Forget all samples, as at the end of an epoch."""
        self._readings.reset()

    def merge(self, other: Monitor | Readings) -> None:
        """Add what another monitor has seen, as if its samples had come after.

        Raises:
            ConfigurationError: other sites, or other metrics of them.
            ShapeError: another number of units.
        """
        self._readings.merge(other._readings if isinstance(other, Monitor) else other)

    def synced(self, group: dist.ProcessGroup | None = None) -> Readings:
        """Return the readings of all processes together: with `as_dict()` and `report()`.

        Every process must call it, and gets the same numbers, on the CPU. Its own monitor stays as
        it is, so that the next call counts no sample twice.

        Args:
            group: the processes; all of them by default. Without `torch.distributed` it is a copy.

        Raises:
            ConfigurationError, ShapeError: monitors that cannot be merged, on every process.
        """
        return self._readings.synced(group)

    @contextmanager
    def mask(self, mask: Tensor, where: Wheres | None = None) -> Iterator[None]:
        """Say for the forwards in this context which elements count.

        Args:
            mask: a boolean tensor over the leading axes of what is read, True where it counts.
            where: of which of the modules that are read; of all by default.

        Raises:
            SelectionError: a `where` that matches no module that is read.
            CollectionError: a monitor that is detached.

        Example:
            >>> import regularizers as rz
            >>> import torch
            >>> layer = torch.nn.ReLU()
            >>> monitor = rz.Monitor(layer, "", [rz.monitor.ActiveUnits()])
            >>> with monitor.mask(torch.tensor([True, False])):
            ...     _ = layer(torch.tensor([[1.0, 2.0, 0.0], [float("nan"), 0.0, 0.0]]))
            >>> monitor.as_dict()["model/active_units"]
            2.0
        """
        if self._unusable is not None:
            raise CollectionError(f"this Monitor {self._unusable}; make a new one: Monitor(model)")
        meant = self._numbers_of(where)
        before = self._watch.around
        self._watch.around = [mask if n in meant else old for n, old in enumerate(before)]
        try:
            yield
        finally:
            self._watch.around = before

    def detach(self) -> None:
        """Take the hooks away: the model is as it was before. The numbers stay."""
        if self._unusable is None:
            self._detach()
            self._unusable = "was detached from its model"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.detach()

    def __repr__(self) -> str:
        state = "" if self._unusable is None else f", which {self._unusable}"
        return f"<Monitor of {', '.join(self._readings.names)}{state}>"

    def __getstate__(self) -> dict[str, object]:
        # hooks belong to one monitor: the copy has the numbers
        return {
            "_readings": self._readings,
            "_unusable": "is a copy, whose hooks stayed with the original",
        }

    def _attach(self, batch_axis: Axes | None, mask: Mask | None) -> list[RemovableHandle]:
        taps = [
            Tap(n, place.source, place.sink.site, self._watch, self._model, batch_axis, mask)
            for n, place in enumerate(self._places)
        ]
        return [
            self._model.register_forward_pre_hook(Begin(self._watch), prepend=True),
            *[tap.attach(place.module) for tap, place in zip(taps, self._places, strict=True)],
            self._model.register_forward_hook(End(self._watch), always_call=True),
        ]

    def _numbers_of(self, where: Wheres | None) -> set[int]:
        """Return the numbers of the taps at the modules that `where` means."""
        if where is None:
            return set(range(len(self._places)))
        wanted = {module for _, module in select_modules(self._model, where, "mask")}
        meant = {n for n, place in enumerate(self._places) if place.module in wanted}
        if not meant:
            raise SelectionError(
                f"mask: {described(where)} matches no module that is read; the readings are "
                f"{', '.join(self._readings.names)}"
            )
        return meant


def _check(model: object, mask: object, batch_axis: object) -> None:
    check_model(model, "Monitor", "whose readings meet in no order")
    if mask is not None and not callable(mask):
        raise ConfigurationError(
            f"mask: expected a function of a module's inputs, got a {type(mask).__name__}; a mask "
            f"of one batch goes around its forward: with monitor.mask(mask)"
        )
    check_batch_axis(batch_axis)


def _remove(handles: list[RemovableHandle], watch: Watch) -> None:
    for handle in handles:
        handle.remove()
    watch.closed = True
