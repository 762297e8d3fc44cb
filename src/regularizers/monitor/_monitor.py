"""The monitor: streaming metrics of the activations of a model."""

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
from regularizers.monitor._hooks import MonitorForwardEnd, MonitorForwardStart, MonitorTap
from regularizers.monitor._observer import MonitorObserver
from regularizers.monitor._places import MonitoredPlace, Pairs, resolve
from regularizers.monitor._readings import Readings
from regularizers.monitor._report import MonitorReport
from regularizers.monitor.metrics import Streaming
from regularizers.penalties.arrays import Axes, check_batch_axis


class Monitor:
    """Metrics of the outputs of modules, over all forwards since the last `reset`.

    The model is not edited: its outputs, gradients, `state_dict` and copies stay the same. `detach`
    removes the hooks, and so does the deletion of this object. Only sums of a forward are kept, on
    its device, and no forward waits for them.

    Args:
        model: any module.
        where: the modules whose outputs are read, as in `activity`: a name, a glob, a type, a
            module, a predicate (module, name), or a list of these. None: only `pairs`.
        metrics: the metrics, such as `[ActiveUnits(), Saturation.of_tanh()]`, with those for pairs.
            By default `ActiveUnits`, `DeadUnits`, `MeanActivation` and `Norm` for sites, and
            `ExplainedVariance` and `FractionOfVarianceUnexplained` for pairs.
        pairs: targets and reconstructions by the name of the pair, such as
            `{"reconstruction": (rz.monitor.input_of("encoder"), "decoder")}`. Each side is one
            module: `input_of(...)`, or a `where` or `output_of(...)` for its output. Both must run
            within one forward of the model.
        select: the part of an output that is no tensor, as in `activity`.
        mask: a function of a module's inputs that returns a boolean tensor over the leading axes
            of its output (for `input_of`, of its input): True where it counts. For a pair, the
            mask of the target is used.
        batch_axis: the axes of samples, for tokens `(0, 1)`; the other axes are units. None: axis
            0; for recurrent layers and attention the axes of sequences and of steps.
        every: read only every N-th forward of the model, starting with the first.
        during: `"training"`, `"evaluation"` or `"always"`: the mode of the model in which it reads.

    Raises:
        SelectionError: `where` matches nothing, or a side of a pair matches several modules.
        ConfigurationError: another setting is invalid.
        RegimeError: the model is in `nn.DataParallel`.

    Warns:
        UserWarning: a metric of `metrics` says nothing at a site, judged by the type of its module:
            exact zeros of a GELU, the ends of a tanh at a ReLU. Of the default metrics the report
            says so.

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
        self._gate: Gate | None = gate
        places, readings = resolve(model, where, metrics, pairs, select)
        self._readings = Readings(readings, str(gate))
        self._places: Sequence[MonitoredPlace] = places
        self._model = model
        self._observer = MonitorObserver(gate, [place.sink for place in places])
        self._unusable: str | None = None
        remove_inert_hooks(model)
        self._handles = self._attach(batch_axis, mask)
        self._detach = weakref.finalize(self, _remove, self._handles, self._observer)
        self._detach.atexit = False

    def __getitem__(self, name: str) -> Mapping[str, Streaming]:
        """Return the metrics of a site or pair by the names of their numbers in `as_dict`.

        `monitor["act"]["dead_units"]` and `monitor["act"]["dead_fraction"]` are one metric, the
        `DeadUnits` of the site. The model itself is `monitor["model"]`; a second metric of one
        class ends in `/2`, `"dead_units/2"`.

        Raises:
            SelectionError: the name is unknown; here, or when a metric is looked up.
        """
        return self._readings[name]

    def as_dict(self) -> dict[str, float]:
        """Return all numbers by `site/number`, for a logger; NaN before any sample.

        Example:
            >>> import regularizers as rz
            >>> import torch
            >>> layer = torch.nn.ReLU()
            >>> monitor = rz.Monitor(layer, "", [rz.monitor.ActiveUnits()])
            >>> _ = layer(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
            >>> monitor.as_dict()
            {'model/active_units': 1.0, 'model/active_fraction': 0.5}
        """
        return self._readings.as_dict()

    def report(self) -> MonitorReport:
        """Return a printable table, with notes on faults. `MonitorReport` shows one."""
        return self._readings.report(None if self._gate is None else self._gate.missed)

    def reset(self) -> None:
        """Drop all samples, as at the end of an epoch.

        Example:
            >>> import regularizers as rz
            >>> import torch
            >>> layer = torch.nn.ReLU()
            >>> monitor = rz.Monitor(layer, "", [rz.monitor.Norm()])
            >>> _ = layer(torch.tensor([[3.0, 4.0]]))
            >>> monitor.reset()
            >>> monitor["model"]["norm"].value()
            nan
        """
        self._readings.reset()
        if self._gate is not None:
            self._gate.forget()

    def merge(self, other: Monitor | Readings) -> None:
        """Add the samples of another monitor, as if they came after those of this one.

        Args:
            other: a monitor of the same sites and metrics, or its readings.

        Raises:
            ConfigurationError: the sites or their metrics differ.
            ShapeError: the numbers of units differ.

        Example:
            >>> import regularizers as rz
            >>> import torch
            >>> layer = torch.nn.ReLU()
            >>> first = rz.Monitor(layer, "", [rz.monitor.Norm()])
            >>> _ = layer(torch.tensor([[3.0, 4.0]]))
            >>> first.detach()
            >>> second = rz.Monitor(layer, "", [rz.monitor.Norm()])
            >>> _ = layer(torch.tensor([[0.0, 1.0]]))
            >>> first.merge(second)
            >>> first["model"]["norm"].value()  # the mean of 5 and 1
            3.0
        """
        self._readings.merge(other._readings if isinstance(other, Monitor) else other)

    def synced(self, group: dist.ProcessGroup | None = None) -> Readings:
        """Return the readings of all processes together: with `as_dict()` and `report()`.

        Every process must call it, and gets the same numbers, on the CPU. The monitor itself does
        not change, so the next call counts no sample twice.

        Args:
            group: the processes; all of them by default. Without `torch.distributed` it is a copy.

        Raises:
            ConfigurationError, ShapeError: the monitors cannot be merged; raised on every process.
        """
        return self._readings.synced(group)

    @contextmanager
    def mask(self, mask: Tensor, where: Wheres | None = None) -> Iterator[None]:
        """Set which elements count, for the forwards in this context.

        Args:
            mask: a boolean tensor over the leading axes of the tensor that is read, True where it
                counts.
            where: the modules that it is for; by default all that are read.

        Raises:
            SelectionError: `where` matches no module that is read.
            CollectionError: the monitor is detached.

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
        masked = self._numbers_of(where)
        before = self._observer.around
        self._observer.around = [mask if n in masked else old for n, old in enumerate(before)]
        try:
            yield
        finally:
            self._observer.around = before

    def detach(self) -> None:
        """Remove the hooks; the model is as before. The numbers stay.

        Example:
            >>> import regularizers as rz
            >>> import torch
            >>> layer = torch.nn.ReLU()
            >>> monitor = rz.Monitor(layer, "", [rz.monitor.Norm()])
            >>> monitor.detach()
            >>> _ = layer(torch.tensor([[3.0, 4.0]]))  # is not read
            >>> monitor
            <Monitor of model, which was detached from its model>
        """
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
        # hooks belong to one monitor, so a copy keeps only the numbers
        return {
            "_readings": self._readings,
            "_gate": None,
            "_unusable": "is a copy, whose hooks stayed with the original",
        }

    def _attach(self, batch_axis: Axes | None, mask: Mask | None) -> list[RemovableHandle]:
        observer = self._observer
        taps = [
            MonitorTap(n, place.source, place.sink.site, observer, self._model, batch_axis, mask)
            for n, place in enumerate(self._places)
        ]
        return [
            self._model.register_forward_pre_hook(MonitorForwardStart(observer), prepend=True),
            *[tap.attach(place.module) for tap, place in zip(taps, self._places, strict=True)],
            self._model.register_forward_hook(MonitorForwardEnd(observer), always_call=True),
        ]

    def _numbers_of(self, where: Wheres | None) -> set[int]:
        """Return the numbers of the taps at the modules that `where` matches."""
        if where is None:
            return set(range(len(self._places)))
        wanted = {module for _, module in select_modules(self._model, where, "mask")}
        numbers = {n for n, place in enumerate(self._places) if place.module in wanted}
        if not numbers:
            raise SelectionError(
                f"mask: {described(where)} matches no module that is read; the readings are "
                f"{', '.join(self._readings.names)}"
            )
        return numbers


def _check(model: object, mask: object, batch_axis: object) -> None:
    check_model(model, "Monitor", "whose readings arrive in no order")
    if mask is not None and not callable(mask):
        raise ConfigurationError(
            f"mask: expected a function of a module's inputs, got a {type(mask).__name__}; a mask "
            f"of one batch goes around its forward: with monitor.mask(mask)"
        )
    check_batch_axis(batch_axis)


def _remove(handles: list[RemovableHandle], observer: MonitorObserver) -> None:
    for handle in handles:
        handle.remove()
    observer.closed = True
