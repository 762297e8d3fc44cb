"""The metrics of one site."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from regularizers._keys import Keys
from regularizers.monitor._report import Row, general_notes
from regularizers.monitor.metrics import Metric, PairMetric, Samples, Seen, Streaming, named


class Reading:
    """The metrics of one site or pair, by the name of their class; the second alike ends in `/2`.

    Args:
        key: of the site or pair, which its numbers begin with.
        name: of the site or pair, as a person reads it.
        metrics: what to measure there.
        is_pair: whether it is a target and its reconstruction.
    """

    def __init__(
        self, key: str, name: str, metrics: Sequence[Streaming], *, is_pair: bool = False
    ) -> None:
        self.key = key
        self.name = name
        self.is_pair = is_pair
        self.seen = Seen()
        labels = Keys()
        self.metrics: dict[str, Streaming] = {
            labels.add(type(metric).__name__): metric.fresh() for metric in metrics
        }

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
        return {
            f"{self.key}/{number}{again}": value
            for again, metric in self._numbered()
            for number, value in metric.as_dict().items()
        }

    def row(self) -> Row:
        """Return what the report shows."""
        values = {}
        for again, metric in self._numbered():
            number, value = next(iter(metric.as_dict().items()))
            values[f"{number}{again}"] = value
        return Row(self.name, self.is_pair, self.seen.value(), self.seen.units(), values)

    def _numbered(self) -> Iterator[tuple[str, Streaming]]:
        """Yield the metrics, each with what tells its numbers from those of one alike."""
        for label, metric in self.metrics.items():
            yield label.removeprefix(type(metric).__name__), metric

    def notes(self, when: str) -> Iterator[str]:
        """Yield what is wrong, a line each; `when` says which forwards were read."""
        yield from general_notes(self.row(), when)
        for metric in self.metrics.values():
            note = metric.note()
            if note is not None:
                yield f"{self.name}: {note}"

    def remade(self, metrics: Sequence[Streaming]) -> Reading:
        """Return a reading of other metrics like those that `every` yields."""
        made = Reading(self.key, self.name, (), is_pair=self.is_pair)
        assert isinstance(metrics[0], Seen)
        made.seen = metrics[0]
        made.metrics = dict(zip(self.metrics, metrics[1:], strict=True))
        return made
