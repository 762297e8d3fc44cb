"""The metrics of one site, found by the names of their numbers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeVar, overload

from regularizers.errors import SelectionError
from regularizers.monitor.metrics import Streaming

Default = TypeVar("Default")


class MetricsOfSite(Mapping[str, Streaming]):
    """Metrics by each name that `as_dict` shows: `"dead_units"` and `"dead_fraction"` are one.

    The keys are the first name of each metric; a second metric of one class ends in `/2`. The name
    of the class finds it, too: `"DeadUnits"`.

    Args:
        site: the name of the site or pair, for errors.
        metrics: the metrics by their class, the second of a class with `/2`.
    """

    def __init__(self, site: str, metrics: Mapping[str, Streaming]) -> None:
        self._site = site
        self._by_key: dict[str, Streaming] = {}
        self._by_name = dict(metrics)
        for label, metric in metrics.items():
            again = label.removeprefix(type(metric).__name__)
            names = [f"{name}{again}" for name in metric.number_names]
            self._by_key[names[0]] = metric
            self._by_name |= dict.fromkeys(names, metric)

    def __getitem__(self, name: str) -> Streaming:
        """Return the metric with a number of this name.

        Raises:
            SelectionError: the name is unknown.
        """
        if name not in self._by_name:
            known = ", ".join(repr(key) for key in self._by_key)
            raise SelectionError(f"{self._site}: expected one of {known}, got {name!r}")
        return self._by_name[name]

    def __iter__(self) -> Iterator[str]:
        return iter(self._by_key)

    def __len__(self) -> int:
        return len(self._by_key)

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    @overload
    def get(self, name: str, /) -> Streaming | None: ...
    @overload
    def get(self, name: str, /, default: Streaming | Default) -> Streaming | Default: ...
    def get(self, name: str, /, default: object = None) -> object:
        """Return the metric with a number of this name, or `default`."""
        return self._by_name.get(name, default)

    def __repr__(self) -> str:
        return f"{{{', '.join(f'{key!r}: {metric!r}' for key, metric in self.items())}}}"
