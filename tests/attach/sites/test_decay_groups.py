"""Parameter groups: each parameter in one, by its role, and what the optimizer then does."""

import copy
import math

import pytest
import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import FullyShardedDataParallel, fully_shard
from torch.nn.utils import parametrizations, parametrize, prune
from transformers.pytorch_utils import Conv1D

import regularizers as rz
from attach.helpers import Net, mlp
from regularizers.errors import (
    ConfigurationError,
    RegimeError,
    SelectionError,
    StrengthError,
    StrengthTypeError,
)

LR, DECAY = 0.5, 0.1


def decayed(model: nn.Module, **options) -> list[str]:
    """Return the names of the parameters that decay, having seen that each is in one group."""
    groups = rz.weight_decay_groups(model, DECAY, **options)
    names = {id(p): name for name, p in model.named_parameters()}
    held = [id(p) for group in groups for p in group["params"]]
    assert sorted(held) == sorted(names)
    return [names[id(p)] for group in groups if group["weight_decay"] for p in group["params"]]


def names_of(model: nn.Module) -> list[str]:
    return [name for name, _ in model.named_parameters()]


class Experts(nn.Module):
    """Fused experts: the biases are matrices, as the kernels are three-dimensional."""

    def __init__(self) -> None:
        super().__init__()
        self.up = nn.Parameter(torch.randn(3, 4, 8))
        self.up_bias = nn.Parameter(torch.randn(3, 8))


class Tied(nn.Module):
    """A language model whose head is its embedding."""

    def __init__(self) -> None:
        super().__init__()
        self.table = nn.Embedding(7, 4)
        self.body = nn.Linear(4, 4)
        self.head = nn.Linear(4, 7, bias=False)
        self.head.weight = self.table.weight


def test_the_two_groups_of_a_small_network():
    model = Net()
    decay, rest = rz.weight_decay_groups(model, DECAY)
    kernels = [model.encoder.lin, *[b.lin for b in model.blocks], *model.head]
    assert list(map(id, decay["params"])) == [id(module.weight) for module in kernels]
    others = [kernels[0], kernels[1], kernels[2], model.norm, kernels[3], kernels[4]]
    expected = [
        id(p) for m in others for n, p in m.named_parameters() if m is model.norm or n == "bias"
    ]
    assert list(map(id, rest["params"])) == expected
    assert (decay["weight_decay"], decay["name"]) == (DECAY, "decay")
    assert (rest["weight_decay"], rest["name"]) == (0.0, "no_decay")
    assert type(rest["weight_decay"]) is float


def test_a_group_that_would_be_empty_is_left_out():
    (group,) = rz.weight_decay_groups(nn.Linear(2, 2, bias=False), DECAY)
    assert group["name"] == "decay"
    (group,) = rz.weight_decay_groups(nn.LayerNorm(2), DECAY)
    assert (group["name"], group["weight_decay"]) == ("no_decay", 0.0)


def test_no_decay_is_a_decay_of_zero():
    assert [group["weight_decay"] for group in rz.weight_decay_groups(mlp(), 0)] == [0.0, 0.0]


def test_biases_of_fused_experts_are_matrices_and_do_not_decay():
    assert decayed(Experts()) == ["up"]


@pytest.mark.parametrize(
    ("embeddings", "expected"), [(True, ["0.weight", "1.weight"]), (False, ["1.weight"])]
)
def test_embeddings_decay_if_asked(embeddings, expected):
    model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 2))
    assert decayed(model, embeddings=embeddings) == expected


def test_a_tied_head_is_an_embedding():
    assert decayed(Tied()) == ["table.weight", "body.weight"]
    assert decayed(Tied(), embeddings=False) == ["body.weight"]


def test_stating_that_the_table_is_a_kernel_decays_the_tied_head():
    roles = {nn.Embedding: "kernel"}
    assert decayed(Tied(), embeddings=False, roles=roles) == ["table.weight", "body.weight"]


def test_a_tied_parameter_decays_if_one_of_its_places_does():
    class Gained(nn.Module):
        def __init__(self, weight: nn.Parameter) -> None:
            super().__init__()
            self.gain = weight

    linear = nn.Linear(3, 3, bias=False)
    assert decayed(nn.Sequential(Gained(linear.weight), linear)) == ["0.gain"]


def test_a_module_used_twice_counts_once():
    linear = nn.Linear(3, 3)
    assert decayed(nn.Sequential(linear, nn.ReLU(), linear)) == ["0.weight"]


def test_stated_roles_count():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2))
    assert decayed(model, roles={"1": {"weight": "other"}}) == ["0.weight"]
    assert decayed(model, roles={"1": "kernel"}) == ["0.weight", "1.weight", "1.bias"]


# --- frozen parameters --------------------------------------------------------------------------


def test_frozen_parameters_are_held_and_are_trained_once_unfrozen():
    model = mlp()
    model[0].requires_grad_(False)
    assert decayed(model) == ["0.weight", "2.weight"]
    optimizer = torch.optim.AdamW(rz.weight_decay_groups(model, DECAY), lr=LR)
    before = copy.deepcopy(model.state_dict())

    def step() -> list[str]:
        optimizer.zero_grad()
        model(torch.ones(3, 4, dtype=torch.float64)).square().sum().backward()
        optimizer.step()
        return [n for n, p in model.named_parameters() if not torch.equal(p, before[n])]

    assert step() == ["2.weight", "2.bias"]
    model[0].requires_grad_(True)
    assert step() == ["0.weight", "0.bias", "2.weight", "2.bias"]


def test_integers_cannot_be_trained_and_are_left_out():
    model = nn.Sequential(nn.Linear(2, 2), nn.Linear(2, 2, bias=False))
    model[1].weight = nn.Parameter(torch.ones(2, 2, dtype=torch.uint8), requires_grad=False)
    decay, _ = rz.weight_decay_groups(model, DECAY)
    assert [id(p) for p in decay["params"]] == [id(model[0].weight)]


# --- computed weights ---------------------------------------------------------------------------


def weight_around_a_step(model: nn.Module) -> tuple[Tensor, Tensor]:
    """Return the first weight, as a forward reads it, before and after a step without gradients."""
    model.eval()  # power iterations stand still
    x = torch.ones(2, 4)  # the older hooks compute in a forward
    model(x)
    before = model[0].weight.detach().clone()
    optimizer = torch.optim.AdamW(rz.weight_decay_groups(model, DECAY), lr=LR)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    optimizer.step()
    model(x)
    return before, model[0].weight.detach()


@pytest.mark.filterwarnings("ignore::FutureWarning")
@pytest.mark.parametrize(
    ("wrap", "held", "factor"),
    [
        (lambda m: m, "weight", 1 - LR * DECAY),
        (parametrizations.weight_norm, "parametrizations.weight.original0", 1 - LR * DECAY),
        (nn.utils.weight_norm, "weight_g", 1 - LR * DECAY),
        (lambda m: prune.random_unstructured(m, "weight", 1), "weight_orig", 1 - LR * DECAY),
        (parametrizations.spectral_norm, None, 1.0),
        (nn.utils.spectral_norm, None, 1.0),
        (parametrizations.orthogonal, None, 1.0),
    ],
    ids=[
        "plain",
        "weight_norm",
        "old weight_norm",
        "prune",
        "spectral_norm",
        "old spectral_norm",
        "orthogonal",
    ],
)
def test_of_a_computed_kernel_decays_what_makes_it_smaller(wrap, held, factor):
    torch.manual_seed(0)
    model = nn.Sequential(wrap(nn.Linear(4, 4)), nn.Linear(4, 2))
    assert decayed(model) == ([f"0.{held}"] if held else []) + ["1.weight"]
    before, after = weight_around_a_step(model)
    torch.testing.assert_close(after, factor * before)


def test_decaying_only_the_direction_would_leave_the_weight_as_it_is():
    model = parametrizations.weight_norm(nn.Linear(4, 3))
    before = model.weight.detach().clone()
    with torch.no_grad():
        model.parametrizations.weight.original1.mul_(1 - LR * DECAY)
    torch.testing.assert_close(model.weight.detach(), before)


@pytest.mark.parametrize("wrap", [lambda m: m, parametrizations.weight_norm])
def test_sgd_with_the_groups_does_what_the_penalty_of_the_kernels_does(wrap):
    torch.manual_seed(0)
    by_groups = nn.Sequential(wrap(nn.Linear(4, 5)), nn.LayerNorm(5), nn.Linear(5, 2)).double()
    by_penalty = copy.deepcopy(by_groups)
    x = torch.randn(6, 4, dtype=torch.float64)

    first = torch.optim.SGD(rz.weight_decay_groups(by_groups, DECAY), lr=LR)
    by_groups(x).square().mean().backward()
    first.step()

    second = torch.optim.SGD(by_penalty.parameters(), lr=LR)
    reg = rz.Regularization(by_penalty, [rz.kernel(rz.L2Squared(DECAY / 2))])
    (by_penalty(x).square().mean() + reg.penalty()).backward()
    second.step()
    for a, b in zip(by_groups.parameters(), by_penalty.parameters(), strict=True):
        torch.testing.assert_close(a, b)


class LowRank(nn.Module):
    """A parametrization with parameters of its own, of several roles."""

    def __init__(self, width: int, rows: int) -> None:
        super().__init__()
        self.down = nn.Linear(width, 1)
        self.norm = nn.LayerNorm(1)
        self.up = nn.Parameter(torch.zeros(1, width))
        self.gate = nn.Parameter(torch.zeros(1))

    def forward(self, weight: Tensor) -> Tensor:
        return weight + self.gate * (self.norm(self.down(weight)) @ self.up)


INNER = "parametrizations.weight"


def test_parameters_of_a_parametrization_go_by_their_own_role():
    model = nn.Linear(3, 2)
    parametrize.register_parametrization(model, "weight", LowRank(3, 2))
    expected = [f"{INNER}.original", f"{INNER}.0.up", f"{INNER}.0.down.weight"]
    assert decayed(model) == expected
    assert decayed(model, roles={LowRank: "other"}) == [expected[0], expected[2]]


def test_parameters_of_the_parametrization_of_a_bias_do_not_decay():
    model = nn.Linear(3, 3)
    parametrize.register_parametrization(model, "bias", LowRank(3, 1), unsafe=True)
    assert decayed(model) == ["weight"]


def test_a_parametrized_embedding_is_one_with_its_parts():
    model = nn.Sequential(nn.Embedding(5, 3), nn.Linear(3, 2))
    parametrize.register_parametrization(model[0], "weight", LowRank(3, 5))
    assert decayed(model, embeddings=False) == ["1.weight"]
    assert decayed(model)[0] == f"0.{INNER}.original"


def test_a_parametrization_inside_a_parametrization():
    model, low_rank = nn.Linear(3, 2), LowRank(3, 2)
    parametrizations.weight_norm(low_rank.down)
    parametrize.register_parametrization(model, "weight", low_rank)
    inner = f"{INNER}.0.down.{INNER}.original0"
    assert decayed(model) == [f"{INNER}.original", f"{INNER}.0.up", inner]


# --- places where parameters are kept -----------------------------------------------------------


class Listed(nn.Module):
    """Parameters in lists and dictionaries, whose names are numbers."""

    def __init__(self) -> None:
        super().__init__()
        self.weights = nn.ParameterList([torch.ones(2, 3), torch.ones(3, 2)])
        self.biases = nn.ParameterList([torch.ones(2, 3), torch.ones(2)])
        self.parts = nn.ParameterDict({"weight": torch.ones(2, 3), "bias": torch.ones(2, 3)})
        self.nested = nn.ParameterList([nn.ParameterList([torch.ones(2, 2)])])


class PatchEmbed(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.axes = nn.ParameterList([torch.ones(2, 1, 3), torch.ones(1, 2, 3)])
        self.bias = nn.Parameter(torch.ones(2, 2))


def test_parameters_in_lists_are_judged_by_the_module_that_holds_the_list():
    assert decayed(Listed()) == ["weights.0", "weights.1", "parts.weight", "nested.0.0"]
    model = nn.Sequential(PatchEmbed(), nn.Linear(2, 2))
    assert decayed(model) == ["0.axes.0", "0.axes.1", "1.weight"]
    assert decayed(model, embeddings=False) == ["1.weight"]
    assert decayed(nn.ParameterList([torch.ones(2, 2)])) == ["0"]


def test_modules_in_an_attribute_called_parametrizations_are_not_lost():
    model = nn.Module()
    model.parametrizations = nn.ModuleList([nn.Linear(2, 2)])
    assert decayed(model) == ["parametrizations.0.weight"]


def test_what_its_author_marked_does_not_decay():
    model = mlp()
    model[0].weight._no_weight_decay = True
    assert decayed(model) == ["2.weight"]


def test_a_norm_under_any_name_whose_parameters_are_stacked():
    class Ln(nn.LayerNorm):
        pass

    model = nn.Sequential(nn.Linear(3, 3))
    model.pre = Ln(3)
    model.pre.weight, model.pre.bias = (
        nn.Parameter(torch.ones(4, 3)),
        nn.Parameter(torch.ones(4, 3)),
    )
    assert decayed(model) == ["0.weight"]


def test_a_norm_of_unknown_name_and_class():
    class Rescale(nn.Module):
        def __init__(self, *shape: int) -> None:
            super().__init__()
            self.weight = nn.Parameter(torch.ones(*shape))

    for shape in [(3,), (1, 1, 3), (3, 1, 1)]:
        assert decayed(nn.Sequential(nn.Linear(3, 3), Rescale(*shape))) == ["0.weight"]
    # stacked, nothing tells it from a kernel: it has to be said
    stacked = nn.Sequential(nn.Linear(3, 3), Rescale(4, 3))
    assert decayed(stacked) == ["0.weight", "1.weight"]
    assert decayed(stacked, roles={Rescale: "norm"}) == ["0.weight"]


# --- wrapped models -----------------------------------------------------------------------------


def wrapped() -> nn.Sequential:
    return nn.Sequential(nn.Embedding(5, 4), Conv1D(4, 4), nn.LayerNorm(4), nn.Linear(4, 2))


EXPECTED = ["0.weight", "1.weight", "3.weight"]


@pytest.fixture
def group(tmp_path):
    dist.init_process_group("gloo", init_method=f"file://{tmp_path}/store", rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def test_a_compiled_model():
    model = torch.compile(wrapped(), backend="eager")
    assert decayed(model) == [f"_orig_mod.{name}" for name in EXPECTED]


def test_a_data_parallel_model(group):
    model = nn.parallel.DistributedDataParallel(wrapped())
    assert decayed(model) == [f"module.{name}" for name in EXPECTED]


@pytest.mark.parametrize("compiled", [False, True])
def test_a_fully_sharded_model(group, compiled):
    model = wrapped()
    mesh = init_device_mesh("cpu", (1,))
    for module in [*model, model]:
        fully_shard(module, mesh=mesh)
    if compiled:
        model = torch.compile(model, backend="eager")
    assert decayed(model) == [f"{'_orig_mod.' * compiled}{name}" for name in EXPECTED]


@pytest.mark.filterwarnings("ignore:FSDP is switching:UserWarning", "ignore:.*NO_SHARD")
@pytest.mark.parametrize("use_orig_params", [False, True])
def test_flattened_parameters_raise(group, use_orig_params):
    model = FullyShardedDataParallel(
        wrapped(), device_id=torch.device("cpu"), use_orig_params=use_orig_params
    )
    with pytest.raises(RegimeError, match=r"flattens the parameters.*fully_shard instead"):
        rz.weight_decay_groups(model, DECAY)


# --- the optimizer ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [
        (torch.optim.SGD, {}),
        (torch.optim.SGD, {"momentum": 0.9}),
        (torch.optim.AdamW, {}),
        (torch.optim.AdamW, {"foreach": True}),
        (torch.optim.AdamW, {"fused": True}),
        (torch.optim.NAdam, {"decoupled_weight_decay": True}),
    ],
)
def test_a_step_without_gradients_shrinks_what_decays_and_nothing_else(optimizer, options):
    torch.manual_seed(0)
    model = nn.ModuleList([Tied(), Experts(), nn.BatchNorm1d(3), nn.LSTM(2, 3)])
    expected = {"0.table.weight", "0.body.weight", "1.up", "3.weight_ih_l0", "3.weight_hh_l0"}
    assert set(decayed(model)) == expected
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    step = optimizer(rz.weight_decay_groups(model, DECAY), lr=LR, **options)
    for p in model.parameters():
        p.grad = torch.zeros_like(p)
    step.step()
    for n, p in model.named_parameters():
        if n in expected:
            torch.testing.assert_close(p.detach(), before[n] * (1 - LR * DECAY))
        else:
            assert torch.equal(p, before[n])


def test_the_groups_override_the_default_and_survive_a_checkpoint():
    model = mlp()
    first = torch.optim.AdamW(rz.weight_decay_groups(model, DECAY), weight_decay=0.7)
    second = torch.optim.AdamW(rz.weight_decay_groups(copy.deepcopy(model), 0.3))
    second.load_state_dict(first.state_dict())
    for optimizer in (first, second):
        groups = [(g["name"], g["weight_decay"], len(g["params"])) for g in optimizer.param_groups]
        assert groups == [("decay", DECAY, 2), ("no_decay", 0.0, 2)]


# --- errors -------------------------------------------------------------------------------------


def test_what_is_no_model_raises():
    with pytest.raises(ConfigurationError, match=r"expected a torch\.nn\.Module, got generator"):
        rz.weight_decay_groups(mlp().parameters(), DECAY)


@pytest.mark.parametrize("decay", [-0.1, math.nan, math.inf])
def test_a_decay_that_cannot_be_raises(decay):
    with pytest.raises(StrengthError, match="weight_decay: expected a finite number, zero or more"):
        rz.weight_decay_groups(mlp(), decay)
    with pytest.raises(StrengthTypeError, match="weight_decay: expected a number"):
        rz.weight_decay_groups(mlp(), "0.1")


@pytest.mark.parametrize("model", [nn.ReLU(), mlp().requires_grad_(False)])
def test_nothing_to_train_raises(model):
    with pytest.raises(SelectionError, match=r"(ReLU|Sequential) has no trainable parameter"):
        rz.weight_decay_groups(model, DECAY)


@pytest.mark.filterwarnings("ignore:Lazy modules")
def test_a_lazy_module_raises():
    with pytest.raises(SelectionError, match=r"LazyLinear.*run one batch"):
        rz.weight_decay_groups(nn.LazyLinear(2), DECAY)


@pytest.mark.parametrize(
    ("roles", "error", "message"),
    [
        ({"haed": "kernel"}, SelectionError, "roles: 'haed' matches no module"),
        ({nn.Linear: "weight"}, ConfigurationError, "roles: expected one of 'kernel'"),
        ({nn.Linear: {"wieght": "kernel"}}, SelectionError, "no parameter 'wieght'"),
    ],
)
def test_roles_that_cannot_be_raise(roles, error, message):
    with pytest.raises(error, match=message):
        rz.weight_decay_groups(mlp(), DECAY, roles=roles)
