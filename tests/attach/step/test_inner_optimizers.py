"""Optimizers within others: it is the one that makes the update whose step is watched."""

import pytest
import torch
from torch import nn
from torch.optim import SGD, Adam, Optimizer

import regularizers as rz
from attach.helpers import kernels
from regularizers.errors import ConfigurationError, RegimeError

DECAY = rz.L2Squared(0.05)  # at a rate of 1 a step takes a tenth of a weight away


class Wrapper:
    """A launcher's wrapper: holds an optimizer and forwards its methods."""

    def __init__(self, optimizer: Optimizer, name: str = "optimizer") -> None:
        self.__dict__[name] = optimizer
        self.__dict__["inner"] = name

    def __getattr__(self, name: str) -> object:
        return getattr(self.__dict__[self.__dict__["inner"]], name)


class Disguised(Wrapper):
    @property
    def __class__(self) -> type:
        return Optimizer


class Behind:
    """Saves the optimizer where only a property finds it."""

    def __init__(self, optimizer: Optimizer) -> None:
        self._kept = {"one": optimizer}

    @property
    def optimizer(self) -> Optimizer:
        return self._kept["one"]

    def __getattr__(self, name: str) -> object:
        return getattr(self._kept["one"], name)


class Chained:
    """Steps several."""

    def __init__(self, *optimizers: Optimizer) -> None:
        self.all = list(optimizers)

    def step(self) -> None:
        for optimizer in self.all:
            optimizer.step()


class Uninitialised(Optimizer):
    """A launcher's subclass that does without `Optimizer.__init__`."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

    @property
    def param_groups(self) -> list[dict]:
        return self.optimizer.param_groups

    @property
    def state(self) -> dict:
        return self.optimizer.state

    @property
    def defaults(self) -> dict:
        return self.optimizer.defaults

    def step(self, closure: object = None) -> None:
        self.optimizer.step(closure)

    def zero_grad(self, set_to_none: bool = True) -> None:
        self.optimizer.zero_grad(set_to_none)


class Plain(Optimizer):
    """Gradient descent that does without `Optimizer.__init__` and holds no other."""

    def __init__(self, parameters: object) -> None:
        self.param_groups = [{"params": list(parameters), "lr": 1.0}]
        self.state: dict = {}

    @torch.no_grad()
    def step(self) -> None:
        for parameter in self.param_groups[0]["params"]:
            if parameter.grad is not None:
                parameter.sub_(parameter.grad)


class Sharing(Optimizer):
    """A subclass that takes over all attributes of the one it steps, hooks included."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.__dict__.update(optimizer.__dict__)
        self.base = optimizer

    def step(self) -> None:
        self.base.step()


class TwoSteps(Optimizer):
    """Sharpness-aware minimization: `step` itself is never called."""

    def __init__(self, parameters: object, base: type[Optimizer], **options: float) -> None:
        super().__init__(parameters, options)
        self.base_optimizer = base(self.param_groups, **options)
        self.param_groups = self.base_optimizer.param_groups

    @torch.no_grad()
    def first_step(self) -> None:
        for parameter in self.param_groups[0]["params"]:
            self.state[parameter]["before"] = parameter.clone()
            parameter.add_(parameter.grad, alpha=0.1)
        self.zero_grad()

    @torch.no_grad()
    def second_step(self) -> None:
        for parameter in self.param_groups[0]["params"]:
            parameter.data = self.state[parameter]["before"]
        self.base_optimizer.step()
        self.zero_grad()


class Slow(Optimizer):
    """Lookahead: steps another, and every second time goes half the way back."""

    def __init__(self, optimizer: Optimizer) -> None:
        super().__init__([p for g in optimizer.param_groups for p in g["params"]], {})
        self.optimizer, self.steps = optimizer, 0
        self.slow = [p.detach().clone() for p in self.param_groups[0]["params"]]

    def step(self, closure: object = None) -> None:
        self.optimizer.step(closure)
        self.steps += 1
        if self.steps % 2 == 0:
            with torch.no_grad():
                for parameter, slow in zip(self.param_groups[0]["params"], self.slow, strict=True):
                    parameter.copy_(slow.lerp_(parameter, 0.5))


def layer() -> nn.Linear:
    torch.manual_seed(0)
    return nn.Linear(4, 2, bias=False)


def backward(model: nn.Module) -> None:
    """Let the loss have a gradient of 0."""
    model.zero_grad()
    (0 * model(torch.ones(1, 4))).sum().backward()


WRAPPERS = {
    "wrapper": Wrapper,
    "wrapper, private attribute": lambda optimizer: Wrapper(optimizer, "_optimizer"),
    "wrapper of a wrapper": lambda optimizer: Wrapper(Wrapper(optimizer)),
    "wrapper with a property": Behind,
    "disguised as an optimizer": Disguised,
    "subclass without __init__": Uninitialised,
    "subclass that shares the hooks": Sharing,
}


@pytest.mark.parametrize("wrap", WRAPPERS.values(), ids=WRAPPERS)
@pytest.mark.parametrize("zeroes", [False, True])
def test_of_a_wrapper_the_optimizer_within_is_attached(wrap, zeroes):
    model = layer()
    optimizer = SGD(model.parameters(), lr=1.0)
    wrapper = wrap(optimizer)
    kernels(model, DECAY).attach(wrapper)
    for stepped in (wrapper, optimizer, wrapper):
        before = model.weight.detach().clone()
        (wrapper if zeroes else model).zero_grad()
        backward(model)
        stepped.step()
        torch.testing.assert_close(model.weight.detach(), 0.9 * before)


def test_of_a_wrapper_of_several_each_is_attached():
    model = nn.Sequential(layer(), nn.Linear(2, 2, bias=False))
    both = Chained(*[SGD(part.parameters(), lr=1.0) for part in model])
    kernels(model, DECAY).attach(both)
    before = [part.weight.detach().clone() for part in model]
    backward(model)
    both.step()
    for part, weight in zip(model, before, strict=True):
        torch.testing.assert_close(part.weight.detach(), 0.9 * weight)


def test_an_optimizer_without_init_is_attached_by_itself():
    model = layer()
    optimizer = Plain(model.parameters())
    kernels(model, DECAY).attach(optimizer)
    for _ in range(2):
        before = model.weight.detach().clone()
        backward(model)
        optimizer.step()
        torch.testing.assert_close(model.weight.detach(), 0.9 * before)


def test_a_two_step_optimizer_is_penalised_in_its_second_step():
    model = layer()
    optimizer = TwoSteps(model.parameters(), SGD, lr=1.0)
    reg = kernels(model, DECAY)
    reg.attach(optimizer)
    for _ in range(3):
        before = model.weight.detach().clone()
        backward(model)
        optimizer.first_step()
        backward(model)
        optimizer.second_step()
        torch.testing.assert_close(model.weight.detach(), 0.9 * before)
        reg.penalties()


def test_a_proximal_step_within_a_two_step_optimizer():
    model = layer()
    optimizer = TwoSteps(model.parameters(), SGD, lr=1.0)
    kernels(model, rz.L1(0.1), proximal=True).attach(optimizer)
    before = model.weight.detach().clone()
    backward(model)
    optimizer.first_step()
    backward(model)
    optimizer.second_step()
    expected = rz.L1(0.1).prox(before, step=1.0)
    torch.testing.assert_close(model.weight.detach(), expected)


def test_lookahead_is_penalised_in_the_steps_of_the_one_within():
    model = layer()
    optimizer = Slow(SGD(model.parameters(), lr=1.0))
    kernels(model, DECAY).attach(optimizer)
    first = model.weight.detach().clone()
    for expected in (0.9 * first, (first + 0.81 * first) / 2):
        backward(model)
        optimizer.step()
        torch.testing.assert_close(model.weight.detach(), expected)


def test_a_step_counts_once_for_a_schedule():
    model = layer()
    optimizer = Slow(SGD(model.parameters(), lr=1.0))
    reg = kernels(model, rz.L2Squared(rz.LinearWarmup(1.0, steps=10)))
    reg.attach(optimizer)
    for expected in (0.1, 0.2, 0.3):
        backward(model)
        optimizer.step()
        assert dict(reg.strengths) == {"weight/kernel/L2Squared": pytest.approx(expected)}


def test_an_optimizer_that_is_only_known_to_another_is_left_alone():
    model, critic = layer(), layer()
    optimizer = SGD(model.parameters(), lr=1.0)
    optimizer.critics = SGD(critic.parameters(), lr=1.0)
    both = nn.ModuleList([model, critic])
    with pytest.raises(LookupError, match=r"not held by SGD: 1\.weight"):
        kernels(both, DECAY).attach(optimizer)


class Nothing:
    optimizer = None


@pytest.mark.parametrize("wrong", [object(), Nothing()])
def test_after_a_failed_attach_the_right_one_works(wrong):
    model = layer()
    optimizer = SGD(model.parameters(), lr=1.0)
    reg = kernels(model, DECAY)
    with pytest.raises(ConfigurationError, match=r"or a wrapper that has one, got "):
        reg.attach(optimizer, wrong)
    with pytest.raises(LookupError, match="not held by Adam"):
        reg.attach(Adam(layer().parameters()))
    reg.attach(optimizer)
    before = model.weight.detach().clone()
    backward(model)
    optimizer.step()
    torch.testing.assert_close(model.weight.detach(), 0.9 * before)


def test_lbfgs_within_a_wrapper_raises():
    model = layer()
    with pytest.raises(RegimeError, match="LBFGS searches along the loss"):
        kernels(model, DECAY).attach(Wrapper(torch.optim.LBFGS(model.parameters())))


def test_the_other_optimizers_of_a_class_without_hooks_step_as_before():
    class Launcher(Uninitialised):
        def step(self, closure: object = None) -> None:
            self.optimizer.step(closure)

    layers = [nn.Linear(3, 2) for _ in range(3)]
    launched = [Launcher(SGD(layer.parameters(), lr=1.0)) for layer in layers[:2]]
    rule = rz.constraint(rz.NonNegative())  # which watches the step of the launcher as well
    rz.Regularization(layers[0], [rule]).attach(launched[0])
    launched.append(Launcher(SGD(layers[2].parameters(), lr=1.0)))
    before = [layer.weight.detach().clone() for layer in layers]
    for layer, optimizer in zip(layers, launched, strict=True):
        layer.weight.grad = torch.ones_like(layer.weight)
        optimizer.step()
    assert torch.equal(layers[0].weight, (before[0] - 1).clamp(min=0))
    assert all(torch.equal(a.weight, b - 1) for a, b in zip(layers[1:], before[1:], strict=True))


def test_the_state_of_the_optimizer_inside_carries_that_of_the_strengths():
    class Launcher(Uninitialised):
        def state_dict(self) -> dict:
            return self.optimizer.state_dict()

        def load_state_dict(self, state: dict) -> None:
            self.optimizer.load_state_dict(state)

    def launched() -> tuple[Launcher, rz.Regularization]:
        layer = nn.Linear(3, 2)
        reg = rz.Regularization(layer, [rz.kernel(rz.L1(rz.LinearWarmup(1.0, steps=4)))])
        optimizer = Launcher(SGD(layer.parameters(), lr=1.0))
        reg.attach(optimizer)
        return optimizer, reg

    (first, one), (second, two) = launched(), launched()
    for _ in range(3):
        first.step()
    second.load_state_dict(first.state_dict())
    assert dict(two.strengths) == dict(one.strengths) == {"weight/kernel/L1": 0.75}
