"""Roles of parameters, decided by the owning module."""

import re

import pytest
import torch
from torch import Tensor, nn
from transformers.pytorch_utils import Conv1D

import regularizers as rz
from attach.helpers import sites

# the role itself, and whether it is assumed; a report puts both into words
from regularizers.attach.sites._roles import parameters_of
from regularizers.errors import ConfigurationError, SelectionError


def names(make, model: nn.Module, **options) -> list[str]:
    return sites(rz.Regularization(model, [make(rz.L1(1.0))], **options))


class Scale(nn.Module):
    """A module whose parameters' roles cannot be known."""

    def __init__(self) -> None:
        super().__init__()
        self.matrix = nn.Parameter(torch.ones(2, 2))
        self.gain = nn.Parameter(torch.ones(2))
        self.bias = nn.Parameter(torch.ones(2))

    def forward(self, x: Tensor) -> Tensor:
        return self.gain * (x @ self.matrix) + self.bias


@pytest.mark.parametrize(
    ("module", "kernels", "biases"),
    [
        (nn.Linear(2, 3), ["weight"], ["bias"]),
        (nn.Bilinear(2, 3, 4), ["weight"], ["bias"]),
        (nn.Conv1d(2, 3, 1), ["weight"], ["bias"]),
        (nn.Conv3d(2, 3, 1), ["weight"], ["bias"]),
        (nn.ConvTranspose2d(2, 3, 1), ["weight"], ["bias"]),
        (
            nn.LSTM(2, 3, proj_size=1),
            ["weight_ih_l0", "weight_hh_l0", "weight_hr_l0"],
            ["bias_ih_l0", "bias_hh_l0"],
        ),
        (
            nn.GRU(2, 3, bidirectional=True),
            ["weight_ih_l0", "weight_hh_l0", "weight_ih_l0_reverse", "weight_hh_l0_reverse"],
            ["bias_ih_l0", "bias_hh_l0", "bias_ih_l0_reverse", "bias_hh_l0_reverse"],
        ),
        (nn.LSTMCell(2, 3), ["weight_ih", "weight_hh"], ["bias_ih", "bias_hh"]),
        (
            nn.MultiheadAttention(4, 2, add_bias_kv=True),
            ["in_proj_weight", "out_proj.weight"],
            ["in_proj_bias", "bias_k", "bias_v", "out_proj.bias"],
        ),
        (
            nn.MultiheadAttention(4, 2, kdim=3, vdim=5),
            ["q_proj_weight", "k_proj_weight", "v_proj_weight", "out_proj.weight"],
            ["in_proj_bias", "out_proj.bias"],
        ),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else "",
)
def test_kernels_and_biases_of_known_modules(module, kernels, biases):
    assert names(rz.kernel, module) == kernels
    assert names(rz.bias, module) == biases
    assert rz.Regularization(module, [rz.kernel(rz.L1(1.0))]).report().notes == ()


@pytest.mark.parametrize(
    "module",
    [
        nn.LayerNorm(3),
        nn.GroupNorm(1, 3),
        nn.RMSNorm(3),
        nn.BatchNorm2d(3),
        nn.InstanceNorm1d(3, affine=True),
        nn.SyncBatchNorm(3),
        nn.Embedding(5, 3),
        nn.EmbeddingBag(5, 3),
        nn.PReLU(3),
    ],
    ids=lambda module: type(module).__name__,
)
@pytest.mark.parametrize("make", [rz.kernel, rz.bias])
def test_norms_embeddings_and_slopes_are_neither(make, module):
    model = nn.ModuleDict({"lin": nn.Linear(2, 2), "other": module})
    assert names(make, model) == ["lin.weight" if make is rz.kernel else "lin.bias"]
    with pytest.raises(SelectionError, match=r"only other\.weight \((norm|embedding|other)\)"):
        rz.Regularization(model, [make(rz.L1(1.0), where="other")])


def test_a_whole_transformer_layer():
    layer = nn.TransformerEncoderLayer(4, 2, 8)
    expected = ["self_attn.in_proj_weight", "self_attn.out_proj.weight"]
    assert names(rz.kernel, layer) == [*expected, "linear1.weight", "linear2.weight"]


def test_conv1d_of_gpt2_is_assumed_and_listed():
    model = nn.Sequential(nn.Linear(4, 4), Conv1D(4, 4))
    reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(1.0))])
    assert sites(reg) == ["0.weight", "1.weight"]
    text = str(reg.report())
    assert "assumed: 1.weight of Conv1D has the role 'kernel'; roles={Conv1D: ...}" in text
    assert "0.weight of Linear" not in text
    expected = model[0].weight.square().sum() + model[1].weight.square().sum()
    torch.testing.assert_close(reg.penalty(), expected)


def test_what_is_assumed_of_an_unknown_module():
    assert names(rz.kernel, Scale()) == ["matrix"]
    assert names(rz.bias, Scale()) == ["bias"]
    notes = rz.Regularization(Scale(), [rz.kernel(rz.L1(1.0))]).report().notes
    assert len(notes) == 3
    for note, parameter, role in zip(
        notes, ("matrix", "gain", "bias"), ("kernel", "other", "bias"), strict=True
    ):
        assert re.match(f"assumed: {parameter} of Scale has the role '{role}';", note)


def test_a_subclass_keeps_the_role_of_its_parent():
    class MyNormedLinear(nn.Linear):
        pass

    assert names(rz.kernel, MyNormedLinear(2, 2)) == ["weight"]


class MyRMSNorm(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(3, 1))


class PatchEmbed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Parameter(torch.ones(3, 2))


@pytest.mark.parametrize(("module", "role"), [(MyRMSNorm(), "norm"), (PatchEmbed(), "embedding")])
def test_names_of_unknown_modules_hint_at_their_role(module, role):
    with pytest.raises(SelectionError, match=f"no kernel there, only .*({role})"):
        names(rz.kernel, module)


class Owner(nn.Module):
    """A module of no known kind with one parameter."""

    def __init__(self, name: str, *shape: int) -> None:
        super().__init__()
        self.register_parameter(name, nn.Parameter(torch.ones(*shape)))


class PositionEmbedding(Owner):
    pass


@pytest.mark.parametrize(
    ("module", "role"),
    [
        (Owner("gate_up_proj", 3, 4, 8), "kernel"),
        (Owner("gate_up_proj_bias", 3, 8), "bias"),
        (Owner("relative_position_bias_table", 9, 2), "bias"),
        (Owner("attention_biases", 2, 9), "bias"),
        (Owner("pos_bias_u", 2, 4), "bias"),
        (Owner("biased", 2, 4), "bias"),
        (Owner("unbiased", 2, 4), "kernel"),
        (PositionEmbedding("bias", 2, 4), "bias"),
        (PositionEmbedding("table", 2, 4), "embedding"),
        (PositionEmbedding("gate", 1), "other"),
        (Owner("mask_emb", 1, 1, 4), "embedding"),
        (Owner("rel_pos_h", 5, 4), "embedding"),
        (Owner("pos_alpha", 1), "other"),
        (Owner("ensemble", 2, 4), "kernel"),
        (Owner("composition", 2, 4), "kernel"),
        (Owner("weight", 1, 1, 1, 4), "other"),
        (Owner("alpha", 1, 4, 1), "other"),
        (Owner("to_one", 1, 4), "kernel"),
        (Owner("from_one", 4, 1), "kernel"),
        (Owner("scale", 3, 4), "other"),
        (Owner("A_log", 4, 2), "other"),
        (Owner("D", 4, 2), "kernel"),
    ],
    ids=lambda value: "" if isinstance(value, str) else next(iter(value._parameters)),
)
def test_what_is_assumed_by_the_name_and_shape_of_a_parameter(module, role):
    (parameter,) = parameters_of(nn.Sequential(module))
    assert (parameter.role, parameter.assumed) == (role, True)


def test_the_skip_of_a_state_space_model_is_no_kernel():
    mixer = Owner("A_log", 4, 2)
    mixer.D = nn.Parameter(torch.ones(2, 4))
    assert [p.role for p in parameters_of(mixer)] == ["other", "other"]


def test_parameters_in_a_list_go_by_the_module_that_holds_it():
    model = Owner("matrix", 2, 2)
    model.biases = nn.ParameterList([torch.ones(2, 2)])
    model.parts = nn.ParameterDict({"weight": torch.ones(2, 2), "bias": torch.ones(2, 2)})
    assert names(rz.kernel, model) == ["matrix", "parts.weight"]
    assert names(rz.bias, model) == ["biases.0", "parts.bias"]


@pytest.mark.parametrize("where", [Scale, "1", "**", lambda module, name: name == "1"])
def test_stated_roles_of_each_parameter(where):
    model = nn.Sequential(nn.Embedding(3, 2), Scale())
    roles = {where: {"gain": "kernel", "matrix": "other"}}
    assert names(rz.kernel, model, roles=roles) == ["1.gain"]


def test_a_stated_role_of_a_whole_module():
    model = nn.Sequential(nn.Embedding(3, 2), Scale())
    roles = {nn.Embedding: "kernel", "1": "norm"}
    reg = rz.Regularization(model, [rz.kernel(rz.L1(1.0))], roles=roles)
    assert sites(reg) == ["0.weight"]
    assert reg.report().notes == ()


def test_what_is_stated_is_no_longer_listed_as_assumed():
    reg = rz.Regularization(
        Scale(), [rz.kernel(rz.L1(1.0))], roles={Scale: {"matrix": "kernel", "gain": "other"}}
    )
    assert [note.split(";")[0] for note in reg.report().notes] == [
        "assumed: bias of Scale has the role 'bias'"
    ]


def test_the_first_stated_role_that_fits_counts():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    roles = {"1": {"weight": "other"}, nn.Linear: "kernel"}
    assert names(rz.kernel, model, roles=roles) == ["0.weight", "0.bias", "1.bias"]


@pytest.mark.parametrize(
    ("roles", "error", "message"),
    [
        ({Scale: "weight"}, ConfigurationError, "roles: expected one of 'kernel'.*'weight'"),
        ({Scale: {"gain": 3}}, ConfigurationError, "roles: expected one of 'kernel'.*got 3"),
        ({"haed": "kernel"}, SelectionError, "roles: 'haed' matches no module"),
        ({nn.Conv2d: "kernel"}, SelectionError, "roles: .*Conv2d.* matches no module"),
    ],
)
def test_roles_that_cannot_be_raise(roles, error, message):
    with pytest.raises(error, match=message):
        names(rz.kernel, Scale(), roles=roles)


class Token(nn.Module):
    def __init__(self):
        super().__init__()
        self.cls_token = nn.Parameter(torch.zeros(1, 1, 4))


@pytest.mark.parametrize(
    ("model", "where", "key", "written"),
    [
        (Token(), "cls_token", Token, "Token"),
        (nn.Sequential(Token()), "0.cls_token", "0", "'0'"),
    ],
)
def test_a_parameter_in_place_of_a_module_says_how_to_state_it(model, where, key, written):
    cure = f"for a parameter write roles={{{written}: {{'cls_token': 'other'}}}}"
    with pytest.raises(SelectionError, match=f"{re.escape(cure)}$"):
        parameters_of(model, {where: "other"})
    (role,) = [p.role for p in parameters_of(model, {key: {"cls_token": "other"}})]
    assert role == "other"


@pytest.mark.parametrize("where", ["cls_tokens", "1.cls_token", nn.Linear])
def test_a_name_of_nothing_has_no_such_cure(where):
    with pytest.raises(SelectionError, match=r"matches no module of (?!.*for a parameter)"):
        parameters_of(Token(), {where: "embedding"})


def test_a_stated_parameter_that_does_not_exist_raises():
    with pytest.raises((SelectionError, ConfigurationError), match="matrx"):
        names(rz.kernel, Scale(), roles={Scale: {"matrx": "other"}})


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_a_lazy_module_asks_for_a_batch_first():
    model = nn.Sequential(nn.LazyLinear(2))
    with pytest.raises(SelectionError, match=r"LazyLinear.*'weight'.*run one batch"):
        names(rz.kernel, model)
    model(torch.ones(1, 3))
    assert names(rz.kernel, model) == ["0.weight"]
