"""The house: imports point down, arrays need no PyTorch, and every public name resolves."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

import regularizers
from architecture.imports import House
from architecture.measures import ways
from architecture.reaching import unexplained
from architecture.rules import (
    ROOMS,
    circles,
    circles_of_rooms,
    private_imports,
    room_of,
    upward_imports,
)
from regularizers.attach.reading import WAYS

PACKAGE = Path(regularizers.__file__).parent

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def house() -> House:
    return House.read(PACKAGE)


def test_every_module_has_a_room(house):
    assert len(house.sources) > 20
    assert {room_of(module) for module in house.sources} <= set(ROOMS)


def test_imports_point_down(house):
    assert upward_imports(house.graph) == []


def test_imports_run_in_no_circle(house):
    assert circles(house.graph) == []


def test_files_and_wings_side_by_side_run_in_no_circle(house):
    assert circles_of_rooms(house) == []


def test_no_private_name_is_imported_from_another_package(house):
    assert private_imports(house) == []


def test_tests_say_why_they_reach_into_private_modules():
    folders = [ROOT / "tests", ROOT / "benchmarks"]
    sources = {path: path.read_text("utf-8") for f in folders for path in sorted(f.rglob("*.py"))}
    assert len(sources) > 200
    found = {str(path.relative_to(ROOT)): unexplained(text) for path, text in sources.items()}
    assert {path: names for path, names in found.items() if names} == {}


def test_the_graph_read_from_the_package_is_not_empty(house):
    assert "regularizers.attach.collect._ledger" in house.graph["regularizers.attach.collect._tap"]
    assert "regularizers.errors" in house.graph["regularizers.penalties.arrays._arrays"]


def test_the_ways_to_read_an_activation_are_declared(house):
    assert len(ways(house)) > 1
    for way in ways(house):
        assert all(way), way


def test_the_mathematics_never_imports_an_array_library(house):
    mathematics = [
        m
        for m in house.sources
        if room_of(m) in {"errors", "penalties", "functional", "constraints", "control"}
        # stands beside the rooms, for the trainings of two of them; its files are PyTorch's
        and m != "regularizers._checkpoints"
    ]
    assert "regularizers.penalties._l1" in mathematics
    for module in mathematics:
        names = {i.name.split(".")[0] for i in house.imports(module)}
        assert not names & {"torch", "numpy", "jax"}, module


@pytest.mark.parametrize(
    "module", ["regularizers", "regularizers.penalties", "regularizers.constraints"]
)
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


@pytest.mark.parametrize("way", WAYS, ids=lambda way: way.name)
def test_every_way_to_read_is_chosen_where_it_says(way):
    file, _, name = way.chosen.partition(": ")
    owner, _, method = name.partition(".")
    source = (PACKAGE / "attach" / file).read_text(encoding="utf-8")
    assert f"class {owner}" in source
    assert f"def {method}(" in source or not method


def test_the_text_of_the_architecture_names_files_that_are_there():
    page = (PACKAGE.parents[1] / "docs" / "architecture.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`([a-z_/]+\.py)`", page))
    assert len(named) > 30
    folders = [PACKAGE, PACKAGE / "attach", PACKAGE / "penalties"]
    assert not [name for name in named if not any((f / name).exists() for f in folders)]
