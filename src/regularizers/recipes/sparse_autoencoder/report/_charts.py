"""Charts as SVG within the page, in its own colours."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from regularizers.recipes.sparse_autoencoder.report._html import Html, element, joined
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


def line_chart(
    description: str, curves: Sequence[Curve], x: Scale, y: Scale, mark: Mark | None = None
) -> Html:
    """Return a chart of curves over the training.

    Args:
        description: what a person who cannot see it is told.
        curves: the last one is drawn on top.
        x: the scale of the steps.
        y: the scale of the values.
        mark: a dashed line across.
    """
    frame = _Frame(x, y)
    parts = [*frame.levels(), *frame.below((tick, named(tick)) for tick in x.ticks)]
    if mark is not None:
        level = frame.down(mark.y)
        parts += [
            _line(frame.left, level, _WIDTH - _RIGHT, level, class_="mark"),
            _text(mark.name, _WIDTH - _RIGHT, level - 5, class_="marked", text_anchor="end"),
        ]
    for curve in curves:
        points = [
            f"{frame.across(a):.1f} {frame.down(b):.1f}"
            for a, b in zip(curve.x, curve.y, strict=True)
        ]
        parts.append(element("path", class_=f"curve {curve.style}", d=f"M{'L'.join(points)}"))
    return _picture(description, parts)


def bar_chart(
    description: str,
    heights: Sequence[float],
    names: Sequence[tuple[float, str]],
    y: Scale,
    *,
    apart: int = 0,
) -> Html:
    """Return a chart of bars side by side.

    Args:
        description: what a person who cannot see it is told.
        heights: of the bars.
        names: what is written below, and where: 1 is the right edge of the first bar.
        y: the scale of the heights.
        apart: how many bars at the left are drawn as something else than the rest.
    """
    frame = _Frame(Scale(0, len(heights), (), float), y)
    parts = frame.levels()
    for i, height in enumerate(heights):
        left, top = frame.across(i) + 0.75, frame.down(height)
        parts.append(
            element(
                "rect",
                class_="bar apart" if i < apart else "bar",
                x=f"{left:.1f}",
                y=f"{top:.1f}",
                width=f"{frame.across(i + 1) - 0.75 - left:.1f}",
                height=f"{_HEIGHT - _BOTTOM - top:.1f}",
            )
        )
    parts += frame.below(names)
    return _picture(description, parts)


class _Frame:
    """The place of values in the picture."""

    def __init__(self, x: Scale, y: Scale) -> None:
        self.x, self.y = x, y
        self.left = 8 + _CHARACTER * max(len(named(tick)) for tick in y.ticks)

    def across(self, value: float) -> float:
        return self.left + self.x(value) * (_WIDTH - _RIGHT - self.left)

    def down(self, value: float) -> float:
        return _HEIGHT - _BOTTOM - self.y(value) * (_HEIGHT - _BOTTOM - _TOP)

    def levels(self) -> list[Html]:
        """Return lines across at the ticks of y, with their names."""
        parts = []
        for tick in self.y.ticks:
            level = self.down(tick)
            style = "axis" if tick == self.y.low else "grid"
            parts += [
                _line(self.left, level, _WIDTH - _RIGHT, level, class_=style),
                _text(named(tick), self.left - 6, level + 4, text_anchor="end"),
            ]
        return parts

    def below(self, names: Iterable[tuple[float, str]]) -> list[Html]:
        """Return names below values of x."""
        return [
            _text(name, self.across(value), _HEIGHT - 6, text_anchor="middle")
            for value, name in names
        ]


def _picture(description: str, parts: Sequence[Html]) -> Html:
    return element(
        "svg",
        joined(parts),
        viewBox=f"0 0 {_WIDTH} {_HEIGHT}",
        role="img",
        aria_label=description,
    )


def _line(x1: float, y1: float, x2: float, y2: float, **attributes: str) -> Html:
    ends = {"x1": x1, "y1": y1, "x2": x2, "y2": y2}
    return element("line", **{key: f"{end:.1f}" for key, end in ends.items()}, **attributes)


def _text(text: str, x: float, y: float, **attributes: str) -> Html:
    return element("text", text, x=f"{x:.1f}", y=f"{y:.1f}", **attributes)
