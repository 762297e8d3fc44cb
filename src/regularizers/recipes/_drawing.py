"""What the pictures of all recipes share: names that stay text, numbers and ticks that differ."""

from __future__ import annotations

import math
from collections.abc import Iterable
from functools import cache

from matplotlib import font_manager
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FixedLocator, FuncFormatter, LogLocator, MaxNLocator, NullLocator

from regularizers._text import visible

_LONG = 110
_MANY = 8
"""Ticks of a tall or wide axis."""
_DECADES = 3
"""Up to so many, 1, 2 and 5 of each are named."""


def drawn(name: str) -> str:
    r"""Return a name as a picture can show it: what its font lacks is written as an escape.

    Example:
        >>> drawn("é\n文.csv")
        'é\\n\\u6587.csv'
    """
    known = _known_characters()
    text = "".join(
        one if ord(one) in known else one.encode("unicode_escape").decode() for one in visible(name)
    )
    return text if len(text) <= _LONG else f"{text[: _LONG // 2]}…{text[1 - _LONG // 2 :]}"


def set_title(figure: Figure, title: str) -> None:
    """Write a title above a figure; what stands between dollars in it is no formula."""
    figure.suptitle(drawn(title), fontsize=11, parse_math=False)


def short(value: float) -> str:
    """Return a number in three digits, without an exponent where that is short, and never as −0.

    Example:
        >>> [short(v) for v in (0.0, -0.0, 0.00312, -2.04, 57.12, 1234.5, 1e-7, 3e6)]
        ['0', '0', '0.00312', '−2.04', '57.1', '1234', '1e-7', '3e6']
    """
    if not math.isfinite(value):
        return str(value)
    digits = ".0f" if 1000 <= abs(value) < 1e5 else ".3g"
    text = f"{value + 0.0:{digits}}".replace("e-0", "e-").replace("e+0", "e").replace("e+", "e")
    return text.replace("-", "−", 1) if value < 0 else text


def span_decades(values: Iterable[float], most: float = 30.0) -> bool:
    """Return whether the values above 0 are so far apart that a linear axis would hide some."""
    positive = [value for value in values if math.isfinite(value) and value > 0]
    return bool(positive) and max(positive) > most * min(positive)


def logarithmic_axis(
    axes: Axes, which: str, low: float, high: float, *, ticks: int = _MANY
) -> None:
    """Give an axis a logarithmic scale from `low` to `high`, with ticks that are named apart.

    Args:
        axes: the panel.
        which: "x" or "y".
        low: above 0.
        high: above `low`.
        ticks: about how many there is room for.
    """
    axis = axes.xaxis if which == "x" else axes.yaxis
    axes.set(**{f"{which}scale": "log", f"{which}lim": (low, high)})
    if high < 10 * low:
        axis.set_major_locator(MaxNLocator(nbins=ticks, steps=[1, 2, 5, 10]))
    else:
        decades = math.log10(high / low)
        between = (1.0,) if decades > _DECADES or ticks < _MANY else (1.0, 2.0, 5.0)
        apart = 10.0 ** math.ceil(decades / ticks)
        axis.set_major_locator(LogLocator(apart, subs=between, numticks=3 * ticks))
    axis.set_minor_locator(NullLocator())
    axis.set_major_formatter(FuncFormatter(lambda value, _: _of_tick(value)))


def linear_axis(
    axes: Axes,
    which: str,
    low: float,
    high: float,
    *,
    within: tuple[float, float] | None = None,
    ticks: int = _MANY,
) -> None:
    """Give an axis round ticks from `low` to `high`, named in full, without an offset.

    Args:
        axes: the panel.
        which: "x" or "y".
        low: below `high`.
        high: the upper end.
        within: what values can be; beyond it no tick is named.
        ticks: about how many there is room for.
    """
    axis = axes.xaxis if which == "x" else axes.yaxis
    axes.set(**{f"{which}lim": (low, high)})
    least, most = within or (low, high)
    round_values = MaxNLocator(nbins=ticks, steps=[1, 2, 2.5, 5, 10]).tick_values(low, high)
    values = [float(value) for value in round_values if _between(value, least, most)]
    axis.set_major_locator(FixedLocator([value for value in values if _between(value, low, high)]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: _of_tick(value)))


def _between(value: float, low: float, high: float) -> bool:
    rounding = 1e-9 * (high - low)
    return low - rounding <= value <= high + rounding


def _of_tick(value: float) -> str:
    # more digits than `short` has, as neighbours may differ in the last
    text = f"{0.0 if abs(value) < 1e-12 else value:.10g}".replace("e-0", "e-").replace("e+0", "e")
    return text.replace("-", "−", 1) if value < 0 else text


@cache
def _known_characters() -> frozenset[int]:
    path = font_manager.findfont("DejaVu Sans")
    return frozenset(font_manager.get_font(path).get_charmap())
