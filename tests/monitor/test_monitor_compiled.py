"""Under a compiler: the same numbers, one program, compiled once, and no warning."""

import pytest
import torch
from torch import Tensor, nn
from torch._dynamo.utils import counters

import regularizers as rz
from matrix.judge import OF_DYNAMO
from monitor.helpers import Autoencoder, batches
from monitor.test_monitor_regimes import Checkpointed, plainly, watched

pytestmark = [pytest.mark.filterwarnings(f"ignore:{message}") for message in OF_DYNAMO]
BACKENDS = ["eager", "aot_eager", "inductor"]


@pytest.fixture(autouse=True)
def afresh():
    torch._dynamo.reset()
    counters.clear()


def train(run: object, rows: int = 7) -> None:
    for x in batches((rows, rows, rows, rows)):
        run(x).square().sum().backward()


def by_eager(rows: int = 7, **options: object) -> dict[str, float]:
    model = Autoencoder()
    monitor = watched(model, **options)
    train(model, rows)
    return pytest.approx(monitor.as_dict(), rel=1e-9)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("every", [1, 3])
def test_one_program_compiled_once(backend, every):
    model = Autoencoder()
    monitor = watched(model, every=every)
    train(torch.compile(model, backend=backend, fullgraph=True))
    assert monitor.as_dict() == by_eager(every=every)
    assert counters["stats"]["unique_graphs"] == 1
    assert not counters["graph_break"]


@pytest.mark.parametrize("backend", BACKENDS)
def test_within_a_larger_program(backend):
    model = Autoencoder()
    monitor = watched(model)
    train(torch.compile(lambda x: 2 * model(x), backend=backend, fullgraph=True))
    assert monitor.as_dict() == by_eager()
    assert counters["stats"]["unique_graphs"] == 1


@pytest.mark.parametrize("part", ["encoder", "act", "decoder"])
def test_of_a_model_of_which_a_part_is_compiled(part):
    model = Autoencoder()
    monitor = watched(model)
    model.get_submodule(part).compile(backend="aot_eager")
    train(model)
    assert monitor.as_dict() == by_eager()


def test_of_a_program_in_pieces():
    class Broken(Autoencoder):
        def forward(self, x: Tensor) -> Tensor:
            code = self.act(self.encoder(x))
            torch._dynamo.graph_break()
            return self.decoder(code)

    model = Broken()
    monitor = watched(model, every=2)
    train(torch.compile(model, backend="aot_eager"))
    assert monitor.as_dict() == by_eager(every=2)


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("use_reentrant", [True, False])
def test_of_a_checkpoint_within_the_program(backend, use_reentrant):
    model = Checkpointed(use_reentrant)
    monitor = watched(model)
    run = torch.compile(model, backend=backend)
    train(lambda x: run(x.requires_grad_()))
    assert monitor.as_dict() == by_eager()


@pytest.mark.parametrize("use_reentrant", [True, False])
def test_of_a_program_within_a_checkpoint(use_reentrant):
    model = Checkpointed(use_reentrant)
    monitor = watched(model)
    for part in (model.encoder, model.act, model.decoder):
        part.compile(backend="aot_eager")
    train(lambda x: model(x.requires_grad_()))
    assert monitor.as_dict() == by_eager()


@pytest.mark.parametrize("backend", BACKENDS)
def test_masks(backend):
    model = Autoencoder()
    monitor = watched(model, mask=lambda x: x[:, 0] > 0)
    run = torch.compile(model, backend=backend, fullgraph=True)
    around = torch.tensor([True, False, True, True, True, True, False])
    for x in batches((7, 7, 7)):
        run(x)
        with monitor.mask(around):
            run(x)
    model = Autoencoder()
    plain = watched(model, mask=lambda x: x[:, 0] > 0)
    for x in batches((7, 7, 7)):
        model(x)
        with plain.mask(around):
            model(x)
    assert monitor.as_dict() == pytest.approx(plain.as_dict(), rel=1e-9)
    assert counters["stats"]["unique_graphs"] == 1


def test_both_modes_of_the_model():
    model = Autoencoder()
    monitor = watched(model)
    run = torch.compile(model, backend="aot_eager")
    for x in batches():
        model.eval()
        run(3 * x)
        model.train()
        run(x)
    assert monitor.as_dict() == plainly()


def test_forwards_of_many_sizes_compile_no_more_than_without():
    def graphs(attach: bool) -> int:
        torch._dynamo.reset()
        counters.clear()
        model = Autoencoder()
        _monitor = watched(model) if attach else None
        run = torch.compile(model, backend="eager")
        for x in batches(tuple(range(2, 12))):
            run(x)
        return counters["stats"]["unique_graphs"]

    assert graphs(attach=True) == graphs(attach=False)


def test_gradients_are_those_without_a_monitor():
    x, gradients = batches()[0], []
    for attach in (False, True):
        model = Autoencoder()
        _monitor = watched(model) if attach else None
        torch.compile(model, backend="aot_eager", fullgraph=True)(x).square().sum().backward()
        gradients.append([p.grad for p in model.parameters()])
    assert all(map(torch.equal, *gradients))


def test_a_program_outlives_its_monitor():
    model = Autoencoder()
    monitor = watched(model)
    run = torch.compile(model, backend="aot_eager")
    x = batches()[0]
    run(x)
    numbers = monitor.as_dict()
    monitor.detach()
    run(x)
    assert monitor.as_dict() == numbers
    del monitor
    torch.testing.assert_close(run(x), model.decoder(model.code(x)))


def test_beside_a_regularization():
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU(), nn.Linear(6, 4)).double()
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="1")])
    monitor = rz.Monitor(model, "1", [rz.monitor.MeanActivation()])
    run = torch.compile(model, backend="aot_eager", fullgraph=True)
    total = 0.0
    for x in batches((7, 7, 7)):
        run(x)
        penalty = reg.penalty()
        penalty.backward()
        total += penalty.item()
    assert 6 * monitor.as_dict()["1/mean_activation"] == pytest.approx(total / 3)
