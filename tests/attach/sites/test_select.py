"""The modules that a `where` selects, and the error if it selects none."""

import pytest
from torch import nn

import regularizers as rz
from attach.helpers import Net, sites
from regularizers.errors import ConfigurationError, SelectionError


def activity_sites(where, model: nn.Module | None = None) -> list[str]:
    rule = rz.activity(rz.L1(1.0), where=where)
    return sites(rz.Regularization(model or Net(), [rule]))


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("encoder.act", ["encoder.act"]),
        ("encoder.*", ["encoder.lin", "encoder.act"]),
        ("*.act", ["encoder.act"]),
        ("blocks.*", ["blocks.0", "blocks.1"]),
        ("blocks.*.act", ["blocks.0.act", "blocks.1.act"]),
        ("**.act", ["encoder.act", "blocks.0.act", "blocks.1.act"]),
        ("b**.act", ["blocks.0.act", "blocks.1.act"]),
        ("blocks.0.*", ["blocks.0.lin", "blocks.0.act"]),
        ("blocks.0**", ["blocks.0", "blocks.0.lin", "blocks.0.act"]),
        ("blocks.?.act", ["blocks.0.act", "blocks.1.act"]),
        ("blocks.[1-9].act", ["blocks.1.act"]),
        ("h*d", ["head"]),
        (nn.ReLU, ["blocks.0.act", "blocks.1.act"]),
        (lambda module, name: name.startswith("head.") and bool(module), ["head.0", "head.1"]),
        (["blocks.1.act", nn.Tanh], ["encoder.act", "blocks.1.act"]),
        (("head", "head", "h*"), ["head"]),
        ("", ["(root)"]),
        ("(root)", ["(root)"]),
        (Net, ["(root)"]),
    ],
)
def test_activity_where(where, expected):
    assert activity_sites(where) == expected


def test_where_may_be_a_module_itself():
    model = Net()
    assert activity_sites(model.blocks[1].act, model) == ["blocks.1.act"]
    assert activity_sites([model.blocks[1].act, model], model) == ["(root)", "blocks.1.act"]


@pytest.mark.parametrize("pattern", ["encoder_act", "encoderxact", "encoder.ac", "ncoder.act"])
def test_a_name_means_exactly_itself(pattern):
    with pytest.raises(SelectionError):
        activity_sites(pattern)


def test_a_shell_negation_never_means_its_opposite():
    assert activity_sites("blocks.[!0].act") == ["blocks.1.act"]


def test_a_shared_module_is_one_site_under_the_first_of_its_names():
    shared = nn.ReLU()
    model = nn.Sequential(nn.Linear(2, 2), shared, nn.Linear(2, 2), shared)
    assert activity_sites("3", model) == ["1"]
    assert activity_sites(nn.ReLU, model) == ["1"]


KERNELS = ["encoder.lin.weight", "blocks.0.lin.weight", "blocks.1.lin.weight"]
HEAD = ["head.0.weight", "head.1.weight"]


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ("**", KERNELS + HEAD),
        ("head", HEAD),
        ("head.1", ["head.1.weight"]),
        ("head.1.weight", ["head.1.weight"]),
        ("blocks", KERNELS[1:]),
        ("blocks.**", KERNELS[1:]),
        ("blocks.*.lin", KERNELS[1:]),
        ("*.lin", KERNELS[:1]),
        ("encoder.*", KERNELS[:1]),
        ("**.weight", KERNELS + HEAD),
        (nn.Linear, KERNELS + HEAD),
        (lambda module, name: name == "encoder.lin", KERNELS[:1]),
        (["head.1", "head"], HEAD),
        ("", KERNELS + HEAD),
        ("(root)", KERNELS + HEAD),
    ],
)
def test_kernel_where(where, expected):
    reg = rz.Regularization(Net(), [rz.kernel(rz.L2Squared(1.0), where=where)])
    assert sorted(sites(reg)) == sorted(expected)


def test_a_glob_does_not_mean_the_subtrees_of_what_it_matches():
    with pytest.raises(SelectionError, match=r"blocks\.0 has no kernel of its own"):
        rz.Regularization(Net(), [rz.kernel(rz.L1(1.0), where="blocks.*")])


def test_a_name_does_not_mean_what_begins_alike():
    model = nn.ModuleDict({"head": nn.Linear(2, 2), "header": nn.Linear(2, 2)})
    reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(1.0), where="head")])
    assert sites(reg) == ["head.weight"]


def test_bias_where():
    reg = rz.Regularization(Net(), [rz.bias(rz.L1(1.0), where="head")])
    assert sites(reg) == ["head.0.bias", "head.1.bias"]


def test_parameters_of_the_root_itself_have_plain_names():
    for where in ("", "**", "weight", nn.Linear):
        reg = rz.Regularization(nn.Linear(2, 2), [rz.kernel(rz.L1(1.0), where=where)])
        assert sites(reg) == ["weight"]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("encodr.act", r"activity\(L1\(1.0\), where='encodr.act'\).*nearest names: .*encoder\.act"),
        ("blocks.0.atc", r"nearest names: blocks\.0\.act"),
        ("%", "no name is near"),
        (nn.GELU, r"where=GELU matches nothing.*types in the model: .*ReLU"),
        (lambda module, name: False, "matches nothing"),
        (nn.ReLU(), "where=<this ReLU> matches nothing"),
        (["encoder.act", "encodr.lin"], "'encodr.lin' matches nothing"),
    ],
)
def test_a_rule_that_matches_nothing_names_the_nearest(where, message):
    with pytest.raises(SelectionError, match=message):
        activity_sites(where)


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        (rz.kernel(rz.L1(1.0), where="haed"), "kernel.*'haed' matches nothing.*nearest.*head"),
        (rz.bias(rz.L1(1.0), where="head.0.bais"), r"nearest names: .*head\.0\.bias"),
        (rz.kernel(rz.L1(1.0), where="norm"), r"no kernel there, only norm\.weight \(norm\)"),
        (rz.bias(rz.L1(1.0), where=nn.LayerNorm), "no bias there, only norm.weight"),
        (rz.kernel(rz.L1(1.0), where=["head", "nowhere"]), "'nowhere' matches nothing"),
    ],
)
def test_a_weight_rule_that_matches_nothing_says_what_is_there(rule, message):
    with pytest.raises(SelectionError, match=message):
        rz.Regularization(Net(), [rule])


@pytest.mark.parametrize("where", [[], ()])
@pytest.mark.parametrize("make", [rz.activity, rz.kernel, rz.bias])
def test_an_empty_list_matches_nothing(make, where):
    with pytest.raises((SelectionError, ConfigurationError)):
        rz.Regularization(Net(), [make(rz.L1(1.0), where=where)])


@pytest.mark.parametrize("where", [3, None, 1.5, ["encoder.act", 3]])
def test_what_can_be_no_where_raises_where_the_rule_is_written(where):
    with pytest.raises(ConfigurationError, match=r"where: expected .* got (3|None|1\.5)"):
        rz.activity(rz.L1(1.0), where=where)
