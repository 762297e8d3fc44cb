"""An exported program holds nothing of what is attached to the model: it is that of a plain one."""

import re
from collections.abc import Callable, Iterator

import pytest
import torch
from torch import Tensor, nn
from torch.export import ExportedProgram

import regularizers as rz
from regularizers.errors import RegimeError

pytestmark = [
    pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning"),
    # recurrent layers keep a list of their weights, and compare sizes when they are traced
    pytest.mark.filterwarnings("ignore:The tensor attributes .*_flat_weights:UserWarning"),
    pytest.mark.filterwarnings("ignore::torch.jit.TracerWarning"),
    pytest.mark.filterwarnings("ignore:`isinstance.treespec, LeafSpec.*:FutureWarning"),
]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Linear(4, 6), nn.ReLU(), nn.Dropout(0.5), nn.GRU(6, 5, batch_first=True), Last()
    )


class Last(nn.Module):
    """Takes the states of a recurrent layer and leaves the last ones out."""

    def __init__(self) -> None:
        super().__init__()
        self.head = nn.Linear(5, 2)

    def forward(self, outputs: tuple[Tensor, Tensor]) -> Tensor:
        return self.head(outputs[0])


def inputs() -> Tensor:
    return torch.randn(3, 7, 4, generator=torch.Generator().manual_seed(1))


RULES = [
    rz.activity(rz.L1(1e-3) + rz.L2Squared(1e-3), where="1"),
    rz.activity(rz.Decorrelation(1e-3), where="1", batch_axis=(0, 1)),
    rz.ar(2.0, where="2"),
    rz.tar(1.0, where="3"),
    rz.kernel(rz.L2Squared(1e-4)),
]


def optimized(model: nn.Module) -> rz.Regularization:
    rules = [
        rz.kernel(rz.L1(rz.TargetZeros(fraction=0.5)), where="0", proximal=True),
        rz.constraint(rz.MaxNorm(1.0, axis="input"), where="4.head"),
        rz.activity(rz.L1(rz.TargetActive(2)), where="1", batch_axis=(0, 1)),
    ]
    reg = rz.Regularization(model, rules)
    reg.attach(torch.optim.SGD(model.parameters(), lr=0.0))
    return reg


ATTACHED: dict[str, Callable[[nn.Module], object]] = {
    "collect": lambda model: rz.Regularization(model, RULES),
    "inject": lambda model: rz.Regularization(model, RULES[:1], delivery="inject"),
    "optimizer": optimized,
    "monitor": lambda model: rz.Monitor(model, "1", during="always"),
}


@pytest.fixture(params=ATTACHED.values(), ids=ATTACHED)
def pair(request: pytest.FixtureRequest) -> Iterator[tuple[nn.Module, nn.Module]]:
    """Return a model with something attached, and its plain twin of the same weights."""
    model, plain = network(), network()
    attached = request.param(model)
    plain.load_state_dict(model.state_dict())
    yield model, plain
    attached.detach()


def assert_same_programs(one: ExportedProgram, other: ExportedProgram) -> None:
    assert one.graph_module.code == other.graph_module.code
    assert str(one.graph) == str(other.graph)
    assert one.graph_signature == other.graph_signature
    assert one.state_dict.keys() == other.state_dict.keys()


def graph(traced: torch.jit.ScriptModule) -> str:
    """Return all operations, without the numbers that PyTorch gives to classes of one name."""
    return re.sub(r"___torch_mangle_\d+\.", "", str(traced.inlined_graph))


@pytest.mark.parametrize(
    ("mode", "strict"), [("evaluation", False), ("evaluation", True), ("training", False)]
)
def test_torch_export(pair, mode, strict):
    model, plain = (net.train(mode == "training") for net in pair)
    programs = [torch.export.export(net, (inputs(),), strict=strict) for net in (model, plain)]
    assert_same_programs(*programs)
    if mode == "evaluation":
        torch.testing.assert_close(programs[0].module()(inputs()), plain(inputs()))


def test_torch_export_with_sizes_that_vary(pair):
    model, plain = (net.eval() for net in pair)
    dimensions = ({0: torch.export.Dim("batch", max=64)},)  # a GRU keeps the length of time
    programs = [
        torch.export.export(net, (inputs(),), dynamic_shapes=dimensions) for net in (model, plain)
    ]
    assert_same_programs(*programs)
    x = torch.randn(5, 7, 4)
    torch.testing.assert_close(programs[0].module()(x), plain(x))


def test_a_saved_program(pair, tmp_path):
    model, plain = (net.eval() for net in pair)
    torch.export.save(torch.export.export(model, (inputs(),)), tmp_path / "model.pt2")
    loaded = torch.export.load(tmp_path / "model.pt2")
    torch.testing.assert_close(loaded.module()(inputs()), plain(inputs()))


def test_torch_jit_trace(pair):
    model, plain = (net.eval() for net in pair)
    traced, expected = (torch.jit.trace(net, inputs()) for net in (model, plain))
    assert traced.code == expected.code
    assert graph(traced) == graph(expected)
    torch.testing.assert_close(traced(inputs()), plain(inputs()))


@pytest.mark.parametrize("name", ATTACHED)
def test_torch_jit_script_wants_the_hooks_gone_in_evaluation_too(name):
    model, plain = network().eval(), network().eval()
    attached = ATTACHED[name](model)
    plain.load_state_dict(model.state_dict())
    with pytest.raises(RegimeError, match=r"torch\.jit\.script cannot compile .*detach\(\)"):
        torch.jit.script(model)
    attached.detach()
    scripted, expected = torch.jit.script(model), torch.jit.script(plain)
    assert scripted.code == expected.code
    torch.testing.assert_close(scripted(inputs()), plain(inputs()))


def test_torch_jit_trace_in_training_says_what_to_do():
    model = network()
    reg = rz.Regularization(model, RULES)
    with pytest.raises(RegimeError, match=r"call model\.eval\(\) or detach\(\) first"):
        torch.jit.trace(model, inputs())
    reg.detach()


def test_training_goes_on_after_an_export():
    model, plain = network().double(), network().double()
    for net in (model, plain):
        net[2].p = 0.0
    reg = rz.Regularization(model, [rz.activity(rz.L1(0.5), where="1"), rz.kernel(rz.L1(0.5))])
    x = inputs().double()
    for _ in range(2):
        torch.export.export(model.eval(), (x,))
        torch.export.export(model.train(), (x,))
        hidden = plain[1](plain[0](x))
        kernels = [p for p in plain.parameters() if p.ndim == 2]
        expected = 0.5 * (hidden.abs().sum() / len(x) + sum(w.abs().sum() for w in kernels))
        model(x)
        torch.testing.assert_close(reg.penalty(), expected)


def test_a_monitor_counts_no_forward_that_becomes_a_program():
    model, x = network().eval(), inputs()
    monitor = rz.Monitor(model, "1", [rz.monitor.ActiveUnits()], during="always")
    model(x)
    before = monitor.as_dict()
    torch.jit.trace(model, (x + 1,), check_trace=False)  # the check is a forward that counts
    torch.export.export(model, (x + 1,))
    assert monitor.as_dict() == before
    model(x + 1)
    assert monitor.as_dict() != before
    monitor.detach()


def test_aot_inductor(tmp_path):
    """One program of C++: it is made from those that the tests above compare."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU()).eval()
    reg = rz.Regularization(model, [rz.activity(rz.L1(1e-3), where="1"), rz.kernel(rz.L1(1e-3))])
    program = torch.export.export(model, (torch.ones(3, 4),))
    package = str(tmp_path / "model.pt2")
    torch._inductor.aoti_compile_and_package(program, package_path=package)
    compiled = torch._inductor.aoti_load_package(package)
    reg.detach()
    x = torch.randn(3, 4)
    torch.testing.assert_close(compiled(x), model(x))
