"""Charts as lines, curves, bars and texts with their places, which a template writes as SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from regularizers.recipes.sparse_autoencoder.report._scales import Scale, named

_WIDTH, _HEIGHT = 360, 200
_TOP, _RIGHT, _BOTTOM = 14, 16, 22
_CHARACTER = 6.4


@dataclass(frozen=True)
class Curve:
    """Values over steps, drawn in the style of the class `style`."""

    x: Sequence[float]
    y: Sequence[float]
    style: str


@dataclass(frozen=True)
class Mark:
    """A level worth seeing, and what it is called."""

    y: float
    name: str


@dataclass(frozen=True)
class Line:
    """A straight line."""

    x1: float
    y1: float
    x2: float
    y2: float
    style: str


@dataclass(frozen=True)
class Text:
    """A text; `anchor` says which of its ends is at x."""

    text: str
    x: float
    y: float
    anchor: str
    style: str = ""


@dataclass(frozen=True)
class Path:
    """A line through points, each written as "x y"."""

    points: Sequence[str]
    style: str


@dataclass(frozen=True)
class Bar:
    """A bar, by its upper left corner and its size."""

    x: float
    y: float
    width: float
    height: float
    style: str


@dataclass(frozen=True)
class Chart:
    """What is drawn, from bottom to top, and what a person who cannot see it is told."""

    description: str
    lines: Sequence[Line]
    texts: Sequence[Text]
    paths: Sequence[Path] = ()
    bars: Sequence[Bar] = ()
    width: int = field(default=_WIDTH, init=False)
    height: int = field(default=_HEIGHT, init=False)


def line_chart(
    description: str, curves: Sequence[Curve], x: Scale, y: Scale, mark: Mark | None = None
) -> Chart:
    """Return a chart of curves over the training; values that are not finite are left out.

    Args:
        description: what a person who cannot see it is told.
        curves: the last one is drawn on top.
        x: the scale of the steps.
        y: the scale of the values.
        mark: a dashed line across.
    """
    frame = _Frame(x, y)
    lines, texts = frame.levels()
    texts += frame.below((tick, named(tick)) for tick in x.ticks)
    if mark is not None:
        level = frame.down(mark.y)
        lines.append(Line(frame.left, level, _WIDTH - _RIGHT, level, "mark"))
        texts.append(Text(mark.name, _WIDTH - _RIGHT, level - 5, "end", "marked"))
    paths = [
        Path(
            [
                f"{frame.across(a):.1f} {frame.down(b):.1f}"
                for a, b in zip(curve.x, curve.y, strict=True)
                if math.isfinite(b)
            ],
            curve.style,
        )
        for curve in curves
    ]
    return Chart(description, lines, texts, paths=[path for path in paths if path.points])


def bar_chart(
    description: str,
    heights: Sequence[float],
    names: Sequence[tuple[float, str]],
    y: Scale,
    *,
    apart: int = 0,
) -> Chart:
    """Return a chart of bars side by side.

    Args:
        description: what a person who cannot see it is told.
        heights: of the bars.
        names: what is written below, and where: 1 is the right edge of the first bar.
        y: the scale of the heights.
        apart: how many bars at the left are drawn as something else than the rest.
    """
    frame = _Frame(Scale(0, len(heights), (), float), y)
    lines, texts = frame.levels()
    bars = []
    for i, height in enumerate(heights):
        left, top = frame.across(i) + 0.75, frame.down(height)
        width, down = frame.across(i + 1) - 0.75 - left, _HEIGHT - _BOTTOM - top
        bars.append(Bar(left, top, width, down, "bar apart" if i < apart else "bar"))
    return Chart(description, lines, texts + frame.below(names), bars=bars)


class _Frame:
    """The place of values in the picture."""

    def __init__(self, x: Scale, y: Scale) -> None:
        self.x, self.y = x, y
        self.left = 8 + _CHARACTER * max(len(named(tick)) for tick in y.ticks)

    def across(self, value: float) -> float:
        return self.left + self.x(value) * (_WIDTH - _RIGHT - self.left)

    def down(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - self.y(value) * (_HEIGHT - _BOTTOM - _TOP)

    def levels(self) -> tuple[list[Line], list[Text]]:
        """Return lines across at the ticks of y, and their names."""
        lines, texts = [], []
        for tick in self.y.ticks:
            level = self.down(tick)
            style = "axis" if tick == self.y.low else "grid"
            lines.append(Line(self.left, level, _WIDTH - _RIGHT, level, style))
            texts.append(Text(named(tick), self.left - 6, level + 4, "end"))
        return lines, texts

    def below(self, names: Iterable[tuple[float, str]]) -> list[Text]:
        """Return names below values of x."""
        return [Text(name, self.across(value), _HEIGHT - 6, "middle") for value, name in names]
