"""What must not be: imports that point up, circles, private names that cross packages."""

from __future__ import annotations

from architecture.imports import Graph, House, Import, inside

FACE = "regularizers"

# errors <- penalties, functional, constraints, control, modules <- layers, monitor <- attach
# <- pruning, sae <- recipes <- main. Rooms on one floor import at most those before them. The face
# of the package is a room, too: what the library is made of does not import it back.
ROOMS = [
    "errors",
    *("penalties", "functional", "constraints", "control", "modules"),
    *("layers", "monitor"),
    *("attach", "pruning", "sae", "testing", "integrations", FACE, "recipes", "__main__"),
]


def room_of(module: str) -> str:
    """Return the room of a module; a private file beside the rooms stands with the errors."""
    if module == FACE:
        return FACE
    room = module.split(".")[1]
    return room if room in ROOMS or not room.startswith("_") else "errors"


def upward_imports(graph: Graph) -> list[str]:
    """Return the imports that point up, `lower -> higher`."""
    return [
        f"{module} -> {other}"
        for module, others in graph.items()
        for other in sorted(others)
        if ROOMS.index(room_of(other)) > ROOMS.index(room_of(module))
    ]


def circles(graph: Graph) -> list[list[str]]:
    """Return the groups of modules that import each other, directly or through others.

    These are the strongly connected components of the graph (Tarjan, 1972), of two modules or
    more, or of one that imports itself.
    """
    order: dict[str, int] = {}
    lowest: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(module: str) -> None:
        order[module] = lowest[module] = len(order)
        stack.append(module)
        for other in sorted(graph[module]):
            if other not in order:
                visit(other)
            if other in stack:
                lowest[module] = min(lowest[module], lowest[other])
        if lowest[module] == order[module]:
            group = stack[stack.index(module) :]
            del stack[-len(group) :]
            if len(group) > 1 or module in graph[module]:
                found.append(sorted(group))

    for module in sorted(graph):
        if module not in order:
            visit(module)
    return sorted(found)


def circles_of_rooms(house: House) -> list[list[str]]:
    """Return the groups of files and wings, side by side in a package, that import each other.

    Where files run in a circle within one package, that is one of them. There may be more: a wing
    and the file beside it, each of which imports the other by different files.
    """
    return [group for p in sorted(house.packages) for group in circles(house.rooms(p))]


def private_imports(house: House) -> list[Import]:
    """Return the imports of a private name or module from outside of the package it is in.

    Private is what has a leading underscore. Modules of the package itself and of packages within
    it may import it.
    """
    return [i for i in house.all_imports if house.owner(i.name) and _crosses(i, house)]


def _crosses(import_: Import, house: House) -> bool:
    parts = import_.name.split(".")
    holders = [".".join(parts[:k]) for k, part in enumerate(parts) if is_private(part)]
    return not all(inside(import_.package, house.package_of(holder)) for holder in holders)


def is_private(part: str) -> bool:
    """Return whether a part of a dotted name is private: it has a leading underscore."""
    return part.startswith("_") and not part.endswith("__")
