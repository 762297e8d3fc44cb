"""Tables and names for people."""

from __future__ import annotations

from collections.abc import Sequence


def table(cells: Sequence[Sequence[str]], *, right: Sequence[int] = ()) -> str:
    """Return a table as text: a header, a rule, and rows; the columns in `right` flush right.

    Example:
        >>> print(table([("site", "value"), ("encoder", "0.5")], right=[1]))
        site     value
        -------  -----
        encoder    0.5
    """
    widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
    header, *rows = [
        "  ".join(
            cell.rjust(width) if column in right else cell.ljust(width)
            for column, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in cells
    ]
    return "\n".join([header, "  ".join("-" * width for width in widths), *rows])


_JOINERS = "\u200c\u200d"
"""Invisible, and part of how words of some scripts are written."""


def visible(text: str) -> str:
    r"""Return text in one line in which nothing acts: what cannot be seen is written as an escape.

    Line breaks, control characters, changes of direction and the bytes of a file name that are no
    text stay harmless in a terminal and on a page so.

    Example:
        >>> print(visible("a\nb\x1b[31m, été"))
        a\nb\x1b[31m, été
    """
    return "".join(
        one if one.isprintable() or one in _JOINERS else one.encode("unicode_escape").decode()
        for one in text
    )


def visible_lines(text: str) -> str:
    r"""Return text whose lines are `visible`, tabs kept.

    Example:
        >>> visible_lines("a\x1b[31m\nb").splitlines()
        ['a\\x1b[31m', 'b']
    """
    return "\n".join("\t".join(map(visible, line.split("\t"))) for line in text.split("\n"))
