"""Regimes of a backward pass that is itself recorded (`create_graph=True`) or compiled.

What a penalty saved for its backward pass depends on what computed the output and on its size, so
each row is one producer, and each of its cells goes through every way to read an output.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor, nn
from torch._dynamo import compiled_autograd
from torch.nn.utils import parametrize

from matrix.judge import Readings, Regime, Step, gradients
from matrix.methods import Method
from matrix.network import PRODUCERS, Net, activity_loss, batch, build, kernel_loss, task
from matrix.penalties import Case
from matrix.thresholds import PATHS, sizes
from matrix.training import Steps

Differentiate = Callable[[Method, nn.Module, Tensor], Readings]


SAVING = {name: path for name, path in PATHS.items() if "slope" not in name}
"""The ways that differ in what is saved; a compiled backward reads it in one way."""


def with_graph(method: Method, model: nn.Module, loss: Tensor) -> Readings:
    """Return the first-order gradients, recorded for another derivative."""
    names, parameters = zip(*model.named_parameters(), strict=True)
    found = torch.autograd.grad(loss, parameters, create_graph=True)
    return dict(zip(names, found, strict=True)) | method.value_of(loss)


def by_compiled_autograd(method: Method, model: nn.Module, loss: Tensor) -> Readings:
    """Return the gradients of a backward pass that runs as a compiled program."""
    with compiled_autograd._enable(torch.compile(backend="aot_eager")):
        loss.backward()
    return gradients(model) | method.value_of(loss)


def through_every_path(
    differentiate: Differentiate,
    *,
    paths: Mapping[str, Mapping[str, int]] = PATHS,
    site: str = "linear",
    kind: str = "activity",
    prepare: Callable[[Net], object] = lambda net: None,
    around: Callable[[], AbstractContextManager] = nullcontext,
) -> Steps:
    """Return a loop that trains one step with each way to read an output."""
    by_hand = activity_loss if kind == "activity" else kernel_loss

    def steps(method: Method, case: Case) -> Iterator[Step]:
        for n, path in enumerate(paths.values()):
            model, twin = build(site=site)
            prepare(model)
            prepare(twin)
            attached = method.attach(model, case, kind)
            x = batch(n)
            with sizes(**path):
                attached.begin()
                with around():
                    loss = attached.loss(task(model(x)))
                actual = differentiate(method, model, loss)
            expected = by_hand(twin, x, case)
            yield Step(actual, with_graph(method, twin, expected))
            attached.detach()

    return steps


def has_a_gradient_at_zero(case: Case) -> bool:
    """Return whether the plain formula has one: a root has none, and a ReLU puts out zeros."""
    zero = torch.zeros(2, 2, dtype=torch.float64).index_fill(1, torch.tensor([0]), 1.0)
    (slope,) = torch.autograd.grad(case.formula(zero.requires_grad_()), zero)
    return bool(slope.isfinite().all())


def everything(case: Case) -> bool:
    return True


def is_ours(method: Method) -> bool:
    return method.ours


def rectified(net: Net) -> None:
    """Let every kernel of a block be the positive part of a parameter."""
    for block in net.blocks:
        parametrize.register_parametrization(block.linear, "weight", nn.ReLU())


def _takes(site: str) -> Callable[[Case], bool]:
    return has_a_gradient_at_zero if site == "relu" else everything


REGIMES = [
    *[
        Regime(
            f"create_graph=True after {site}",
            through_every_path(with_graph, site=site),
            takes=_takes(site),
        )
        for site in PRODUCERS
    ],
    *[
        Regime(
            f"compiled autograd after {site}",
            through_every_path(by_compiled_autograd, paths=SAVING, site=site),
            takes=_takes(site),
            compiles=True,
            briefly=True,
            applies=is_ours,
        )
        for site in PRODUCERS
    ],
    Regime(
        "kernels of a parametrization, create_graph=True",
        through_every_path(with_graph, kind="kernel", prepare=rectified),
        takes=has_a_gradient_at_zero,
    ),
    Regime(
        "kernels of a parametrization, compiled autograd",
        through_every_path(by_compiled_autograd, paths=SAVING, kind="kernel", prepare=rectified),
        takes=has_a_gradient_at_zero,
        compiles=True,
        briefly=True,
        applies=is_ours,
    ),
]
