"""Ten steps of an optimizer with `reg.attach`, and of its twin with penalties written by hand."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor, nn

import regularizers as rz

SQUARES, ABSOLUTE = 2.0**-5, 2.0**-6
"""Strengths; as powers of 2 they multiply without rounding, which 8-bit states would magnify."""

STEPS = 10

Make = Callable[[Sequence[nn.Parameter]], Any]


def network(width: int = 6, dtype: torch.dtype = torch.float64, *, bias: bool = True) -> Any:
    torch.manual_seed(0)
    layers = nn.Linear(4, width, bias=bias), nn.Tanh(), nn.Linear(width, 3, bias=bias)
    return nn.Sequential(*layers).to(dtype)


def kernels(model: Any) -> list[nn.Parameter]:
    return [model[0].weight, model[2].weight]


def task(model: Any, step: int) -> Tensor:
    """Return a loss whose minimum is not at 0, of a batch for each step."""
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(8, 4, generator=generator, dtype=torch.float64)
    y = model(x.to(model[0].weight.dtype))
    return y.square().mean() + y[:, 0].mean()


def penalty(model: Any) -> Tensor:
    return sum(SQUARES * (w * w).sum() + ABSOLUTE * w.abs().sum() for w in kernels(model))


def attached(model: Any, optimizer: Any, **options: Any) -> rz.Regularization:
    rules = [rz.kernel(rz.L2Squared(SQUARES), **options), rz.kernel(rz.L1(ABSOLUTE), **options)]
    reg = rz.Regularization(model, rules)
    reg.attach(optimizer)
    return reg


def attached_steps(make: Make, way: str = "plain", **network_options: Any) -> Tensor:
    """Return all parameters after each step, the penalty attached."""
    model = network(**network_options)
    optimizer = make(list(model.parameters()))
    reg = attached(model, optimizer)
    steps = run(model, optimizer, lambda step: task(model, step), way, reg.penalties)
    weights = kernels(model)
    numbers = [SQUARES * (w * w).sum() for w in weights] + [
        ABSOLUTE * w.abs().sum() for w in weights
    ]
    torch.testing.assert_close(sum(reg.penalties().values()), sum(numbers).item())
    return steps


def by_hand(make: Make, way: str = "plain", *, times: float = 1.0, **options: Any) -> Tensor:
    """Return all parameters after each step, the penalty a term of the loss, written by hand."""
    model = network(**options)
    optimizer = make(list(model.parameters()))
    return run(model, optimizer, lambda step: task(model, step) + times * penalty(model), way)


def run(
    model: Any,
    optimizer: Any,
    loss: Callable[[int], Tensor],
    way: str = "plain",
    after: Callable[[], object] = lambda: None,
) -> Tensor:
    """Step `STEPS` times; `way` is how: plain, by a closure, or with gradients before a closure."""
    trajectory = []
    for step in range(STEPS):

        def closure(step: int = step) -> Tensor:
            optimizer.zero_grad()
            with torch.enable_grad():
                value = loss(step)
                value.backward()
            return value

        torch.manual_seed(step)
        if way in ("plain", "gradients, then closure"):
            closure()
        optimizer.step(*[closure] * (way != "plain"))
        after()
        trajectory.append(torch.cat([p.detach().double().flatten() for p in model.parameters()]))
    return torch.stack(trajectory)


def assert_exact(make: Make, way: str = "plain", tolerance: float = 1e-12, **options: Any) -> None:
    """Compare each of ten steps, and see that the penalty matters to them."""
    expected = by_hand(make, way, **options)
    without = by_hand(make, way, times=0.0, **options)
    assert (expected - without).abs().max() > 1e-4
    actual = attached_steps(make, way, **options)
    torch.testing.assert_close(actual, expected, rtol=tolerance, atol=tolerance)
