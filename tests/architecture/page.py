"""The page that `make architecture` prints."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from architecture.imports import House, inside
from architecture.measures import added, floors, lines, ways
from architecture.rules import circles, circles_of_rooms, private_imports

SOURCES = Path(__file__).parents[2] / "src"
SHOWN = 20
"""Private imports that are named; of more the number says enough."""


def main(arguments: Sequence[str]) -> int:
    """Print the page of a folder of sources; return 1 if a rule is broken."""
    parser = argparse.ArgumentParser(prog="tests/architecture/run.py", description=__doc__)
    parser.add_argument("sources", nargs="?", type=Path, default=SOURCES, metavar="SRC")
    house = House.read(parser.parse_args(arguments).sources)
    sys.stdout.write("\n".join(page(house)) + "\n")
    return int(is_broken(house))


def is_broken(house: House) -> bool:
    """Return whether imports run in a circle or private names cross packages."""
    return bool(circles(house.graph) or circles_of_rooms(house) or private_imports(house))


def page(house: House) -> Iterator[str]:
    """Yield the lines of the page."""
    yield from _rules(house)
    yield ""
    yield from _table(
        ["package", "rooms", "floors", "files", "lines", "code", "prose"], list(_packages(house))
    )
    yield "A room is a file or a whole wing; a floor is a room on the longest chain of imports."
    yield ""
    if found := ways(house):
        columns = [list(way) for way in found]
        yield from _table([f"{len(found)} ways to read an activation", "chosen in", "for"], columns)
    else:
        yield "Ways to read an activation: none declared (no table WAYS in a file of reading/)."


def _rules(house: House) -> Iterator[str]:
    private = private_imports(house)
    yield f"modules                                {len(house.graph):4d}"
    yield f"imports between them                   {sum(map(len, house.graph.values())):4d}"
    for name, groups in (("files", circles(house.graph)), ("rooms", circles_of_rooms(house))):
        yield f"circles of {name}                       {len(groups):4d}"
        yield from [f"    {', '.join(group)}" for group in groups]
    yield f"private names imported across packages {len(private):4d}"
    yield from [f"    {i.module}: {i.name}" for i in private[:SHOWN]]
    if len(private) > SHOWN:
        yield f"    and {len(private) - SHOWN} more"


def _packages(house: House) -> Iterator[list[str]]:
    counted = {module: lines(source) for module, source in house.sources.items()}
    for package in sorted(house.packages):
        modules = [module for module in counted if inside(module, package)]
        graph, total = house.rooms(package), added(counted[module] for module in modules)
        numbers = [len(graph), floors(graph), len(modules), total.all, total.code]
        name = "  " * package.count(".") + _last(package)
        yield [name, *map(str, numbers), str(total.prose)]


def _last(module: str) -> str:
    return module.rpartition(".")[2]


def _table(head: list[str], rows: list[list[str]]) -> Iterator[str]:
    widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
    for row in (head, ["-" * width for width in widths], *rows):
        cells = [
            cell.rjust(width) if cell.isdigit() or (row is head and rows[0][k].isdigit()) else
            cell.ljust(width)
            for k, (cell, width) in enumerate(zip(row, widths, strict=True))
        ]  # fmt: skip
        yield "  ".join(cells).rstrip()
