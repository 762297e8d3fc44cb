"""Tables for people."""

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
