"""The places that a monitor reads, resolved from its arguments for one model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from torch import nn

from regularizers._keys import Keys, key_of, legal
from regularizers.errors import ConfigurationError
from regularizers.modules import Select, Where, Wheres, printable, select_modules
from regularizers.monitor._fit import misfit, warn_of_misfits
from regularizers.monitor._reading import SiteMetrics
from regularizers.monitor._sinks import Pair, PairSink, Sink, SiteSink
from regularizers.monitor._sources import Source, output_of
from regularizers.monitor.metrics import (
    ActiveUnits,
    DeadUnits,
    ExplainedVariance,
    FractionOfVarianceUnexplained,
    MeanActivation,
    Metric,
    Norm,
    PairMetric,
    Streaming,
)

Pairs: TypeAlias = Mapping[str, tuple[Source | Where, Source | Where]]
"""Targets and their reconstructions by the name of the pair; a `where` means an output."""

OF_ONE = (ActiveUnits(), DeadUnits(), MeanActivation(), Norm())
OF_TWO = (ExplainedVariance(), FractionOfVarianceUnexplained())


@dataclass(frozen=True)
class MonitoredPlace:
    """An input or output of one module, and the metrics it is added to."""

    module: nn.Module
    source: Source
    sink: Sink


def resolve(
    model: nn.Module,
    where: Wheres | None,
    metrics: Iterable[Streaming] | None,
    pairs: Pairs | None,
    select: Select | None,
) -> tuple[list[MonitoredPlace], list[SiteMetrics]]:
    """Return the places in `model`, and the metrics of each site or pair.

    Raises:
        SelectionError: a `where` matches nothing, or, in a pair, several modules.
        ConfigurationError: there is nothing to read, or no metric for it, or a name occurs twice.
    """
    if where is None and not pairs:
        raise ConfigurationError(
            "Monitor: expected a where, such as 'encoder.act', or pairs, got neither"
        )
    of_one, of_two = _checked(metrics, where is not None, bool(pairs))
    places: list[MonitoredPlace] = []
    readings: list[SiteMetrics] = []
    keys = Keys()
    sites = [] if where is None else select_modules(model, where, "Monitor")
    judged = [] if select is not None else sites
    if metrics is not None:
        warn_of_misfits(of_one, judged, stacklevel=4)
    for name, module in sites:
        unasked = of_one if metrics is None and judged else ()
        misfits = [reason for one in unasked if (reason := misfit(one, module)) is not None]
        reading = SiteMetrics(keys.add(key_of(name)), printable(name), of_one, misfits=misfits)
        readings.append(reading)
        places.append(MonitoredPlace(module, Source("output", module, select), SiteSink(reading)))
    for name, sides in (pairs or {}).items():
        reading = SiteMetrics(name, name, of_two, is_pair=True)
        if legal(name) in [legal(known.key) for known in readings]:
            raise ConfigurationError(
                f"pairs[{name!r}]: a site has the same name, and so would its numbers; choose "
                f"another"
            )
        readings.append(reading)
        pair = Pair(reading)
        for source, is_target in zip(_sides(name, sides), (True, False), strict=True):
            _, module = source.module_in(model, name)
            places.append(MonitoredPlace(module, source, PairSink(pair, is_target=is_target)))
    return places, readings


def _sides(name: str, sides: object) -> tuple[Source, Source]:
    if not (isinstance(sides, (tuple, list)) and len(sides) == 2):
        raise ConfigurationError(
            f"pairs[{name!r}]: expected (target, reconstruction), such as "
            f'(rz.monitor.input_of("encoder"), "decoder"), got {sides!r}'
        )
    target, made = [side if isinstance(side, Source) else output_of(side) for side in sides]
    return target, made


def _checked(
    metrics: Iterable[Streaming] | None, has_sites: bool, has_pairs: bool
) -> tuple[Sequence[Streaming], Sequence[Streaming]]:
    """Return the metrics for sites and for pairs; the defaults if none are given."""
    if isinstance(metrics, Streaming):
        raise ConfigurationError(f"metrics: expected a list of metrics; write [{metrics!r}]")
    given = list(OF_ONE if metrics is None else metrics)
    for metric in given:
        if isinstance(metric, type) and issubclass(metric, Streaming):
            raise ConfigurationError(
                f"metrics: expected metrics, got the class; write {metric.__name__}()"
            )
        if not isinstance(metric, (Metric, PairMetric)):
            raise ConfigurationError(
                f"metrics: expected metrics such as ActiveUnits(), got {metric!r} of type "
                f"{type(metric).__name__}"
            )
    of_one = [metric for metric in given if isinstance(metric, Metric)]
    of_two = [metric for metric in given if isinstance(metric, PairMetric)]
    if of_two and not has_pairs:
        raise ConfigurationError(
            f"metrics: {of_two[0]!r} needs a target and its reconstruction; name them with "
            f'pairs={{"reconstruction": (rz.monitor.input_of("encoder"), "decoder")}}'
        )
    if has_sites and not of_one:
        raise ConfigurationError(
            "metrics: expected one or more for single activations, since `where` is given, got "
            "none; leave `where` out to read pairs alone"
        )
    return of_one, of_two or OF_TWO
