"""The metrics of one site."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from regularizers.monitor._report import ReportRow, general_notes
from regularizers.monitor.metrics import Metric, PairMetric, Samples, Seen, Streaming, named


class SiteMetrics:
    """The metrics of one site or pair, by the name of their class; of two alike `#2` is next."""

    def __init__(self, name: str, metrics: Sequence[Streaming], *, is_pair: bool = False) -> None:
        self.name = name
        self.is_pair = is_pair
        self.seen = Seen()
        self.metrics: dict[str, Streaming] = {}
        counts: Counter[str] = Counter()
        for metric in metrics:
            kind = type(metric).__name__
            counts[kind] += 1
            label = kind if counts[kind] == 1 else f"{kind}#{counts[kind]}"
            self.metrics[label] = metric.fresh()

    def add(self, *samples: Samples) -> None:
        """Count samples of the site; of a pair, those of the target and the reconstruction."""
        # part by part, so that the metrics share what each computes of one
        for parts in zip(*[each.parts() for each in samples], strict=True):
            for metric in self.metrics.values():
                with named(f"{self.name}: {type(metric).__name__}"):
                    if isinstance(metric, Metric):
                        metric.add(parts[0])
                    elif isinstance(metric, PairMetric):
                        metric.add(*parts)
            self.seen.add(parts[0])

    def every(self) -> Iterator[Streaming]:
        """Yield the metrics, and what counts the samples."""
        yield self.seen
        yield from self.metrics.values()

    def as_dict(self) -> dict[str, float]:
        """Return the numbers of all metrics by `site/number`."""
        numbers = {}
        for label, metric in self.metrics.items():
            again = label.partition("#")[2]
            for key, value in metric.as_dict().items():
                numbers[f"{self.name}/{key}#{again}" if again else f"{self.name}/{key}"] = value
        return numbers

    def row(self) -> ReportRow:
        """Return what the report shows."""
        values = {}
        for label, metric in self.metrics.items():
            key, value = next(iter(metric.as_dict().items()))
            again = label.partition("#")[2]
            values[f"{key}#{again}" if again else key] = value
        return ReportRow(self.name, self.is_pair, self.seen.value(), self.seen.units(), values)

    def notes(self, when: str) -> Iterator[str]:
        """Yield what is wrong, a line each; `when` says which forwards were read."""
        yield from general_notes(self.row(), when)
        for metric in self.metrics.values():
            note = metric.note()
            if note is not None:
                yield f"{self.name}: {note}"

    def remade(self, metrics: Sequence[Streaming]) -> SiteMetrics:
        """Return a reading of other metrics like those that `every` yields."""
        made = SiteMetrics(self.name, (), is_pair=self.is_pair)
        assert isinstance(metrics[0], Seen)
        made.seen = metrics[0]
        made.metrics = dict(zip(self.metrics, metrics[1:], strict=True))
        return made
