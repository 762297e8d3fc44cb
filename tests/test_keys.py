"""Keys that every logger takes, and those of version 0.1."""

import pytest

# names that collide, without a model for each
from regularizers._keys import Keys, key_of, renamed


def test_the_second_alike_is_numbered():
    keys = Keys()
    assert [keys.add(key) for key in "abaa"] == ["a", "b", "a/2", "a/3"]


def test_the_root_module_is_the_model():
    assert [key_of(name) for name in ("", "model.act")] == ["model", "model.act"]


@pytest.mark.parametrize(
    ("former", "today"),
    [
        (["(root)/activity/L1"], ["model/activity/L1"]),
        (["1/activity/L1", "1/activity/L1#2"], ["1/activity/L1", "1/activity/L1/2"]),
        # a child called "model" is alike
        (["(root)/activity/L1", "model/activity/L1"], ["model/activity/L1", "model/activity/L1/2"]),
        # today's are their own, whatever their order
        (
            ["model/activity/L1/2", "model/activity/L1"],
            ["model/activity/L1/2", "model/activity/L1"],
        ),
    ],
)
def test_former_keys_become_todays(former, today):
    assert renamed(former) == dict(zip(former, today, strict=True))
