"""Reads a folder of sources: which module imports what, relative imports made absolute.

Imports that only a type checker reads are imports, too: a reader follows them like any other.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

Graph = dict[str, set[str]]
"""Which module imports which."""


class Import(NamedTuple):
    """A dotted name that a module imports."""

    module: str
    package: str
    """The package of the importing module; a package is its own."""
    name: str


@dataclass(frozen=True)
class House:
    """The sources of a package.

    Args:
        sources: the text of each module, by its dotted name.
        packages: the modules that are packages.
    """

    sources: dict[str, str]
    packages: frozenset[str]

    @classmethod
    def read(cls, folder: Path) -> House:
        """Return the house of the packages in `folder`, or of the package that it is.

        Raises:
            FileNotFoundError: if there is no package in the folder.
        """
        sources: dict[str, str] = {}
        packages: set[str] = set()
        above = folder.parent if (folder / "__init__.py").exists() else folder
        for path in sorted(folder.rglob("*.py")):
            parts = [*path.relative_to(above).with_suffix("").parts]
            if parts[-1] == "__init__":
                parts.pop()
                packages.add(".".join(parts))
            sources[".".join(parts)] = path.read_text(encoding="utf-8")
        if not packages:
            raise FileNotFoundError(f"expected a folder with a package in it, got {folder}")
        return cls(sources, frozenset(packages))

    @cached_property
    def trees(self) -> dict[str, ast.Module]:
        """The syntax of each module."""
        return {module: ast.parse(source) for module, source in self.sources.items()}

    def package_of(self, module: str) -> str:
        """Return the package that a module is in; a package is in itself."""
        return module if module in self.packages else module.rpartition(".")[0]

    def imports(self, module: str) -> Iterator[Import]:
        """Yield what a module imports, wherever in it."""
        package = self.package_of(module)
        for node in ast.walk(self.trees[module]):
            if isinstance(node, ast.Import):
                yield from [Import(module, package, alias.name) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                origin = _origin(node, package)
                yield from [Import(module, package, f"{origin}.{a.name}") for a in node.names]

    @cached_property
    def all_imports(self) -> list[Import]:
        """What every module imports."""
        return [found for module in self.sources for found in self.imports(module)]

    def owner(self, name: str) -> str:
        """Return the module that a dotted name is, or is in; empty if it is none of the house."""
        parent = name.rpartition(".")[0]
        return name if name in self.sources else parent if parent in self.sources else ""

    @cached_property
    def graph(self) -> Graph:
        """Which module of the house imports which."""
        graph: Graph = {module: set() for module in self.sources}
        for found in self.all_imports:
            if owner := self.owner(found.name):
                graph[found.module].add(owner)
        return graph

    def rooms(self, package: str) -> Graph:
        """Return which room of a package imports which: a file is a room, and so is a whole wing.

        A wing is a package within the package. The face of the package, its `__init__.py`, is no
        room of it.
        """
        rooms: Graph = {m: set() for m in self.sources if m.rpartition(".")[0] == package}
        for module, others in self.graph.items():
            if here := _room(module, rooms):
                rooms[here] |= {there for o in others if (there := _room(o, rooms))} - {here}
        return rooms


def inside(module: str, package: str) -> bool:
    """Return whether a module is the package or within it."""
    return module == package or module.startswith(f"{package}.")


def _room(module: str, rooms: Iterable[str]) -> str:
    return next((room for room in rooms if inside(module, room)), "")


def _origin(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".")
    above = parts[: len(parts) - node.level + 1]
    return ".".join([*above, *([node.module] if node.module else [])])
