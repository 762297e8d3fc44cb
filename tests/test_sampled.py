"""The sample has every regime, method and class of penalty, and one cell at least of each test."""

from types import SimpleNamespace

import pytest

import sampled
from regularizers import L1, L2Squared

PENALTIES = [of(1.0, reduce=r) for of in (L1, L2Squared) for r in ("sum", "batch_mean", "mean")]


def item(test, name, every=None, **parameters):
    marker = SimpleNamespace(kwargs={"every": every}) if every else None
    return SimpleNamespace(
        nodeid=f"{test}[{name}]",
        callspec=SimpleNamespace(id=name, params=parameters),
        get_closest_marker=lambda _: marker,
    )


def kept(items):
    left_out = [*sampled.left_out(items)]
    return [one.nodeid for one in items if one not in left_out]


def test_on_jax_each_class_of_penalties_has_a_cell_and_its_settings_take_turns():
    cells = [item("f::t", f"jax-{p!r}", penalty=p) for p in PENALTIES]
    assert kept(cells) == [f"f::t[jax-{PENALTIES[k]!r}]" for k in (0, 4)]


def test_a_test_may_say_jax_in_its_name():
    cells = [item("f::test_jax_too", repr(p), penalty=p) for p in PENALTIES[:3]]
    assert len(kept(cells)) == 1
    others = [item("f::test_the_same_as_jax", repr(p), penalty=p) for p in PENALTIES[:3]]
    assert len(kept(others)) == 3


@pytest.mark.parametrize(("name", "every"), [("compile", 3), ("compiled autograd", 9)])
def test_with_a_compiler_one_in_so_many_is_kept(name, every):
    regime = SimpleNamespace(name=name, compiles=True)
    cells = [item("m::t", str(k), regime=regime) for k in range(2 * every)]
    assert kept(cells) == ["m::t[0]", f"m::t[{every}]"]


def test_without_a_compiler_all_are_kept():
    regime = SimpleNamespace(name="eager", compiles=False)
    assert len(kept([item("m::t", str(k), regime=regime) for k in range(9)])) == 9


def test_a_test_can_say_that_its_cells_are_alike():
    assert kept([item("f::t", str(k), every=4, seed=k) for k in range(6)]) == ["f::t[0]", "f::t[4]"]


def test_a_cell_that_is_asked_for_alone_is_run():
    """As a mutant does that names the cell which sees it."""
    assert kept([item("f::t", "jax-3", every=4)]) == ["f::t[jax-3]"]


def test_a_test_without_parameters_is_kept():
    assert [*sampled.left_out([SimpleNamespace(nodeid="f::t")])] == []
