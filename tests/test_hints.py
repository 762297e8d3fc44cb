"""Names that other libraries have say what to use here."""

import re
import traceback

import pytest
import torch

import regularizers as rz

# every hint is checked, whatever name it is for
from regularizers import _hints


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("l1", r"no l1: use L1\(strength\)"),
        ("Lasso", r"no Lasso: use L1\(strength\).* proximal=True"),
        ("L2", "no L2: .*L2Norm .*L2Squared"),
        ("l2", "no l2: .*L2Norm .*L2Squared"),
        ("Ridge", r"use kernel\(L2Squared\(strength\)\)"),
        ("l1_l2", r"use L1L2\(l1, l2\)|did you mean L1L2"),
        ("L1_L2", r"did you mean L1L2\?"),
        ("ElasticNet", r"use L1L2\(l1, l2\)"),
        ("WeightDecay", r"kernel\(L2Squared\(λ / 2\)\) is the weight_decay=λ of SGD"),
        ("weight_decay", "weight_decay_groups"),
        ("TargetL0", r"use TargetActive\(n\)"),
        ("StochasticDepth", r"use layers\.DropPath"),
        ("max_norm", r"did you mean MaxNorm\?"),
        ("NonNeg", r"use constraint\(NonNegative\(\)\)"),
        ("KernelConstraint", r"regularize\(module, kernel_constraint=\.\.\.\), or as a rule"),
        ("Dropout", r"use torch\.nn\.Dropout for models"),
        ("SpatialDropout2D", r"use torch\.nn\.Dropout2d"),
        ("DropBlock", r"use layers\.DropBlock2d"),
        ("GroupNorm", r"use torch\.nn\.GroupNorm"),
        ("DeadUnits", r"use monitor\.DeadUnits"),
        ("huber", r"has no attribute 'huber'; did you mean Huber\?"),
        ("Ar", r"did you mean AR or ar\?"),
    ],
)
def test_a_name_of_another_library_says_what_to_use(name, said):
    with pytest.raises(AttributeError, match=said):
        getattr(rz, name)


@pytest.mark.parametrize("room", [rz, rz.integrations])
def test_python_adds_no_guess_of_its_own(room):
    with pytest.raises(AttributeError) as said:
        getattr(room, "L2")  # noqa: B009
    lines = "".join(traceback.format_exception_only(said.value))
    assert said.value.name == "L2"
    assert said.value.obj is None
    assert "Did you mean: " not in lines


def test_a_hint_names_what_is_there():
    hints = " ".join(_hints._HINTS.values())
    ours = {word for word in re.findall(r"(?<![\w.])([A-Z]\w+)\(", hints) if word != "AdamW"}
    assert len(ours) > 10
    for name in ours:
        assert getattr(rz, name)
    rooms = re.findall(r"(?<!\.)\b(layers|monitor|functional)\.(\w+)", hints)
    assert len(rooms) > 15
    for room, name in rooms:
        assert getattr(getattr(rz, room), name)
    for path in re.findall(r"torch\.nn\.([\w.]+\w)", hints):
        found: object = torch.nn
        for part in path.split("."):
            found = getattr(found, part)
        assert found


def test_a_hint_is_for_a_name_that_is_missing():
    named = [name for names in _hints._HINTS for name in names.split()]
    assert len(set(named)) == len(named)
    assert not set(named) & set(rz.__all__)


LAYERS = [f"layers.{name}" for name in rz.layers.__all__ if name[0].isupper()]
METRICS = [
    f"monitor.{name}" for name in rz.monitor.__all__ if hasattr(getattr(rz.monitor, name), "update")
]


@pytest.mark.parametrize("path", [*LAYERS, *METRICS])
def test_a_layer_or_a_metric_is_found_in_its_room(path):
    with pytest.raises(AttributeError, match=f"use {path}"):
        getattr(rz, path.partition(".")[2])
