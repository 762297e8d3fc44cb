"""Keys that every logger takes, and those of version 0.1."""

import pytest

# names that collide, without a model for each
from regularizers._keys import Keys, key_of, legal, renamed


def test_the_second_alike_is_numbered():
    keys = Keys()
    assert [keys.add(key) for key in "abaa"] == ["a", "b", "a/2", "a/3"]


def test_the_root_module_is_the_model():
    assert [key_of(name) for name in ("", "model.act")] == ["model", "model.act"]


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("blocks.0.act/activity/L1/2", "blocks.0.act/activity/L1/2"),
        ("λ_1 a-b/x", "λ_1 a-b/x"),
        ("a[0]/x(y)<z>", "a_0_/x_y__z_"),
        ("a:b#2\n", "a_b_2_"),
        ("/a//b/", "_/a/_/b/_"),
        ("../a/./b", "_/a/_/b"),
    ],
)
def test_keys_are_in_letters_that_loggers_take(key, expected):
    assert legal(key) == Keys().add(key) == expected


def test_what_becomes_alike_is_numbered():
    keys = Keys()
    assert [keys.add(key) for key in ("a[0]", "a(0)", "a_0_")] == ["a_0_", "a_0_/2", "a_0_/3"]


@pytest.mark.parametrize(
    ("former", "today"),
    [
        (["(root)/activity/L1"], ["model/activity/L1"]),
        (["1/activity/L1", "1/activity/L1#2"], ["1/activity/L1", "1/activity/L1/2"]),
        # a child called "model" is alike
        (["(root)/activity/L1", "model/activity/L1"], ["model/activity/L1", "model/activity/L1/2"]),
        # before keys were legal
        (["a[0]/activity/L1", "b/activity/L1"], ["a_0_/activity/L1", "b/activity/L1"]),
        # today's are their own, whatever their order
        (
            ["model/activity/L1/2", "model/activity/L1"],
            ["model/activity/L1/2", "model/activity/L1"],
        ),
    ],
)
def test_former_keys_become_todays(former, today):
    assert renamed(former) == dict(zip(former, today, strict=True))
