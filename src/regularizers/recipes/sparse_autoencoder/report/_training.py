"""The training in charts: active units, the strength, explained variance, idle units."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from regularizers.recipes.sparse_autoencoder._config import TITLES
from regularizers.recipes.sparse_autoencoder._result import Result
from regularizers.recipes.sparse_autoencoder.report._charts import Chart, Curve, Mark, line_chart
from regularizers.recipes.sparse_autoencoder.report._scales import Scale, linear, logarithmic
from regularizers.sae import History

_STYLES = ("first", "second", "third")


@dataclass(frozen=True)
class Key:
    """The name of a curve, in the style of the class `style`."""

    name: str
    style: str


@dataclass(frozen=True)
class Figure:
    """A chart with its title, and the names of its curves where there are several."""

    title: str
    chart: Chart
    keys: Sequence[Key] = ()


def training_charts(result: Result) -> list[Figure]:
    """Return the charts of the whole training, steps from left to right."""
    first, name = result.first.history, TITLES[result.config.architecture]
    x = _steps(first)
    charts = [_active(first, x, name, result.config.active)]
    if max(first.strength) > 0:
        charts.append(_strength(first, x, name))
    return [*charts, _left(result, x), _idle(first, x, name)]


def _active(first: History, x: Scale, name: str, wanted: float) -> Figure:
    description = (
        f"With {name}, from {first.active[0]:.1f} to {first.active[-1]:.1f} active units; the "
        f"target is {wanted:g}."
    )
    y = linear(max(*first.active, wanted))
    mark = Mark(wanted, f"target {wanted:g}")
    chart = line_chart(description, [Curve(first.step, first.active, "first")], x, y, mark)
    return Figure(f"Active units with {name}", chart)


def _strength(first: History, x: Scale, name: str) -> Figure:
    # the law looks on at first, with a strength that is as good as none
    least = 1e-6 * max(first.strength)
    known = [(s, v) for s, v in zip(first.step, first.strength, strict=True) if v > least]
    steps, values = zip(*known, strict=True)
    description = f"The strength λ with {name}, from {values[0]:.2g} to {values[-1]:.2g}."
    chart = line_chart(description, [Curve(steps, values, "first")], x, logarithmic(values))
    return Figure(f"Strength λ with {name}, logarithmic", chart)


def _left(result: Result, x: Scale) -> Figure:
    """Return what is left unexplained, which a logarithmic axis shows to the end."""
    histories = {kind: one.history for kind, one in result.trained.items()}
    left = {kind: [1 - value for value in h.explained] for kind, h in histories.items()}
    y = logarithmic([value for values in left.values() for value in values])
    styles = dict(zip(histories, _STYLES, strict=False))
    curves = [Curve(h.step, left[kind], styles[kind]) for kind, h in histories.items()]
    ends = ", ".join(f"{TITLES[kind]} {values[-1]:.2g}" for kind, values in left.items())
    chart = line_chart(f"The share of variance not explained, at the end: {ends}.", curves, x, y)
    keys = [Key(TITLES[kind], styles[kind]) for kind in histories]
    return Figure("Variance not explained, logarithmic", chart, keys)


def _idle(first: History, x: Scale, name: str) -> Figure:
    description = f"Idle units with {name}: at most {max(first.idle)}, {first.idle[-1]} at the end."
    y = linear(max(4, *first.idle))
    chart = line_chart(description, [Curve(first.step, first.idle, "first")], x, y)
    return Figure(f"Units that explain next to nothing, with {name}", chart)


def _steps(history: History) -> Scale:
    last = history.step[-1]
    return Scale(0, last, tuple(t for t in linear(last).ticks if t <= last), float)
