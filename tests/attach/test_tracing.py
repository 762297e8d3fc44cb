"""What torch.jit and torch.fx make of a model with hooks: an error that names the site."""

import copy

import pytest
import torch
from torch import Tensor, nn

import regularizers as rz
from regularizers.errors import RegimeError

pytestmark = pytest.mark.filterwarnings("ignore:`torch.jit:DeprecationWarning")


class Net(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.encoder = nn.Sequential(nn.Linear(4, 3), nn.ReLU())
        self.head = nn.Linear(3, 2)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x))


def regularization(model: nn.Module, delivery: str = "collect") -> rz.Regularization:
    rules = [rz.activity(rz.L1(1.0), where="encoder"), rz.kernel(rz.L1(1.0))]
    return rz.Regularization(model, rules, delivery=delivery)


ATTACHED = {
    "collect": regularization,
    "inject": lambda model: regularization(model, "inject"),
    "kernels": lambda model: rz.Regularization(model, [rz.kernel(rz.L1(1.0))]),
    "monitor": lambda model: rz.Monitor(model, "encoder"),
    "pair": lambda model: rz.Monitor(
        model, pairs={"pair": (rz.monitor.input_of("encoder"), "encoder")}
    ),
}
every_hook = pytest.mark.parametrize("attach", ATTACHED.values(), ids=ATTACHED)


@every_hook
def test_scripting(attach):
    model = Net()
    attached = attach(model)
    with pytest.raises(
        RegimeError, match=r"torch\.jit\.script cannot compile the hooks .*detach\(\) the Regular"
    ):
        torch.jit.script(model)
    attached.detach()
    torch.jit.script(model)


def test_scripting_a_part_names_the_site():
    model = Net()
    reg = regularization(model)
    with pytest.raises(RegimeError, match=r"^encoder: torch\.jit\.script cannot compile"):
        torch.jit.script(model.encoder)
    reg.detach()


def test_scripting_a_copy_says_when_to_copy():
    model = Net()
    reg = regularization(model)
    with pytest.raises(RegimeError, match=r"copy the model after detach\(\)"):
        torch.jit.script(copy.deepcopy(model))
    reg.detach()
    torch.jit.script(copy.deepcopy(model))


def test_a_hook_has_no_name_for_anybody_else():
    model = Net()
    reg = regularization(model)
    hooks = [*model._forward_hooks.values(), *model.encoder._forward_hooks.values()]
    assert hooks
    assert not any(hasattr(hook, "__name__") for hook in hooks)
    reg.detach()


@pytest.mark.parametrize("delivery", ["collect", "inject"])
def test_tracing_in_training_mode(delivery):
    model, x = Net(), torch.randn(5, 4)
    reg = regularization(model, delivery)
    with pytest.raises(RegimeError, match=r"torch\.jit\.trace in training .*call model\.eval\(\)"):
        torch.jit.trace(model, x)
    traced = torch.jit.trace(model.eval(), x)
    reg.detach()
    torch.testing.assert_close(traced(x), model(x))


@pytest.mark.parametrize("name", ["collect", "inject", "monitor", "pair"])
def test_symbolic_tracing(name):
    model, x = Net(), torch.randn(5, 4)
    attached = ATTACHED[name](model)
    site = "pair" if name == "pair" else "encoder"
    with pytest.raises(
        RegimeError,
        match=rf"^{site}: torch\.fx\.symbolic_trace .*call model\.eval\(\) or detach\(\)",
    ):
        torch.fx.symbolic_trace(model)
    traced = torch.fx.symbolic_trace(model.eval())
    torch.testing.assert_close(traced(x), model(x))
    attached.detach()
    torch.fx.symbolic_trace(model.train())


def test_after_an_error_the_next_step_is_exact():
    model, x = Net(), torch.randn(5, 4)
    reg = rz.Regularization(model, [rz.activity(rz.L1(1.0), where="encoder")])
    for refused in (
        lambda: torch.fx.symbolic_trace(model),
        lambda: torch.jit.trace(model, x),
        lambda: torch.jit.script(model),
    ):
        with pytest.raises(RegimeError):
            refused()
        model(x)
        torch.testing.assert_close(reg.penalty(), model.encoder.forward(x).abs().sum() / 5)
