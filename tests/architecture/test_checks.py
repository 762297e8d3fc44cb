"""The checks of the architecture find what is wrong in houses made up for it."""

from pathlib import Path

import pytest

from architecture.imports import House
from architecture.measures import Lines, Way, added, floors, lines, ways
from architecture.page import main
from architecture.reaching import unexplained
from architecture.rules import circles, circles_of_rooms, private_imports, upward_imports

MADE_UP = {
    "regularizers": "from regularizers.errors import Oops",
    "regularizers.errors": "",
    "regularizers.penalties": "from regularizers.penalties._a import A",
    "regularizers.penalties._a": "from regularizers.errors import Oops\nimport math",
    "regularizers.attach": "",
    "regularizers.attach._b": "from regularizers.penalties import A",
    "regularizers.attach.step": "from regularizers.attach.step._c import C",
    "regularizers.attach.step._c": "from .._b import _private\nfrom . import _d\n_d._e",
    "regularizers.attach.step._d": "import torch._dynamo\nfrom .. import errors",
}
PACKAGES = frozenset(
    ["regularizers", "regularizers.penalties", "regularizers.attach", "regularizers.attach.step"]
)


def made_up(module: str, source: str) -> House:
    return House(MADE_UP | {module: source}, PACKAGES)


A, B = "regularizers.penalties._a", "regularizers.attach._b"


@pytest.mark.parametrize(
    ("module", "source", "upward", "found"),
    [
        ("regularizers.errors", "", [], []),
        (
            A,
            "def late():\n    from regularizers.attach import _b",
            [f"{A} -> {B}"],
            [[B, "regularizers.penalties", A]],
        ),
        (A, "from ..attach import _b", [f"{A} -> {B}"], [[B, "regularizers.penalties", A]]),
        (A, "from . import A", [], [["regularizers.penalties", A]]),
        (A, "from . import _a", [], [[A]]),
        (B, "import regularizers", [f"{B} -> regularizers"], []),
        (
            "regularizers.errors",
            "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import regularizers.attach",
            ["regularizers.errors -> regularizers.attach"],
            [],
        ),
        (
            "regularizers.errors",
            "if TYPE_CHECKING:\n    from regularizers.penalties import A",
            ["regularizers.errors -> regularizers.penalties"],
            [["regularizers.errors", "regularizers.penalties", A]],
        ),
    ],
)
def test_the_check_itself_finds_what_is_wrong(module, source, upward, found):
    graph = made_up(module, source).graph
    assert upward_imports(graph) == upward
    assert circles(graph) == found


def test_circles_that_do_not_touch_are_told_apart():
    graph = {"a": {"b"}, "b": {"a"}, "c": {"d", "a"}, "d": {"e"}, "e": {"c"}, "f": {"e"}}
    assert circles(graph) == [["a", "b"], ["c", "d", "e"]]


def test_a_wing_and_a_file_beside_it_make_a_circle_without_one_of_files():
    step = "regularizers.attach.step"
    house = made_up(B, f"from {step} import _d")
    assert circles(house.graph) == []
    assert circles_of_rooms(house) == [[B, step]]


@pytest.mark.parametrize(
    ("module", "source", "found"),
    [
        # of the same package, and of a package within it: B is imported so by step._c, too
        (B, "from regularizers.attach._rules import _x", []),
        (B, "from regularizers.penalties._a import A", ["regularizers.penalties._a.A"]),
        (B, "from ..penalties import _a", ["regularizers.penalties._a"]),
        (B, "import regularizers.penalties._a", ["regularizers.penalties._a"]),
        (B, "from regularizers.penalties import _x", ["regularizers.penalties._x"]),
        (B, "from .step._d import e", ["regularizers.attach.step._d.e"]),
        (
            "regularizers.errors",
            "if TYPE_CHECKING:\n    from regularizers.attach._b import B",
            ["regularizers.attach._b.B"],
        ),
    ],
)
def test_private_names_stay_in_their_package(module, source, found):
    assert [i.name for i in private_imports(made_up(module, source))] == found


REACHES = "from regularizers.attach._b import B"
SAME = "from regularizers.attach.step._c import C"


@pytest.mark.parametrize(
    ("source", "found"),
    [
        # what is no private name of the library
        ("import regularizers as rz", []),
        ("from regularizers.attach import Rule", []),
        ("from regularizers.__main__ import main", []),
        ("import torch._dynamo", []),
        ("from torch import _dynamo", []),
        # without a comment
        (REACHES, ["regularizers.attach._b.B"]),
        ("import regularizers.attach._b as b", ["regularizers.attach._b"]),
        ("from regularizers import _keys, errors", ["regularizers._keys"]),
        (f"def test():\n    {REACHES}", ["regularizers.attach._b.B"]),
        # with one
        (f"# why\n{REACHES}", []),
        (f"# why, which takes\n# two lines\n{REACHES}", []),
        (f"def test():\n    # why\n    {REACHES}", []),
        # with one that is of something else
        (f"{REACHES}  # why", ["regularizers.attach._b.B"]),
        (f"# why\n\n{REACHES}", ["regularizers.attach._b.B"]),
        (f"# why\nimport regularizers\n{REACHES}", ["regularizers.attach._b.B"]),
        # one for several: of the package and of packages within it, up to an empty line
        (f"# why\n{REACHES}\nfrom regularizers.attach import Rule\n{SAME}", []),
        (f"# why\n{REACHES}\n\n{SAME}", ["regularizers.attach.step._c.C"]),
        (f"# why\n{SAME}\n{REACHES}", ["regularizers.attach._b.B"]),
        # by name
        ("p.setattr('regularizers.attach._b.B', 1)", ["regularizers.attach._b.B"]),
        ("p.setattr('regularizers.errors.Oops', 1)", []),
        ("p.setattr(b, 'B', 1)", []),
        ("import_module('regularizers.attach._b')", ["regularizers.attach._b"]),
        ("expected = 'regularizers.attach._b'", []),
    ],
)
def test_a_test_that_reaches_into_a_private_module_says_why(source, found):
    assert unexplained(source) == found


def test_rooms_and_floors_are_counted():
    house = House(MADE_UP, PACKAGES)
    step = "regularizers.attach.step"
    assert house.rooms("regularizers.attach") == {B: set(), step: {B}}
    assert floors(house.rooms("regularizers.attach")) == 2
    # d alone, c on b on a; a circle counts as one floor
    assert floors({"a": set(), "b": {"a"}, "c": {"b", "a"}, "d": set()}) == 3
    assert floors({"a": {"b"}, "b": {"a"}, "c": {"a"}}) == 2
    assert floors({}) == 0


def test_lines_are_code_prose_or_empty():
    source = '"""Says\n\nwhat."""\n\n# why\nx = """a\n\n"""  # a comment\ny = x\n'
    assert lines(source) == Lines(code=4, prose=4, empty=1)
    assert added([lines(source), lines("z = 1\n")]) == Lines(5, 4, 1)
    assert added([]) == Lines(0, 0, 0)


def test_a_table_of_ways_is_read_and_not_run():
    reading = "regularizers.attach.reading._plan"
    source = "raise OSError\nWAYS = (Way('at once', 'here', 'small', None), Way('a', 'b', 'c'))"
    found = ways(House({reading: source}, frozenset()))
    assert found == [Way("at once", "here", "small"), Way("a", "b", "c")]
    assert ways(House({reading: "x = 1"}, frozenset())) == []


def write(folder: Path, sources: dict[str, str]) -> Path:
    for name, source in sources.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(source)
    return folder


def test_the_command_prints_the_house_and_fails_where_a_rule_is_broken(tmp_path, capsys):
    sound = {"p/__init__.py": "", "p/_a.py": "from p.q import b", "p/q/__init__.py": ""}
    assert main([str(write(tmp_path, sound))]) == 0
    assert main([str(tmp_path / "p")]) == 0  # the package itself
    capsys.readouterr()
    wrong = {"p/q/__init__.py": "from p._a import A", "p/r/__init__.py": "from p.q._c import D"}
    assert main([str(write(tmp_path, wrong | {"p/q/_c.py": ""}))]) == 1
    printed = capsys.readouterr().out
    words = " ".join(printed.split())
    assert "circles of files 1 p._a, p.q circles of rooms 1 p._a, p.q" in words
    assert "across packages 1 p.r: p.q._c.D" in words


def test_the_command_prints_this_house(capsys):
    assert main([]) == 0
    assert "ways to read an activation" in capsys.readouterr().out


def test_a_folder_without_a_package_is_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a folder with a package in it, got"):
        House.read(tmp_path)
