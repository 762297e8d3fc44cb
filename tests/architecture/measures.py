"""What is counted: floors, lines, and the ways to read an activation."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterable
from typing import NamedTuple

from architecture.imports import Graph, House
from architecture.rules import circles

_LAYOUT = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}


class Lines(NamedTuple):
    """Lines of code, of docstrings and comments, and empty ones."""

    code: int
    prose: int
    empty: int

    @property
    def all(self) -> int:
        return sum(self)


class Way(NamedTuple):
    """A way to read an activation, as the house declares it."""

    name: str
    chosen: str
    when: str


def floors(graph: Graph) -> int:
    """Return the number of rooms on the longest chain of imports; a circle of rooms counts as one.

    A chain is counted by its rooms: one room alone is one floor.
    """
    merged = {room: group[0] for group in circles(graph) for room in group}
    below: Graph = {}
    for room, others in graph.items():
        here = merged.get(room, room)
        below.setdefault(here, set()).update({merged.get(o, o) for o in others} - {here})
    heights: dict[str, int] = {}

    def height(room: str) -> int:
        if room not in heights:
            heights[room] = 1 + max((height(other) for other in below[room]), default=0)
        return heights[room]

    return max((height(room) for room in below), default=0)


def added(counted: Iterable[Lines]) -> Lines:
    """Return the sum of some counts."""
    found = list(counted)
    return Lines(
        sum(c.code for c in found), sum(c.prose for c in found), sum(c.empty for c in found)
    )


def lines(source: str) -> Lines:
    """Count the lines of a source; one with code and a comment is code."""
    texts = {
        line
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }
    code: set[int] = set()
    comments: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        covered = range(token.start[0], token.end[0] + 1)
        if token.type == tokenize.COMMENT:
            comments.update(covered)
        elif token.type not in _LAYOUT:
            code.update(covered)
    code -= texts
    prose = (texts | comments) - code
    return Lines(len(code), len(prose), len(source.splitlines()) - len(code) - len(prose))


def ways(house: House) -> list[Way]:
    """Return the ways to read an activation, from the table `WAYS` of a file of `reading`.

    The table is read and not run, so that a folder of sources is enough. None are returned where
    the house declares none.
    """
    for module in sorted(house.sources):
        if ".reading" not in module:
            continue
        for node in house.trees[module].body:
            if isinstance(node, ast.Assign) and [ast.unparse(t) for t in node.targets] == ["WAYS"]:
                assert isinstance(node.value, ast.Tuple | ast.List), f"{module}: WAYS is no tuple"
                calls = [call for call in node.value.elts if isinstance(call, ast.Call)]
                return [Way(*[ast.literal_eval(a) for a in call.args[:3]]) for call in calls]
    return []
