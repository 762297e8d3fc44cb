"""Every optimizer of PyTorch, and kinds of optimizers elsewhere: exact in the step, or refused."""

import re

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, AdamW, Optimizer

import regularizers as rz
from integrations.stepping import (
    ABSOLUTE,
    SQUARES,
    STEPS,
    assert_exact,
    attached,
    kernels,
    network,
    penalty,
    run,
    task,
)
from regularizers.errors import RegimeError

EXACT = {
    "SGD": {"lr": 0.05, "momentum": 0.9, "nesterov": True, "weight_decay": 0.01},
    "Adam": {"lr": 0.05, "amsgrad": True},
    "AdamW": {"lr": 0.05},
    "NAdam": {"lr": 0.05},
    "RAdam": {"lr": 0.05},
    "Adagrad": {"lr": 0.05},
    "Adadelta": {"lr": 0.5, "eps": 1e-3},
    "Adamax": {"lr": 0.05},
    "RMSprop": {"lr": 0.05, "centered": True, "momentum": 0.5},
    "Rprop": {"lr": 0.05},
    "ASGD": {"lr": 0.05, "t0": 3},
    "Adafactor": {"lr": 0.05},
    "Muon": {"lr": 0.05},
}
REFUSED = {"LBFGS", "SparseAdam"}

WAYS = ["plain", "closure"]


def made(name: str):
    return lambda parameters: getattr(torch.optim, name)(parameters, **EXACT[name])


def test_every_optimizer_of_pytorch_is_here():
    kinds = {
        name
        for name, kind in vars(torch.optim).items()
        if isinstance(kind, type) and issubclass(kind, Optimizer) and kind is not Optimizer
    }
    assert kinds <= EXACT.keys() | REFUSED


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("name", EXACT)
def test_ten_steps_equal_those_with_the_penalty_in_the_loss(name, way):
    if not hasattr(torch.optim, name):
        pytest.skip(f"this PyTorch has no {name}")
    assert_exact(made(name), way, bias=name != "Muon")  # Muon is for matrices


# refused when attached, by the full name; nothing has changed then


def refused(
    optimizer: object, model: nn.Module, *rules: object, match: str, **options: object
) -> None:
    reg = rz.Regularization(model, list(rules) or [rz.kernel(rz.L2Squared(0.1))], **options)
    with pytest.raises(RegimeError, match=match):
        reg.attach(optimizer)
    for one in (optimizer, *vars(optimizer).values()):
        assert not getattr(one, "_optimizer_step_pre_hooks", None)
        assert not getattr(one, "_optimizer_step_post_hooks", None)


def test_lbfgs():
    model = network()
    match = r"torch\.optim\.lbfgs\.LBFGS: LBFGS searches along the loss.*use loss \+ reg\.penalty"
    refused(torch.optim.LBFGS(model.parameters()), model, match=match)


def test_sparse_adam():
    model = nn.Sequential(nn.Embedding(5, 3, sparse=True))
    optimizer = torch.optim.SparseAdam(model.parameters())
    match = r"torch\.optim\.sparse_adam\.SparseAdam takes sparse gradients only.*use Adam"
    refused(optimizer, model, match=match, roles={"0": "kernel"})


@pytest.mark.parametrize("name", sorted(EXACT.keys() - {"SGD", "Adam", "AdamW"}))
def test_proximal_rules_of_unknown_steps(name):
    if not hasattr(torch.optim, name):
        pytest.skip(f"this PyTorch has no {name}")
    model = network(bias=False)
    optimizer = made(name)(list(model.parameters()))
    full = re.escape(f"{type(optimizer).__module__}.{name}")
    match = rf"0\.weight: .*SGD, Adam and AdamW, got {full}; use one of these, or proximal=False"
    refused(optimizer, model, rz.kernel(rz.L1(0.1), proximal=True), match=match)


# proximal steps, by hand


class Threshold:
    """The proximal step of both penalties, from what a step did to a lasting gradient of 1."""

    def __init__(self, rate: float, *, momentum: float = 0.0, beta: float = 0.0, eps: float = 0.0):
        self.rate, self.momentum, self.beta, self.eps = rate, momentum, beta, eps
        self.second: dict[Tensor, Tensor] = {}
        self.steps = 0

    @torch.no_grad()
    def shrink(self, weights: list[nn.Parameter]) -> None:
        self.steps += 1
        for w in weights:
            tau = self.rate / (1 - self.momentum)
            if self.beta:
                second = self.second.get(w, torch.zeros_like(w))
                self.second[w] = self.beta * second + (1 - self.beta) * w.grad**2
                unbiased = self.second[w] / (1 - self.beta**self.steps)
                tau = self.rate / (unbiased.sqrt() + self.eps)
            soft = w.sign() * (w.abs() - tau * ABSOLUTE).clamp(min=0)
            w.copy_(soft / (1 + 2 * tau * SQUARES))


PROXIMAL = {
    "SGD": (lambda p: SGD(p, lr=0.1), lambda: Threshold(0.1)),
    "SGD, momentum": (
        lambda p: SGD(p, lr=0.02, momentum=0.9),
        lambda: Threshold(0.02, momentum=0.9),
    ),
    "Adam": (
        lambda p: Adam(p, lr=0.02, betas=(0.9, 0.95), eps=1e-3),
        lambda: Threshold(0.02, beta=0.95, eps=1e-3),
    ),
    "AdamW": (
        lambda p: AdamW(p, lr=0.02, weight_decay=0.1),
        lambda: Threshold(0.02, beta=0.999, eps=1e-8),
    ),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("make", "threshold"), PROXIMAL.values(), ids=PROXIMAL)
def test_ten_proximal_steps_equal_those_by_hand(make, threshold, way):
    model, twin = network(), network()
    optimizer, plain, by_hand = make(model.parameters()), make(twin.parameters()), threshold()
    attached(model, optimizer, proximal=True)
    actual = run(model, optimizer, lambda step: task(model, step), way)
    expected = run(
        twin, plain, lambda step: task(twin, step), way, lambda: by_hand.shrink(kernels(twin))
    )
    torch.testing.assert_close(actual, expected, rtol=1e-12, atol=1e-12)
    zeros = torch.cat([(w == 0).flatten() for w in kernels(twin)])
    assert zeros.any()
    assert torch.equal(zeros, torch.cat([(w == 0).flatten() for w in kernels(model)]))


# two steps, and optimizers around others: the penalty enters as the base's own weight decay does


class Sharpness(Optimizer):
    """Sharpness-aware minimization (2010.01412): climb, look there, step from where it was."""

    def __init__(self, parameters: object, base: type[Optimizer], **options: float) -> None:
        super().__init__(parameters, options)
        self.base_optimizer = base(self.param_groups, **options)
        self.param_groups = self.base_optimizer.param_groups

    def _each(self) -> list[nn.Parameter]:
        return [p for group in self.param_groups for p in group["params"]]

    @torch.no_grad()
    def first_step(self) -> None:
        norm = torch.stack([p.grad.norm() for p in self._each()]).norm()
        for p in self._each():
            self.state[p]["old"] = p.clone()
            p.add_(0.1 * p.grad / norm)
        self.zero_grad()

    @torch.no_grad()
    def second_step(self) -> None:
        for p in self._each():
            p.copy_(self.state[p]["old"])
        self.base_optimizer.step()

    @torch.no_grad()
    def step(self, closure: object = None) -> None:
        self.first_step()
        torch.enable_grad()(closure)()
        self.second_step()


DECAY = 2.0**-4


def sharp_by_hand(rate: float = 0.05) -> Tensor:
    """Return ten steps of sharpness-aware gradient descent with weight decay, without a class."""
    model, trajectory = network(), []
    parameters = list(model.parameters())
    for step in range(STEPS):
        first = torch.autograd.grad(task(model, step), parameters)
        climb = 0.1 / torch.stack([g.norm() for g in first]).norm()
        with torch.no_grad():
            old = [p.clone() for p in parameters]
            for p, g in zip(parameters, first, strict=True):
                p += climb * g
        second = torch.autograd.grad(task(model, step), parameters)
        with torch.no_grad():
            for p, o, g in zip(parameters, old, second, strict=True):
                p.copy_(o - rate * (g + DECAY * o * (p.ndim == 2)))
        trajectory.append(torch.cat([p.detach().flatten() for p in parameters]))
    return torch.stack(trajectory)


@pytest.mark.parametrize("way", ["gradients, then closure", "two calls"])
def test_of_two_steps_the_second_is_penalised(way):
    model = network()
    optimizer = Sharpness(model.parameters(), SGD, lr=0.05)
    reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(DECAY / 2))])
    reg.attach(optimizer)
    if way == "two calls":
        trajectory = []
        for step in range(STEPS):
            for move in (optimizer.first_step, optimizer.second_step):
                optimizer.zero_grad()
                task(model, step).backward()
                move()
            reg.penalties()
            trajectory.append(torch.cat([p.detach().flatten() for p in model.parameters()]))
        actual = torch.stack(trajectory)
    else:
        actual = run(model, optimizer, lambda step: task(model, step), way, reg.penalties)
    torch.testing.assert_close(actual, sharp_by_hand(), rtol=1e-12, atol=1e-12)


# what no optimizer of PyTorch does


class Polyak(Optimizer):
    """Steps by the value of the loss over the squared norm of its gradient (Polyak 1987)."""

    def __init__(self, parameters: object) -> None:
        super().__init__(parameters, {})

    def step(self, closure=None):
        loss = None
        if closure is not None:
            loss = closure()
        parameters = self.param_groups[0]["params"]
        square = sum(p.grad.square().sum() for p in parameters)
        rate = 0.05 if loss is None else loss.item() / (square + 1.0)
        with torch.no_grad():
            for p in parameters:
                p.sub_(rate * p.grad)
        return loss


class Around:
    """Holds another optimizer and looks at the loss itself."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer, self.best = optimizer, float("inf")
        self.param_groups = optimizer.param_groups

    def step(self, closure):
        loss = self.optimizer.step(closure)
        self.best = min(self.best, loss.item())
        return loss


READS = r"integrations\.test_optimizers\.{}\.step reads the value of the loss .*reg\.penalty"


def test_a_step_that_reads_the_loss_is_refused_where_it_is_given_one():
    assert_exact(Polyak)  # without a closure it has none to read
    model = network()
    optimizer = Polyak(model.parameters())
    attached(model, optimizer)
    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(RegimeError, match=READS.format("Polyak")):
        run(model, optimizer, lambda step: task(model, step), "closure")
    for p, old in zip(model.parameters(), before, strict=True):
        assert torch.equal(p, old)


def test_it_would_have_been_wrong():
    model, twin = network(), network()
    in_loss = run(
        twin, Polyak(twin.parameters()), lambda n: task(twin, n) + penalty(twin), "closure"
    )

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = task(model, 0)
        value.backward()
        for w in kernels(model):
            w.grad += 2 * SQUARES * w.detach() + ABSOLUTE * w.detach().sign()
        return value

    optimizer = Polyak(model.parameters())
    optimizer.step(closure)
    in_step = torch.cat([p.detach().flatten() for p in model.parameters()])
    assert (in_step - in_loss[0]).abs().max() > 1e-3


def test_a_wrapper_that_reads_the_loss():
    model = network()
    refused(Around(SGD(model.parameters(), lr=0.1)), model, match=READS.format("Around"))


def test_of_pytorch_only_lbfgs_reads_the_loss():
    # what the source of a step does is looked at once for each class
    from regularizers.attach.step._reads_loss import reads_loss

    kinds = {name: getattr(torch.optim, name, Optimizer) for name in EXACT.keys() | REFUSED}
    assert {n for n, kind in kinds.items() if reads_loss(kind.__new__(kind))} == {"LBFGS"}


class Newton(Optimizer):
    """Divides by an estimate of the Hessian's diagonal, of the gradients' own graph."""

    def __init__(self, parameters: object) -> None:
        super().__init__(parameters, {})

    def step(self, closure=None):
        parameters = self.param_groups[0]["params"]
        gradients = [p.grad for p in parameters]
        ones = [torch.ones_like(g) for g in gradients]
        rows = torch.autograd.grad(gradients, parameters, ones)
        with torch.no_grad():
            for p, row in zip(parameters, rows, strict=True):
                p.sub_(0.05 * p.grad / (row.abs() + 1))


of_pytorch = pytest.mark.filterwarnings("ignore:Using backward.* with create_graph=True")


@of_pytorch
def test_gradients_that_the_step_differentiates():
    model = network()
    optimizer = Newton(model.parameters())
    attached(model, optimizer)
    task(model, 0).backward(create_graph=True)
    match = r"create_graph=True, and .*test_optimizers\.Newton may differentiate them"
    with pytest.raises(RegimeError, match=match):
        optimizer.step()


@of_pytorch
def test_a_graph_of_gradients_is_nothing_to_an_optimizer_of_pytorch():
    model, twin = network(), network()
    optimizer, plain = SGD(model.parameters(), lr=0.1), SGD(twin.parameters(), lr=0.1)
    attached(model, optimizer)
    task(model, 0).backward(create_graph=True)
    (task(twin, 0) + penalty(twin)).backward()
    optimizer.step()
    plain.step()
    for p, q in zip(model.parameters(), twin.parameters(), strict=True):
        torch.testing.assert_close(p, q, rtol=1e-12, atol=1e-12)


class ScheduleFree(Optimizer):
    """Schedule-free SGD (2405.15682): the model holds y in training and x in evaluation."""

    def __init__(self, parameters: object, lr: float) -> None:
        super().__init__(parameters, {"lr": lr, "train_mode": True})
        self.beta, self.steps = 0.9, 0

    @torch.no_grad()
    def step(self, closure=None):
        self.steps += 1
        for group in self.param_groups:
            for p in group["params"]:
                z = self.state[p].setdefault("z", p.clone())
                x = self.state[p].setdefault("x", p.clone())
                z -= group["lr"] * p.grad
                x.lerp_(z, 1 / self.steps)
                p.copy_(z.lerp(x, self.beta))

    @torch.no_grad()
    def eval(self) -> None:
        for group in self.param_groups:
            for p in group["params"]:
                p.copy_(self.state[p]["x"])


class ScheduleFreeAround(ScheduleFree):
    """The same around an optimizer that steps z."""

    def __init__(self, optimizer: Optimizer) -> None:
        super().__init__([p for g in optimizer.param_groups for p in g["params"]], 0.1)
        self.optimizer, self.train_mode = optimizer, True


def test_schedule_free_is_exact():
    assert_exact(lambda parameters: ScheduleFree(parameters, lr=0.1))


def test_penalties_are_of_the_weights_as_they_are_in_evaluation_too():
    model = network()
    optimizer = ScheduleFree(model.parameters(), lr=0.1)
    reg = attached(model, optimizer)
    run(model, optimizer, lambda step: task(model, step))
    in_training = sum(reg.penalties().values())
    optimizer.eval()
    in_evaluation = sum(reg.penalties().values())
    torch.testing.assert_close(in_evaluation, penalty(model).item())
    assert in_evaluation != in_training


def test_proximal_rules_and_constraints_of_a_schedule_free_optimizer():
    model = network()
    optimizer = ScheduleFree(model.parameters(), lr=0.1)
    full = r"(?:tests\.)?integrations\.test_optimizers\.ScheduleFree"
    proximal = rz.kernel(rz.L1(0.1), proximal=True)
    refused(optimizer, model, proximal, match=rf"got {full}; use one of these")
    constraint = rz.constraint(rz.UnitNorm(axis="input"), where="0")
    match = rf"{full} evaluates other weights than it trains.*parametrization"
    refused(optimizer, model, constraint, match=match)


def test_a_schedule_free_wrapper():
    model = network()
    optimizer = ScheduleFreeAround(SGD(model.parameters(), lr=0.1))
    match = r"test_optimizers\.ScheduleFreeAround exchanges the weights before .*schedule-free its"
    refused(optimizer, model, match=match)
