"""Regimes of models that change after a penalty was attached, in the loss and within the step."""

import copy
import dataclasses
import re
import warnings
from collections.abc import Callable, Iterator

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrizations, prune
from torch.optim import SGD, Adam, Optimizer

from matrix.judge import Must, Readings, Regime, Step, backward
from matrix.methods import Method
from matrix.network import (
    WIDTH,
    Block,
    Net,
    activity_loss,
    batches,
    build,
    explicit,
    kernel_loss,
    kernels,
    task,
)
from matrix.optimizers import changes, made, plainly
from matrix.penalties import Case
from matrix.recorded import has_a_gradient_at_zero
from matrix.training import Steps

Change = Callable[[Net], None]


def nothing(net: Net) -> None:
    """Leave a network as it is."""


def pruned(net: Net) -> None:
    """Take away a few weights of every block, by their place: copies lose the same."""
    for block in net.blocks:
        mask = torch.ones_like(block.linear.weight)
        mask[:, ::3] = 0
        prune.custom_from_mask(block.linear, "weight", mask)


def pruned_again(net: Net) -> None:
    pruned(net)
    for block in net.blocks:
        mask = torch.ones_like(block.linear.weight)
        mask[::4, 1] = 0
        prune.custom_from_mask(block.linear, "weight", mask)


def made_permanent(net: Net) -> None:
    pruned(net)
    for block in net.blocks:
        prune.remove(block.linear, "weight")


def normed_by_a_hook(net: Net) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", FutureWarning)
        for block in net.blocks:
            nn.utils.weight_norm(block.linear)


def normed(net: Net) -> None:
    for block in net.blocks:
        parametrizations.weight_norm(block.linear)


def equalized(net: Net) -> None:
    """Let an unknown hook compute the weights of the blocks."""

    def scale(module: nn.Module, inputs: object) -> None:
        module.weight = 1.5 * module.weight_orig

    for block in net.blocks:
        weight = block.linear.weight
        del block.linear._parameters["weight"]
        block.linear.register_parameter("weight_orig", weight)
        block.linear.register_forward_pre_hook(scale)


def grown(net: Net) -> None:
    """Add a block of the same kind."""
    with torch.random.fork_rng():
        torch.manual_seed(7)
        block = Block("linear", "tanh").to(net.head.weight.dtype)
    with torch.no_grad():
        signs = torch.tensor([1.0, -1.0], dtype=net.head.weight.dtype).repeat(WIDTH // 2)
        for linear in (block.linear, block.site):
            linear.weight *= 0.3
            linear.bias.copy_(0.5 * signs)
    net.blocks.append(block)


def frozen(net: Net) -> None:
    net.blocks[0].requires_grad_(False)


def thawed(net: Net) -> None:
    net.requires_grad_(True)


def trainable(net: Net) -> list[Tensor]:
    """Return the kernels that count: of computed ones, as a forward leaves them."""
    return [
        m.weight
        for m in net.modules()
        if isinstance(m, nn.Linear) and any(p.requires_grad for p in m.parameters())
    ]


def changed(change: Change, *, before: Change = nothing, kind: str = "kernel") -> Steps:
    """Return a loop of two steps, a change, and two steps more."""
    by_hand = activity_loss if kind == "activity" else _kernel_loss

    def steps(method: Method, case: Case) -> Iterator[Step]:
        model, twin = build()
        before(model)
        before(twin)
        attached = method.attach(model, case, kind)
        for n, x in enumerate(batches(steps=4)):
            if n == 2:
                change(model)
                change(twin)
            attached.begin()
            actual = backward(method, model, attached.loss(task(model(x))))
            yield Step(actual, backward(method, twin, by_hand(twin, x, case)))

    return steps


def _kernel_loss(twin: Net, x: Tensor, case: Case) -> Tensor:
    output = explicit(twin, x)[0]  # which leaves what hooks compute
    return task(output) + sum([case.formula(w) for w in trainable(twin)])


def stepping(change: Change, make: Callable[[nn.Module], Optimizer], **options: bool) -> Steps:
    """Return a loop of two steps of an optimizer, a change, and two steps more."""

    def steps(method: Method, case: Case) -> Iterator[Step]:
        model, twin = build()
        attached = method.attach(model, case, "kernel")
        optimizer, plain = make(model), make(twin)
        attached.step_with(optimizer)
        for n, x in enumerate(batches(steps=4)):
            if n == 2:
                change(model)
                change(twin)
                if options.get("joins"):
                    _join(optimizer, model)
                    _join(plain, twin)

            def loss(x: Tensor = x) -> Tensor:
                return attached.loss(task(model(x)))

            def by_hand(x: Tensor = x) -> Tensor:
                return _kernel_loss(twin, x, case)

            actual = changes(model, lambda loss=loss: plainly(optimizer, loss))
            yield Step(actual, changes(twin, lambda by_hand=by_hand: plainly(plain, by_hand)))

    return steps


def _join(optimizer: Optimizer, model: Net) -> None:
    optimizer.add_param_group({"params": list(model.blocks[-1].parameters())})


class TwoSteps(Optimizer):
    """Sharpness-aware minimization around gradient descent; `step` itself is never called."""

    def __init__(self, model: nn.Module) -> None:
        super().__init__(model.parameters(), {"lr": 0.01})
        self.base_optimizer = SGD(self.param_groups, lr=0.01)
        self.param_groups = self.base_optimizer.param_groups

    @torch.no_grad()
    def climb(self) -> None:
        for p in self.param_groups[0]["params"]:
            self.state[p]["before"] = p.clone()
            p.add_(p.grad, alpha=0.01)
        self.zero_grad()

    @torch.no_grad()
    def descend(self) -> None:
        for p in self.param_groups[0]["params"]:
            p.copy_(self.state[p]["before"])
        self.base_optimizer.step()
        self.zero_grad()


def two_steps(method: Method, case: Case) -> Iterator[Step]:
    """The second step has the gradient of the loss where it climbed to, and the penalty's here."""
    model, twin = build()
    attached = method.attach(model, case, "kernel")
    optimizer, plain = TwoSteps(model), TwoSteps(twin)
    attached.step_with(optimizer)
    for x in batches():

        def update(x: Tensor = x) -> None:
            for part in (optimizer.climb, optimizer.descend):
                attached.loss(task(model(x))).backward()
                part()

        def by_hand(x: Tensor = x) -> None:
            task(explicit(twin, x)[0]).backward()
            plain.climb()
            task(explicit(twin, x)[0]).backward()
            here = [plain.state[w]["before"] for w in kernels(twin)]
            copies = [w.clone().requires_grad_() for w in here]
            slopes = torch.autograd.grad(sum([case.formula(w) for w in copies]), copies)
            for w, slope in zip(kernels(twin), slopes, strict=True):
                w.grad.add_(slope)
            plain.descend()

        yield Step(changes(model, update), changes(twin, by_hand))


class Wrapper:
    """A launcher's wrapper: holds an optimizer and forwards its methods."""

    def __init__(self, optimizer: Optimizer) -> None:
        self.optimizer = optimizer

    def __getattr__(self, name: str) -> object:
        return getattr(self.__dict__["optimizer"], name)


def paused(method: Method, case: Case) -> Iterator[Step]:
    """A pass that does not count comes between the forward of a step and its loss."""
    model, twin = build()
    attached = method.attach(model, case)
    reg = getattr(attached, "reg", None)
    for x in batches():
        attached.begin()
        output = model(x)
        if reg is None:
            model(x + 1).mean().backward()
        else:
            with reg.paused():
                model(x + 1).mean().backward()
        model.zero_grad()
        actual = backward(method, model, attached.loss(task(output)))
        yield Step(actual, backward(method, twin, activity_loss(twin, x, case)))


def state_restored(method: Method, case: Case) -> Iterator[Step]:
    """The model and its optimizer are made anew and restored between two steps."""
    twin, _ = build()
    plain = Adam(twin.parameters(), lr=0.01)
    states = copy.deepcopy((twin.state_dict(), plain.state_dict()))
    for x in batches():
        actual, states = _step_anew(method, case, x, states)
        yield Step(
            actual, changes(twin, lambda x=x: plainly(plain, lambda: kernel_loss(twin, x, case)))
        )


def _step_anew(
    method: Method, case: Case, x: Tensor, states: tuple[dict, dict]
) -> tuple[Readings, tuple[dict, dict]]:
    """Return by how much a step changes a model that was just made, and what to go on from."""
    model, _ = build()
    optimizer = Adam(model.parameters(), lr=0.01)
    attached = method.attach(model, case, "kernel")
    attached.step_with(optimizer)
    model.load_state_dict(states[0])
    optimizer.load_state_dict(states[1])
    actual = changes(model, lambda: plainly(optimizer, lambda: attached.loss(task(model(x)))))
    return actual, copy.deepcopy((model.state_dict(), optimizer.state_dict()))


def _computed(method: Method, case: Case) -> Must:
    return Must(be_exact=False, words=("is computed from other parameters",))


_SGD = made(SGD, lr=0.01)

IN_THE_LOSS = [
    Regime("kernels pruned", changed(pruned)),
    Regime("kernels pruned before", changed(nothing, before=pruned)),
    Regime("kernels pruned in rounds", changed(pruned_again, before=pruned)),
    Regime("kernels pruned, made permanent", changed(made_permanent)),
    Regime("kernels given a weight_norm hook", changed(normed_by_a_hook)),
    Regime("kernels given a weight_norm", changed(normed)),
    Regime("kernels computed by an unknown hook", changed(equalized)),
    Regime("kernels added", changed(grown)),
    Regime("kernels frozen", changed(frozen)),
    Regime("kernels thawed", changed(thawed, before=frozen)),
    Regime("outputs added", changed(grown, kind="activity")),
    Regime("a forward that does not count", paused),
]

IN_THE_STEP = [
    Regime("step, pruned", stepping(pruned, _SGD), in_step=True),
    Regime("step, pruned in rounds", stepping(pruned_again, _SGD), in_step=True),
    Regime("step, pruned, Adam", stepping(pruned, made(Adam, lr=0.01)), in_step=True),
    Regime("step, made permanent", stepping(made_permanent, _SGD), in_step=True),
    Regime("step, weight_norm hook", stepping(normed_by_a_hook, _SGD), _computed, in_step=True),
    Regime("step, weight_norm", stepping(normed, _SGD), _computed, in_step=True),
    Regime("step, kernels added", stepping(grown, _SGD, joins=True), in_step=True),
    Regime("step, kernels frozen", stepping(frozen, _SGD), in_step=True),
    Regime("step, two-step optimizer", two_steps, in_step=True),
    Regime(
        "step, launcher's wrapper",
        stepping(nothing, lambda model: Wrapper(SGD(model.parameters(), lr=0.01))),
        in_step=True,
    ),
    Regime("step, all made anew and restored", state_restored, in_step=True),
]

_ZEROS = {"takes": has_a_gradient_at_zero}
"""Formulas with a gradient at 0; only these have an oracle at pruned weights."""

REGIMES = [
    dataclasses.replace(regime, **_ZEROS) if re.search("prun|permanent", regime.name) else regime
    for regime in [*IN_THE_LOSS, *IN_THE_STEP]
]
