"""Weights dropped in every way of training, and beside penalties."""

import copy

import pytest
import torch
from torch import nn
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from layers.recurrent import noises_of, written_out
from layers.test_weight_drop import gradients, masked, recurrent, seeded, steps
from regularizers.errors import RegimeError
from regularizers.layers import WeightDrop


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_a_checkpoint_draws_the_same_masks_again(use_reentrant):
    layer, x = recurrent(num_layers=2), steps().requires_grad_()
    expected = gradients(seeded(layer, x)[0].square().sum(), layer, x)
    torch.manual_seed(7)
    states, _ = checkpoint(layer, x, use_reentrant=use_reentrant)
    torch.randn(3)
    states.square().sum().backward()
    actual = (x.grad, *(p.grad for p in layer.parameters()))
    torch.testing.assert_close(actual, expected)


def test_functional_call_from_outside():
    layer, x = recurrent(), steps()
    others = {name: torch.randn_like(p) for name, p in layer.named_parameters()}

    def loss(weights):
        states, _ = torch.func.functional_call(layer, weights, (x,))
        return states.square().sum()

    torch.manual_seed(7)
    actual = torch.func.grad(loss)(others)
    twin = copy.deepcopy(layer)
    twin.load_state_dict(others)
    expected = torch.autograd.grad(seeded(twin, x)[0].square().sum(), twin.parameters())
    torch.testing.assert_close(tuple(actual.values()), expected)
    # and its own weights are back
    torch.testing.assert_close(seeded(layer, x)[0], written_out(layer.module, x, masked(layer))[0])


COMPILED = {
    "around": lambda layer: torch.compile(layer, backend="aot_eager", fullgraph=True),
    "inside": lambda layer: WeightDrop(
        torch.compile(layer.module, backend="aot_eager"), ["_orig_mod.weight"], layer.rate
    ),
}


# Dynamo asks any tensor for its gradient, also where a weight is computed outside
@pytest.mark.filterwarnings("ignore:The .grad attribute of a Tensor that is not a leaf")
@pytest.mark.parametrize("compiled", COMPILED.values(), ids=COMPILED.keys())
@pytest.mark.parametrize("modes", [[True, True, False, True], [False, True, True, False]], ids=str)
def test_compiled(compiled, modes):
    torch.compiler.reset()
    torch.manual_seed(0)
    layer = WeightDrop(nn.Linear(3, 4).double(), ["weight"], 0.4)
    other, x = compiled(copy.deepcopy(layer)), steps(6, 3).requires_grad_()
    for training in modes:
        y, z = seeded(layer.train(training), x), seeded(other.train(training), x)
        torch.testing.assert_close(z, y)
        torch.testing.assert_close(
            gradients(z.square().sum(), other, x), gradients(y.square().sum(), layer, x)
        )


def test_compiled_recurrent_layers():
    torch.compiler.reset()
    layer, x = recurrent(), steps()
    with torch._dynamo.config.patch(allow_rnn=True):
        whole = torch.compile(layer, backend="eager", fullgraph=True)
        torch.testing.assert_close(seeded(whole, x), seeded(layer, x))
    torch.compiler.reset()
    broken = torch.compile(nn.Sequential(nn.Linear(3, 3).double(), layer), backend="aot_eager")
    for training in (True, False, True):
        broken.train(training)
        plain = broken._orig_mod
        torch.testing.assert_close(seeded(broken, x), seeded(plain, x))
        ours = torch.autograd.grad(seeded(broken, x)[0].sum(), plain.parameters())
        theirs = torch.autograd.grad(seeded(plain, x)[0].sum(), plain.parameters())
        torch.testing.assert_close(ours, theirs)


def test_autocast_keeps_no_earlier_mask():
    torch.manual_seed(0)
    layer = WeightDrop(nn.Linear(3, 4), ["weight"], 0.5)
    noise = noises_of(layer)
    x = torch.eye(3)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        weights = [layer(x) - layer.module.bias.bfloat16() for _ in range(2)]
    for weight, mask in zip(weights, noise, strict=True):
        assert torch.equal(weight == 0, mask.T == 0)


@pytest.fixture
def one_process(tmp_path):
    store = torch.distributed.FileStore(str(tmp_path / "store"), 1)
    torch.distributed.init_process_group("gloo", store=store, rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    torch.distributed.destroy_process_group()


def test_data_parallel_training(one_process):
    layer, x = recurrent(), steps()
    expected = torch.autograd.grad(seeded(layer, x)[0].square().sum(), layer.parameters())
    parallel = DistributedDataParallel(layer)
    for _ in range(2):
        layer.zero_grad()
        seeded(parallel, x)[0].square().sum().backward()
        torch.testing.assert_close(tuple(p.grad for p in layer.parameters()), expected)


def test_fully_sharded_around_it_and_not_within(one_process):
    layer, x = recurrent(), steps()
    expected = torch.autograd.grad(seeded(layer, x)[0].square().sum(), layer.parameters())
    whole, within = copy.deepcopy(layer), copy.deepcopy(layer)
    fully_shard(whole, mesh=one_process)
    for _ in range(2):
        whole.zero_grad()
        seeded(whole, x)[0].square().sum().backward()
        actual = tuple(p.grad.full_tensor() for p in whole.parameters())
        torch.testing.assert_close(actual, expected)
    fully_shard(within.module, mesh=one_process)
    match = r"^WeightDrop: 'weight_hh_l0' of \w*LSTM is sharded, as a DTensor; apply"
    with pytest.raises(RegimeError, match=match):
        within(x)


def in_one_chunk(rnn):
    """Move the weights of a layer into one chunk as cuDNN's flattening does: all, then a tail."""
    names = sorted(rnn._flat_weights_names, key=lambda name: name.startswith("bias"))
    sizes = [rnn._parameters[name].numel() for name in names]
    chunk = torch.zeros(sum(sizes) + 24, dtype=torch.float64)
    for name, piece in zip(names, chunk[: sum(sizes)].split(sizes), strict=True):
        parameter = rnn._parameters[name]
        parameter.data = piece.copy_(parameter.detach().flatten()).view(parameter.shape)
    return rnn


def where(weights):
    return [(w.untyped_storage().nbytes(), w.storage_offset(), w.shape) for w in weights]


@pytest.mark.parametrize("options", [{}, {"bidirectional": True, "num_layers": 2, "bias": False}])
def test_on_a_gpu_weights_stay_in_the_one_chunk_that_cudnn_asks_for(options):
    layer, x = recurrent(**options), steps().requires_grad_()
    expected = gradients(seeded(layer, x)[0].square().sum(), layer, x)
    rnn = in_one_chunk(layer.module)
    pointers = [w.data_ptr() for w in rnn._flat_weights]
    used = []
    rnn.register_forward_hook(lambda rnn, inputs, output: used.append(rnn._flat_weights))

    for _ in range(2):
        actual = gradients(seeded(layer, x)[0].square().sum(), layer, x)
        torch.testing.assert_close(actual, expected)
    for weights in used:
        assert len({w.untyped_storage().data_ptr() for w in weights}) == 1
        assert where(weights) == where(rnn._flat_weights)
        assert {w.data_ptr() for w in weights}.isdisjoint(pointers)
    assert [w.data_ptr() for w in rnn._flat_weights] == pointers
    held = [rnn._parameters[name] for name in rnn._flat_weights_names]
    assert all(a is b for a, b in zip(rnn._flat_weights, held, strict=True))


class Model(nn.Module):
    """A network around a layer whose weights are dropped."""

    def __init__(self, batch_first=False):
        super().__init__()
        self.rnn = recurrent(batch_first=batch_first)
        self.head = nn.Linear(4, 2).double()

    def forward(self, x):
        return self.head(self.rnn(x)[0])


@pytest.mark.parametrize("delivery", ["collect", "inject"])
def test_a_penalty_of_kernels_is_about_the_raw_weights(delivery):
    model, x = Model(), steps()
    noise = noises_of(model.rnn)
    rules = [rz.kernel(rz.L2Squared(0.1), where="rnn"), rz.bias(rz.L1(0.2), where="rnn")]
    reg = rz.Regularization(model, rules)
    weights = dict(model.rnn.module.named_parameters())
    for _ in range(2):  # no mask of an earlier forward is left
        loss = model(x).square().sum() + reg.penalty()
        dropped = {**weights, "weight_hh_l0": weights["weight_hh_l0"] * noise[-1]}
        states, _ = written_out(model.rnn.module, x, dropped)
        kernels = weights["weight_ih_l0"].square().sum() + weights["weight_hh_l0"].square().sum()
        biases = weights["bias_ih_l0"].abs().sum() + weights["bias_hh_l0"].abs().sum()
        by_hand = model.head(states).square().sum() + 0.1 * kernels + 0.2 * biases
        torch.testing.assert_close(loss, by_hand)
        parameters = tuple(model.parameters())
        torch.testing.assert_close(
            torch.autograd.grad(loss, parameters), torch.autograd.grad(by_hand, parameters)
        )
    assert {name.split("/")[0] for name in reg.penalties()} == {
        f"rnn.module.{name}" for name in weights
    }


@pytest.mark.parametrize("layer", ["linear", "rnn"])
def test_a_penalty_of_kernels_within_the_optimizer(layer):
    torch.manual_seed(0)
    linear = WeightDrop(nn.Linear(3, 4).double(), ["weight"], 0.4)
    wrapped = recurrent() if layer == "rnn" else linear
    model, x = nn.ModuleDict({"layer": wrapped}), steps()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    rz.Regularization(model, [rz.kernel(rz.L2Squared(0.5))]).attach(optimizer)
    before = {n: p.detach().clone() for n, p in wrapped.module.named_parameters()}
    y = model["layer"](x)
    (y[0] if isinstance(y, tuple) else y).sum().backward()
    grads = {n: p.grad.clone() for n, p in wrapped.module.named_parameters()}
    optimizer.step()
    for name, parameter in wrapped.module.named_parameters():
        pull = before[name] if name.startswith("weight") else 0
        torch.testing.assert_close(parameter, before[name] - 0.1 * (grads[name] + pull))


@pytest.mark.parametrize("batch_first", [False, True])
def test_activities_are_read_at_the_module_with_its_own_axes(batch_first):
    model, x = Model(batch_first), steps(5, 2, 3)
    noise = noises_of(model.rnn)
    rules = [
        rz.activity(rz.L1(0.1), where="rnn.module"),
        rz.tar(0.5, where="rnn.module"),
        rz.ar(0.3, where=nn.LSTM),
    ]
    reg = rz.Regularization(model, rules)
    loss = model(x).sum() * 0 + reg.penalty()
    weights = dict(model.rnn.module.named_parameters())
    dropped = {**weights, "weight_hh_l0": weights["weight_hh_l0"] * noise[0]}
    time_first = x.transpose(0, 1) if batch_first else x
    states, _ = written_out(model.rnn.module, time_first, dropped)
    l1 = 0.1 * states.abs().sum() / states.shape[1]
    tar = 0.5 * (states[1:] - states[:-1]).square().mean()
    by_hand = l1 + tar + 0.3 * states.square().mean() + 0 * model.head(states).sum()
    torch.testing.assert_close(loss, by_hand)
    parameters = tuple(model.parameters())
    torch.testing.assert_close(
        torch.autograd.grad(loss, parameters), torch.autograd.grad(by_hand, parameters)
    )


def test_weights_are_noted_as_they_are_with_a_linear_layer_too():
    torch.manual_seed(0)
    model = nn.Sequential(WeightDrop(nn.Linear(3, 4).double(), ["weight"], 0.4))
    noise = noises_of(model[0])
    reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(0.1))])
    x, weight = steps(6, 3), model[0].module.weight
    loss = model(x).square().sum() + reg.penalty()
    task = (x @ (weight * noise[0]).T + model[0].module.bias).square().sum()
    by_hand = task + 0.1 * weight.square().sum()
    torch.testing.assert_close(
        torch.autograd.grad(loss, weight), torch.autograd.grad(by_hand, weight)
    )
