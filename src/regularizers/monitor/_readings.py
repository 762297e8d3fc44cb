"""The numbers of a monitor: metrics by the site they are of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch.distributed as dist

from regularizers.errors import ConfigurationError, SelectionError
from regularizers.monitor._reading import Reading
from regularizers.monitor._report import MonitorReport
from regularizers.monitor.metrics import Streaming, named, of_every_process


class Readings:
    """The numbers of a monitor at one moment, or of several processes together.

    `readings["coding"]["DeadUnits"]` is one metric of one site.
    """

    def __init__(self, readings: Sequence[Reading], when: str) -> None:
        self._of = {reading.key: reading for reading in readings}
        self._when = when

    @property
    def names(self) -> list[str]:
        """The sites and pairs."""
        return list(self._of)

    def __getitem__(self, name: str) -> Mapping[str, Streaming]:
        """Return the metrics of a site or pair, by the name of their class.

        Raises:
            SelectionError: another name.
        """
        if name not in self._of:
            raise SelectionError(f"expected one of {', '.join(self._of)}, got {name!r}")
        return self._of[name].metrics

    def as_dict(self) -> dict[str, float]:
        """Return all numbers by `site/number`, for any logger."""
        return {
            key: value for reading in self._of.values() for key, value in reading.as_dict().items()
        }

    def report(self) -> MonitorReport:
        """Return a table for a person, with notes on what is wrong; `print` it."""
        rows = tuple([reading.row() for reading in self._of.values()])
        notes = [note for reading in self._of.values() for note in reading.notes(self._when)]
        return MonitorReport(rows, tuple(notes))

    def reset(self) -> None:
        """Forget all samples."""
        for reading in self._of.values():
            for metric in reading.every():
                metric.reset()

    def merge(self, other: Readings) -> None:
        """Add what `other` has seen, as if its samples had come after.

        Raises:
            ConfigurationError: other sites, or other metrics of them.
            ShapeError: another number of units.
        """
        both = [
            (name, *metrics)
            for name, reading, its in self._with(other)
            for metrics in zip(reading.every(), its.every(), strict=True)
        ]
        for name, metric, another in both:
            with named(name):
                metric.check_mergeable(another)
        for _, metric, another in both:
            metric.merge(another)

    def synced(self, group: dist.ProcessGroup | None = None) -> Readings:
        """Return the readings of all processes together, the same on each, on the CPU.

        Every process must call it; its own readings stay as they are.

        Raises:
            ConfigurationError, ShapeError: processes that cannot be merged.
        """
        everyone = of_every_process(self._on_cpu(), group)
        for other in everyone:
            self._with(other)
        joined = []
        for name, reading in self._of.items():
            parts = [list(other._of[name].every()) for other in everyone]
            with named(name):
                whole = [
                    metric.together([part[i] for part in parts])
                    for i, metric in enumerate(reading.every())
                ]
            joined.append(reading.remade(whole))
        return Readings(joined, self._when)

    def _on_cpu(self) -> Readings:
        readings = [r.remade([metric.on_cpu() for metric in r.every()]) for r in self._of.values()]
        return Readings(readings, self._when)

    def _with(self, other: Readings) -> list[tuple[str, Reading, Reading]]:
        """Return the name of each reading, the reading, and that of the same site in `other`."""
        mine, its = _kinds(self), _kinds(other)
        if mine != its:
            raise ConfigurationError(
                f"merge: expected a monitor of the same sites and metrics, which are {mine}, got "
                f"{its}; make both by the same call"
            )
        return [(name, reading, other._of[name]) for name, reading in self._of.items()]


def _kinds(readings: Readings) -> dict[str, list[str]]:
    return {name: [repr(m) for m in readings[name].values()] for name in readings.names}
