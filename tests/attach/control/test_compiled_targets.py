"""Under a compiler a strength moves from step to step, and the model is compiled once."""

from collections.abc import Callable
from functools import cache

import pytest
import torch
from torch import nn
from torch._dynamo.testing import CompileCounterWithBackend
from torch._dynamo.utils import counters
from torch.optim import SGD

import regularizers as rz
from matrix.judge import OF_DYNAMO

pytestmark = [pytest.mark.filterwarnings(f"ignore:{message}") for message in OF_DYNAMO]

STEPS = 110
"""Work of every tenth and of every fiftieth step falls into them, more than once."""

KNOWN = 2
"""Steps in which a program may be compiled; in each later one that raises, and says why."""

BACKENDS = ["eager", "aot_eager"]

RULES: dict[str, Callable[[], list[rz.Rule]]] = {
    "target": lambda: [rz.activity(rz.L1(rz.TargetActive(4)), where="1")],
    "schedule": lambda: [rz.activity(rz.L1(rz.LinearWarmup(1e-2, steps=80)), where="1")],
    "schedule of one's own": lambda: [
        rz.activity(rz.L1(lambda step: 1e-3 * (1 + step % 7)), where="1")
    ],
    "two targets and a schedule": lambda: [
        rz.activity(rz.L1(rz.TargetActive(4)), where="1"),
        rz.activity(rz.L2Norm(rz.TargetNorm(0.5)), where="3"),
        rz.activity(rz.L2Squared(rz.Cosine(1e-3, 1e-5, steps=STEPS)), where="1"),
        rz.kernel(rz.L2Squared(rz.LinearWarmup(1e-4, steps=80))),
    ],
}


@pytest.fixture(autouse=True)
def afresh():
    torch._dynamo.reset()
    counters.clear()


def network() -> nn.Sequential:
    torch.manual_seed(0)
    layers = [nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 12), nn.ReLU(), nn.Linear(12, 4)]
    return nn.Sequential(*layers).double()


def train(model, rules, compiled=None, *, delivery="collect", steps=STEPS) -> list[float]:
    """Train, and return the strength of the first rule after each step."""
    torch.manual_seed(1)
    data = torch.randn(steps, 32, 4, dtype=torch.float64).unbind()
    reg = rz.Regularization(model, rules, delivery=delivery)
    optimizer = SGD(model.parameters(), lr=0.02)
    reg.attach(optimizer)
    forward = compiled(model) if compiled else model
    key, strengths = next(iter(reg.state_dict()["strengths"])), []
    for step, x in enumerate(data):
        with torch._dynamo.config.patch(error_on_recompile=step >= KNOWN):
            loss = nn.functional.mse_loss(forward(x), x)
            loss = loss + reg.penalty() if delivery == "collect" else reg.scale_from(loss)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        strengths.append(reg.state_dict()["strengths"][key])
    return strengths


def by(backend) -> Callable[[nn.Module], Callable]:
    return lambda model: torch.compile(model, backend=backend, fullgraph=True)


@cache
def expected(name: str) -> list[float]:
    """Return the strengths without a compiler."""
    strengths = train(network(), RULES[name]())
    assert len(set(strengths)) > 5
    return strengths


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("name", RULES)
def test_one_program_for_every_strength(name, backend):
    counter = CompileCounterWithBackend(backend)
    strengths = train(network(), RULES[name](), by(counter))
    assert counter.frame_count == 1
    assert not counters["graph_break"]
    assert strengths == pytest.approx(expected(name), rel=1e-9)


@pytest.mark.parametrize("name", [name for name in RULES if "target" not in name])
def test_one_more_where_gradients_are_injected(name):
    """Before `scale_from` is first called nobody knows that the loss has a scale."""
    counter = CompileCounterWithBackend("aot_eager")
    strengths = train(network(), RULES[name](), by(counter), delivery="inject")
    assert counter.frame_count <= KNOWN
    assert not counters["graph_break"]
    assert strengths == pytest.approx(expected(name), rel=1e-9)


@pytest.mark.parametrize(("backend", "every"), [("eager", 3), ("aot_eager", 1)])
def test_one_program_with_a_monitor_beside(backend, every):
    model, counter = network(), CompileCounterWithBackend(backend)
    pairs = {"reconstruction": (rz.monitor.input_of("0"), "4")}
    monitor = rz.Monitor(model, nn.ReLU, pairs=pairs, every=every)
    name = "two targets and a schedule"
    strengths = train(model, RULES[name](), by(counter))
    assert counter.frame_count == 1
    assert not counters["graph_break"]
    assert strengths == pytest.approx(expected(name), rel=1e-9)
    assert monitor["1"]["ActiveUnits"].value() > 0


class Named(nn.Linear):
    """Its program depends on a word, for which the compiler knows no placeholder."""

    word = ""

    def forward(self, x):
        return super().forward(x) * len(self.word)


def test_a_program_that_is_compiled_late_is_seen():
    model = Named(4, 4).double()

    def renamed(compiled):
        def call(x):
            model.word += "a"
            return compiled(x)

        return call

    rules = [rz.activity(rz.L1(rz.LinearWarmup(1e-2, steps=9)), where="")]
    with pytest.raises(torch._dynamo.exc.RecompileError):
        train(model, rules, lambda model: renamed(by("eager")(model)), steps=5)
