"""The metrics of one site."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

import torch

from regularizers._keys import Keys, legal
from regularizers.monitor._pending import Pending
from regularizers.monitor._report import ReportRow, general_notes
from regularizers.monitor.metrics import (
    Metric,
    PairMetric,
    Reduced,
    Reduction,
    Samples,
    Seen,
    SharedMetric,
    Streaming,
    named,
)


class _Order(NamedTuple):
    """How the metrics of a site are given samples."""

    reductions: list[Reduction]
    """What the metrics that need no arrays read, in one pass."""
    at_once: list[tuple[str, SharedMetric]]
    in_parts: list[tuple[str, Callable[..., None]]]


class SiteMetrics:
    """The metrics of one site or pair, by class name; the second of a class ends in `/2`.

    Args:
        key: the key of the site or pair, with which its numbers begin.
        name: the name of the site or pair in messages and reports.
        metrics: the metrics of the site or pair.
        is_pair: whether it is a target and its reconstruction.
        misfits: which metrics say nothing there, for the report.
    """

    def __init__(
        self,
        key: str,
        name: str,
        metrics: Sequence[Streaming],
        *,
        is_pair: bool = False,
        misfits: Sequence[str] = (),
    ) -> None:
        self.key = key
        self.name = name
        self.is_pair = is_pair
        self.misfits = tuple(misfits)
        self.seen = Seen()
        labels = Keys()
        self.metrics: dict[str, Streaming] = {
            labels.add(type(metric).__name__): metric.fresh() for metric in metrics
        }

    def add(self, *samples: Samples) -> None:
        """Add samples of a site, or of the target and the reconstruction of a pair."""
        first = samples[0]
        if first.is_empty:
            return
        if self._pending.fits(first):
            self._pending.add(first)
            if self._pending.is_full:
                self._join()
            return
        self._join()
        first.read_together(self._order.reductions)
        self._take(first)
        if self._order.in_parts:
            # all metrics of one part before the next: they share its arrays
            for parts in zip(*[each.parts() for each in samples], strict=True):
                for name, add_part in self._order.in_parts:
                    with named(name):
                        add_part(*parts)
        else:
            self._pending.expect(first)
        self.seen.take(self.seen.numbers(first))

    def _join(self) -> None:
        """Give the metrics the batches that were read and wait."""
        with torch.no_grad():
            waiting = self._pending.take()
            if waiting is not None:
                self._take(waiting)
                self.seen.take(self.seen.numbers(waiting))

    def _take(self, samples: Reduced) -> None:
        for name, metric in self._order.at_once:
            with named(name):
                metric.take(metric.numbers(samples))

    @functools.cached_property
    def _pending(self) -> Pending:
        pending = Pending(self._order.reductions)
        for metric in self.every():
            metric.joins_first(self._join)
        return pending

    @functools.cached_property
    def _order(self) -> _Order:
        order = _Order([], [], [])
        for metric in self.metrics.values():
            name = f"{self.name}: {type(metric).__name__}"
            if isinstance(metric, SharedMetric):
                new = [one for one in metric.reads() if one not in order.reductions]
                order.reductions.extend(new)
                order.at_once.append((name, metric))
            elif isinstance(metric, (Metric, PairMetric)):
                order.in_parts.append((name, metric.add_part))
        return order

    def every(self) -> Iterator[Streaming]:
        """Yield the metric that counts samples, and then all others."""
        yield self.seen
        yield from self.metrics.values()

    def as_dict(self) -> dict[str, float]:
        """Return the numbers of all metrics by `site/number`."""
        return {
            legal(f"{self.key}/{number}{again}"): value
            for again, metric in self._numbered()
            for number, value in metric.as_dict().items()
        }

    def row(self) -> ReportRow:
        """Return the row of the report."""
        values = {}
        for again, metric in self._numbered():
            number, value = next(iter(metric.as_dict().items()))
            values[f"{number}{again}"] = value
        return ReportRow(self.name, self.is_pair, self.seen.value(), self.seen.units(), values)

    def _numbered(self) -> Iterator[tuple[str, Streaming]]:
        """Yield each metric with the suffix that distinguishes two of one class."""
        for label, metric in self.metrics.items():
            yield label.removeprefix(type(metric).__name__), metric

    def notes(self, when: str, missed: str | None) -> Iterator[str]:
        """Yield a line for each fault; `when` and `missed` are as in `general_notes`."""
        yield from general_notes(self.row(), when, missed)
        yield from [f"{self.name}: {misfit}" for misfit in self.misfits]
        for metric in self.metrics.values():
            note = metric.note()
            if note is not None:
                yield f"{self.name}: {note}"

    def with_metrics(self, metrics: Sequence[Streaming]) -> SiteMetrics:
        """Return a copy with other metrics, in the order of `every`."""
        made = SiteMetrics(self.key, self.name, (), is_pair=self.is_pair, misfits=self.misfits)
        assert isinstance(metrics[0], Seen)
        made.seen = metrics[0]
        made.metrics = dict(zip(self.metrics, metrics[1:], strict=True))
        return made
