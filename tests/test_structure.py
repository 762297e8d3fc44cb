"""The house: imports point down, arrays need no PyTorch, and every public name resolves."""

import ast
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest

import regularizers

PACKAGE = Path(regularizers.__file__).parent
FACE = "regularizers"

# The face of the package is a room too: what the library is made of does not import it back.
# A private module beside the rooms stands on the ground floor, with the errors.
ROOMS = [
    *("errors", "penalties", "functional", "control", "modules", "layers", "monitor", "attach"),
    *("testing", "integrations", FACE, "recipes", "__main__"),
]

Graph = dict[str, set[str]]


def without_type_checking(nodes: Iterable[ast.AST]) -> Iterator[ast.AST]:
    """Yield every node below `nodes`, except what only a type checker reads."""
    for node in nodes:
        if isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test):
            yield from without_type_checking(node.orelse)
            continue
        yield node
        yield from without_type_checking(ast.iter_child_nodes(node))


def imported_names(module: str, source: str, *, is_package: bool = False) -> Iterator[str]:
    """Yield the dotted names that `source` imports, wherever in it, relative ones made absolute."""
    package = module.split(".") if is_package else module.split(".")[:-1]
    for node in without_type_checking([ast.parse(source)]):
        if isinstance(node, ast.Import):
            yield from [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            above = package[: len(package) - node.level + 1] if node.level else []
            origin = ".".join([*above, *([node.module] if node.module else [])])
            yield from [f"{origin}.{alias.name}" for alias in node.names]


def graph_of(sources: dict[str, str], packages: Iterable[str] = ()) -> Graph:
    """Return which module imports which, of those in `sources`."""
    graph: Graph = {}
    for module, source in sources.items():
        names = imported_names(module, source, is_package=module in packages)
        found = {name if name in sources else name.rpartition(".")[0] for name in names}
        graph[module] = found & sources.keys()
    return graph


def room_of(module: str) -> str:
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


def circle(graph: Graph) -> list[str]:
    """Return modules of which each imports the next and the last the first; none if there is no
    circle.
    """
    done: set[str] = set()

    def follow(module: str, path: list[str]) -> list[str]:
        if module in path:
            return path[path.index(module) :]
        if module in done:
            return []
        for other in sorted(graph[module]):
            if found := follow(other, [*path, module]):
                return found
        done.add(module)
        return []

    for module in graph:
        if found := follow(module, []):
            return found
    return []


def read_package() -> tuple[dict[str, str], set[str]]:
    """Return the source of every module of the package, and which of them are packages."""
    sources, packages = {}, set()
    for path in PACKAGE.rglob("*.py"):
        parts = [FACE, *path.relative_to(PACKAGE).with_suffix("").parts]
        if parts[-1] == "__init__":
            parts.pop()
            packages.add(".".join(parts))
        sources[".".join(parts)] = path.read_text(encoding="utf-8")
    return sources, packages


def test_every_module_has_a_room():
    sources, _ = read_package()
    assert len(sources) > 20
    assert {room_of(module) for module in sources} <= set(ROOMS)


def test_imports_point_down():
    assert upward_imports(graph_of(*read_package())) == []


def test_imports_run_in_no_circle():
    assert circle(graph_of(*read_package())) == []


def test_the_graph_read_from_the_package_is_not_empty():
    graph = graph_of(*read_package())
    assert "regularizers.attach.collect._ledger" in graph["regularizers.attach.collect._tap"]
    assert "regularizers.errors" in graph["regularizers.penalties.arrays._arrays"]


MADE_UP = {
    "regularizers": "from regularizers.errors import Oops",
    "regularizers.errors": "",
    "regularizers.penalties": "from regularizers.penalties._a import A",
    "regularizers.penalties._a": "from regularizers.errors import Oops\nimport math",
    "regularizers.attach._b": "from regularizers.penalties import _a",
}
HARMLESS = "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import regularizers.attach._b"


@pytest.mark.parametrize(
    ("module", "source", "upward", "circles"),
    [
        ("regularizers.errors", "", [], []),
        ("regularizers.errors", HARMLESS, [], []),
        (
            "regularizers.penalties._a",
            "def late():\n    from regularizers.attach import _b",
            ["regularizers.penalties._a -> regularizers.attach._b"],
            ["regularizers.attach._b", "regularizers.penalties._a"],
        ),
        (
            "regularizers.penalties._a",
            "from ..attach import _b",
            ["regularizers.penalties._a -> regularizers.attach._b"],
            ["regularizers.attach._b", "regularizers.penalties._a"],
        ),
        (
            "regularizers.penalties._a",
            "from . import A",
            [],
            ["regularizers.penalties", "regularizers.penalties._a"],
        ),
        (
            "regularizers.attach._b",
            "import regularizers",
            ["regularizers.attach._b -> regularizers"],
            [],
        ),
        (
            "regularizers.errors",
            "if TYPE_CHECKING:\n    pass\nelse:\n    import regularizers.attach._b",
            ["regularizers.errors -> regularizers.attach._b"],
            ["regularizers.attach._b", "regularizers.errors", "regularizers.penalties._a"],
        ),
    ],
)
def test_the_check_itself_finds_what_is_wrong(module, source, upward, circles):
    graph = graph_of(MADE_UP | {module: source}, {"regularizers", "regularizers.penalties"})
    assert upward_imports(graph) == upward
    assert sorted(circle(graph)) == circles


def test_the_mathematics_never_imports_an_array_library():
    sources, packages = read_package()
    mathematics = [
        m for m in sources if room_of(m) in {"errors", "penalties", "functional", "control"}
    ]
    assert "regularizers.penalties._l1" in mathematics
    for module in mathematics:
        names = imported_names(module, sources[module], is_package=module in packages)
        assert not {name.split(".")[0] for name in names} & {"torch", "numpy", "jax"}, module


@pytest.mark.parametrize("module", ["regularizers", "regularizers.penalties"])
def test_importing_loads_no_array_library(module):
    code = f"import sys, {module}; print(*{{n.split('.')[0] for n in sys.modules}})"
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    loaded = set(result.stdout.split())
    assert "regularizers" in loaded
    assert not loaded & {"torch", "numpy", "jax", "array_api_strict"}


@pytest.mark.parametrize("name", regularizers.__all__)
def test_every_public_name_resolves(name):
    assert getattr(regularizers, name) is not None
    assert name in dir(regularizers)


def test_public_names_are_listed_once():
    assert len(set(regularizers.__all__)) == len(regularizers.__all__)


def test_there_is_no_plain_l2():
    with pytest.raises(AttributeError, match=r"L2Norm .*L2Squared"):
        regularizers.L2  # noqa: B018


def test_an_unknown_name_is_no_attribute():
    with pytest.raises(AttributeError, match="module 'regularizers' has no attribute 'L3'"):
        regularizers.L3  # noqa: B018
