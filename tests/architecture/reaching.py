"""What tests reach into: the private modules that they import without saying why.

A test is bound to the public face of a package. Where it needs more, a comment on the line above
the import says why. One comment is enough for what is imported below it from the same package, or
from packages within it, up to the next empty line.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import NamedTuple

from architecture.imports import inside
from architecture.rules import FACE, is_private

_BY_NAME = {"setattr", "delattr", "import_module"}
"""Functions that reach into a module by its name, where no comment on an import can stand."""


class _Reach(NamedTuple):
    """A private name of the library that a source imports."""

    line: int
    name: str

    @property
    def package(self) -> str:
        """The package whose private name it is."""
        parts = self.name.split(".")
        return ".".join(parts[: [*map(is_private, parts)].index(True)])


def unexplained(source: str) -> list[str]:
    """Return the private names that a source of tests reaches without saying why, in order."""
    tree = ast.parse(source)
    reached = sorted(_imported(tree))
    lines = [line.strip() for line in source.splitlines()]
    found = [reach for reach in reached if not _is_explained(reach, reached, lines)]
    return [reach.name for reach in sorted([*found, *_by_name(tree)])]


def _is_explained(reach: _Reach, reached: list[_Reach], lines: list[str]) -> bool:
    for line in range(reach.line - 1, 0, -1):
        text = lines[line - 1]
        if text.startswith("#"):
            heads = [other for other in reached if other.line == line + 1]
            return any(inside(reach.package, head.package) for head in heads)
        if not text:
            return False
    return False


def _imported(tree: ast.Module) -> Iterator[_Reach]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names = [f"{node.module}.{alias.name}" for alias in node.names]
        else:
            continue
        yield from [_Reach(node.lineno, name) for name in names if _is_private_here(name)]


def _by_name(tree: ast.Module) -> Iterator[_Reach]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func).split(".")[-1] in _BY_NAME:
            for argument in node.args[:1]:
                name = argument.value if isinstance(argument, ast.Constant) else None
                if isinstance(name, str) and _is_private_here(name):
                    yield _Reach(node.lineno, name)


def _is_private_here(name: str) -> bool:
    return inside(name, FACE) and any(map(is_private, name.split(".")))
