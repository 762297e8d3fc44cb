"""Ways of training: each forward is read once, and nothing else changes."""

import copy
import io
import pickle

import pytest
import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from attach.helpers import hook_dicts
from monitor import oracles
from monitor.helpers import Autoencoder, batches
from regularizers.errors import CollectionError, RegimeError

PAIRS = {"r": (rz.monitor.input_of("encoder"), "decoder"), "pre": ("encoder", "act")}


def watched(model: nn.Module, **options: object) -> rz.Monitor:
    return rz.Monitor(model, ["encoder", "act"], pairs=PAIRS, **options)


def plainly(**options: object) -> dict[str, float]:
    """Return the numbers of plain forwards over the batches."""
    model = Autoencoder()
    monitor = watched(model, **options)
    for x in batches():
        model(x)
    return pytest.approx(monitor.as_dict(), rel=1e-12)


class Checkpointed(Autoencoder):
    def __init__(self, use_reentrant: bool, **options: object) -> None:
        super().__init__()
        self.options = {"use_reentrant": use_reentrant, **options}

    def forward(self, x: Tensor) -> Tensor:
        return checkpoint(super().forward, x, **self.options)


@pytest.mark.parametrize("use_reentrant", [True, False])
@pytest.mark.parametrize("every", [1, 2])
def test_what_a_checkpoint_repeats_is_read_once(use_reentrant, every):
    model = Checkpointed(use_reentrant)
    monitor = watched(model, every=every)
    for x in batches():
        model(x.requires_grad_()).square().sum().backward()
    assert monitor.as_dict() == plainly(every=every)


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_a_whole_model_that_is_checkpointed_begins_once(use_reentrant):
    model = Autoencoder()
    monitor = watched(model, every=2)
    for x in batches():
        y = checkpoint(model, x.requires_grad_(), use_reentrant=use_reentrant)
        y.square().sum().backward()
    assert monitor.as_dict() == plainly(every=2)


def test_gradients_under_a_checkpoint_are_those_without_a_monitor():
    x, gradients = batches()[0], []
    for attach in (False, True):
        model = Checkpointed(use_reentrant=False)
        _monitor = watched(model) if attach else None
        model(x).square().sum().backward()
        gradients.append([p.grad for p in model.parameters()])
    assert all(map(torch.equal, *gradients))


@pytest.mark.parametrize("context", [torch.set_grad_enabled, torch.inference_mode])
def test_without_gradients(context):
    model = Autoencoder()
    monitor = watched(model)
    for n, x in enumerate(batches()):
        with context(n == 1):
            model(x)
    assert monitor.as_dict() == plainly()


def test_under_autocast_sums_are_not_of_half_precision():
    model = nn.Sequential(nn.Linear(64, 512), nn.ReLU())
    monitor = rz.Monitor(model, "1")
    x = torch.randn(300, 64, generator=torch.Generator().manual_seed(0))
    with torch.autocast("cpu", torch.bfloat16):
        code = model(x)
    assert code.dtype == torch.bfloat16
    array = code.detach().double().numpy()
    expected = oracles.active_units(array) | oracles.dead_units(array) | oracles.norm(array)
    expected["mean_activation"] = array.mean()
    assert monitor.as_dict() == pytest.approx(
        {f"1/{key}": value for key, value in expected.items()}, rel=1e-6
    )


def test_within_torch_func_grad_the_values_are_read():
    model = Autoencoder()
    monitor = watched(model)

    def loss(parameters: dict[str, Tensor], x: Tensor) -> Tensor:
        return torch.func.functional_call(model, parameters, (x,)).square().sum()

    for x in batches():
        gradients = torch.func.grad(loss)(dict(model.named_parameters()), x)
        by_hand = torch.autograd.grad(model.eval()(x).square().sum(), model.encoder.weight)[0]
        model.train()
        torch.testing.assert_close(gradients["encoder.weight"], by_hand)
    assert monitor.as_dict() == plainly()
    for metric in monitor["act"].values():
        for tensor in metric.sums.values():
            assert not torch._C._functorch.is_functorch_wrapped_tensor(tensor)


def test_within_vmap_it_raises():
    model = Autoencoder()
    _monitor = watched(model)
    with pytest.raises(RegimeError, match=r"^encoder: within vmap a monitor cannot tell samples"):
        torch.func.vmap(model)(torch.zeros(3, 2, 4, dtype=torch.float64))


def test_replicas_of_data_parallel_raise():
    model = Autoencoder()
    _monitor = watched(model)
    model.encoder._is_replica = True
    with pytest.raises(
        RegimeError, match=r"^r: nn.DataParallel .*DistributedDataParallel|^encoder"
    ):
        model(batches()[0])


def test_an_exported_program_holds_nothing_of_a_monitor():
    model = Autoencoder()
    monitor = watched(model, during="always")
    program = torch.export.export(model.eval(), (batches()[0],))
    assert "monitor" not in str(program.graph)
    assert all(value != value for value in monitor.as_dict().values())
    torch.testing.assert_close(program.module()(batches()[0]), model(batches()[0]))


def by_torch_save(thing: object) -> object:
    file = io.BytesIO()
    torch.save(thing, file)
    file.seek(0)
    return torch.load(file, weights_only=False)


COPIES = {
    "deepcopy": copy.deepcopy,
    "pickle": lambda thing: pickle.loads(pickle.dumps(thing)),
    "torch.save": by_torch_save,
}
every_copy = pytest.mark.parametrize("make_copy", COPIES.values(), ids=COPIES)


@every_copy
def test_a_copied_model_works_and_is_not_read(make_copy):
    model = Autoencoder()
    monitor = watched(model)
    model(batches()[0])
    before = monitor.as_dict()
    twin = make_copy(model)
    assert list(twin.state_dict()) == list(model.state_dict())
    torch.testing.assert_close(twin(batches()[1]), twin.decoder(model.code(batches()[1])))
    assert monitor.as_dict() == before
    own = watched(twin)
    for x in batches():
        twin(x)
    assert own.as_dict() == plainly()
    own.detach()
    assert not any(m._forward_hooks or m._forward_pre_hooks for m in twin.modules())


@every_copy
def test_a_copied_monitor_has_the_numbers_and_no_hooks(make_copy):
    model = Autoencoder()
    monitor = watched(model)
    model(batches()[0])
    twin = make_copy(monitor)
    assert twin.as_dict() == monitor.as_dict()
    assert "is a copy" in repr(twin)
    model(batches()[2])
    assert twin.as_dict() != monitor.as_dict()
    twin.reset()
    twin.detach()
    with pytest.raises(CollectionError, match="is a copy"), twin.mask(torch.ones(1).bool()):
        pass
    assert any(hook_dicts(model))


@every_copy
def test_a_model_that_holds_its_monitor_can_be_copied(make_copy):
    model = Autoencoder()
    model.monitor = watched(model)
    model(batches()[0])
    twin = make_copy(model)
    assert twin.monitor.as_dict() == model.monitor.as_dict()
    twin(batches()[0])
