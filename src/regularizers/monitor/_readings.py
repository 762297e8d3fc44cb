"""The readings of a monitor: metrics by site."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch.distributed as dist

from regularizers.errors import ConfigurationError, SelectionError
from regularizers.monitor._metrics_of_site import MetricsOfSite
from regularizers.monitor._reading import SiteMetrics
from regularizers.monitor._report import MonitorReport
from regularizers.monitor.metrics import Streaming, named, of_every_process


class Readings:
    """The numbers of a monitor, or of the monitors of several processes together.

    `readings["coding"]["dead_units"]` is one metric of one site. `Monitor.synced` makes them.

    Args:
        readings: the metrics of each site and pair.
        when: which forwards they are of, for the notes of a report.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> layer = torch.nn.ReLU()
        >>> monitor = rz.Monitor(layer, "", [rz.monitor.ActiveUnits()])
        >>> _ = layer(torch.tensor([[3.0, 4.0], [0.0, 0.0]]))
        >>> readings = monitor.synced()  # of all processes; here there is one
        >>> readings.names
        ['model']
        >>> readings.as_dict()
        {'model/active_units': 1.0, 'model/active_fraction': 0.5}
        >>> readings["model"]["active_units"].value()
        1.0
    """

    def __init__(self, readings: Sequence[SiteMetrics], when: str) -> None:
        self._of = {reading.key: reading for reading in readings}
        self._when = when

    @property
    def names(self) -> list[str]:
        """The keys of the sites and pairs."""
        return list(self._of)

    def __getitem__(self, name: str) -> Mapping[str, Streaming]:
        """Return the metrics of a site or pair, by the names of their numbers.

        Raises:
            SelectionError: the name is unknown.
        """
        if name not in self._of:
            raise SelectionError(f"expected one of {', '.join(self._of)}, got {name!r}")
        return MetricsOfSite(self._of[name].name, self._of[name].metrics)

    def as_dict(self) -> dict[str, float]:
        """Return all numbers by `site/number`, for a logger."""
        return {
            key: value for reading in self._of.values() for key, value in reading.as_dict().items()
        }

    def report(self, missed: str | None = None) -> MonitorReport:
        """Return a printable table, with notes on faults.

        Args:
            missed: why no sample was seen, if that is known.
        """
        rows = tuple([reading.row() for reading in self._of.values()])
        notes = [
            note for reading in self._of.values() for note in reading.notes(self._when, missed)
        ]
        return MonitorReport(rows, tuple(notes))

    def reset(self) -> None:
        """Drop all samples."""
        for reading in self._of.values():
            for metric in reading.every():
                metric.reset()

    def merge(self, other: Readings) -> None:
        """Add the samples of `other`, as if they came after those of this one.

        Args:
            other: readings of the same sites and metrics.

        Raises:
            ConfigurationError: the sites or their metrics differ.
            ShapeError: the numbers of units differ.
        """
        both = [
            (name, *metrics)
            for name, reading, its in self._paired_with(other)
            for metrics in zip(reading.every(), its.every(), strict=True)
        ]
        for name, metric, another in both:
            with named(name):
                metric.check_mergeable(another)
        for _, metric, another in both:
            metric.merge(another)

    def synced(self, group: dist.ProcessGroup | None = None) -> Readings:
        """Return the readings of all processes together, the same on each, on the CPU.

        Every process must call it; its own readings do not change.

        Args:
            group: the processes; all of them by default. Without `torch.distributed` it is a copy.

        Raises:
            ConfigurationError, ShapeError: the readings of the processes cannot be merged.
        """
        everyone = of_every_process(self._on_cpu(), group)
        for other in everyone:
            self._paired_with(other)
        joined = []
        for name, reading in self._of.items():
            parts = [list(other._of[name].every()) for other in everyone]
            with named(name):
                whole = [
                    metric.together([part[i] for part in parts])
                    for i, metric in enumerate(reading.every())
                ]
            joined.append(reading.with_metrics(whole))
        return Readings(joined, self._when)

    def _on_cpu(self) -> Readings:
        readings = [
            r.with_metrics([metric.on_cpu() for metric in r.every()]) for r in self._of.values()
        ]
        return Readings(readings, self._when)

    def _paired_with(self, other: Readings) -> list[tuple[str, SiteMetrics, SiteMetrics]]:
        """Return the key of each site, and its metrics here and in `other`."""
        mine, its = _metrics_by_site(self), _metrics_by_site(other)
        if mine != its:
            raise ConfigurationError(
                f"merge: expected a monitor of the same sites and metrics, which are {mine}, got "
                f"{its}; make both by the same call"
            )
        return [(name, reading, other._of[name]) for name, reading in self._of.items()]


def _metrics_by_site(readings: Readings) -> dict[str, list[str]]:
    return {name: [repr(m) for m in readings[name].values()] for name in readings.names}
