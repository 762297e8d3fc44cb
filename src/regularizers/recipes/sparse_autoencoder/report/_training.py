"""The training in charts: active units, the strength, the error, dead units."""

from __future__ import annotations

from regularizers.recipes.sparse_autoencoder._history import History
from regularizers.recipes.sparse_autoencoder._result import Result
from regularizers.recipes.sparse_autoencoder._silence import SILENT
from regularizers.recipes.sparse_autoencoder.report._charts import Curve, Mark, line_chart
from regularizers.recipes.sparse_autoencoder.report._html import Html, element
from regularizers.recipes.sparse_autoencoder.report._scales import Scale, linear, logarithmic


def training_charts(result: Result) -> Html:
    """Return the charts of the whole training, steps from left to right."""
    histories = {name: trained.history for name, trained in result.trained.items()}
    l1 = histories["L1"]
    x = _steps(l1)
    charts = [_active(l1, x, result), _strength(l1, x), _error(histories, x), _dead(l1, x)]
    return element("div", *charts, class_="charts")


def _active(l1: History, x: Scale, result: Result) -> Html:
    wanted = result.config.wanted_active
    description = f"With L1, from {l1.active[0]:.1f} to {l1.active[-1]:.1f} active units"
    mark = None
    if wanted is not None:
        description += f"; the target is {wanted:g}"
        mark = Mark(wanted, f"target {wanted:g}")
    y = linear(max(*l1.active, wanted or 0))
    chart = line_chart(f"{description}.", [Curve(l1.step, l1.active, "l1")], x, y, mark)
    return _figure("Active units with L1", chart)


def _strength(l1: History, x: Scale) -> Html:
    # the law looks on at first, with a strength that is as good as none
    known = [(s, v) for s, v in zip(l1.step, l1.strength, strict=True) if v > _least(l1)]
    steps, values = zip(*known, strict=True) if known else (l1.step, l1.strength)
    description = f"The strength of L1, from {values[0]:.2g} to {values[-1]:.2g}."
    chart = line_chart(description, [Curve(steps, values, "l1")], x, logarithmic(values))
    return _figure("Strength of L1", chart)


def _least(l1: History) -> float:
    return 1e-6 * max(l1.strength)


def _error(histories: dict[str, History], x: Scale) -> Html:
    y = logarithmic([value for history in histories.values() for value in history.error])
    curves = [Curve(h.step, h.error, name.lower()) for name, h in histories.items()]
    ends = ", ".join(f"{name} {h.error[-1]:.2g}" for name, h in histories.items())
    keys = [
        element("span", element("i", class_=f"line {name.lower()}"), name, class_="key")
        for name in histories
    ]
    chart = line_chart(f"The mean squared error, at the end: {ends}.", curves, x, y)
    return _figure("Mean squared error", chart, *keys)


def _dead(l1: History, x: Scale) -> Html:
    description = f"Dead units with L1: at most {max(l1.dead)}, {l1.dead[-1]} at the end."
    y = linear(max(4, *l1.dead))
    chart = line_chart(description, [Curve(l1.step, l1.dead, "l1")], x, y)
    return _figure(f"Units silent for {SILENT} samples, with L1", chart)


def _steps(history: History) -> Scale:
    last = history.step[-1]
    return Scale(0, last, tuple(t for t in linear(last).ticks if t <= last), float)


def _figure(title: str, chart: Html, *keys: Html) -> Html:
    return element("figure", element("figcaption", title, *keys), chart)
