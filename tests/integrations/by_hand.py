"""A loop of training written by hand in float64: what frameworks are compared with."""

from collections.abc import Callable

import torch
from torch import Tensor, nn

ACTIVE, SQUARES, RATE, MOMENTUM, BATCH, EPOCHS = 0.05, 0.02, 0.1, 0.9, 8, 3


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(4, 6), nn.Tanh(), nn.Linear(6, 1)).double()


def data() -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(64, 4, generator=generator, dtype=torch.float64)
    return x, x[:, :1].sin() + 0.5


def weights(model: nn.Module) -> Tensor:
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def trained(
    accumulated: int = 1, *, times: Callable[[int], float] = lambda step: 1.0, epochs: int = EPOCHS
) -> Tensor:
    """Return the weights after training with both penalties.

    Args:
        accumulated: over how many batches gradients are added up before a step.
        times: the factor of the penalties, by the number of steps before.
        epochs: how many.
    """
    model, (x, y) = network(), data()
    velocity = [torch.zeros_like(p) for p in model.parameters()]
    gradients = [torch.zeros_like(p) for p in model.parameters()]
    steps = 0
    for _ in range(epochs):
        for number, start in enumerate(range(0, len(x), BATCH), start=1):
            part, target = x[start : start + BATCH], y[start : start + BATCH]
            hidden = torch.tanh(model[0](part))
            loss = (model[2](hidden) - target).square().mean()
            squares = model[0].weight.square().sum() + model[2].weight.square().sum()
            penalty = ACTIVE * hidden.abs().sum() / len(part) + SQUARES * squares
            total = (loss + times(steps) * penalty) / accumulated
            new = torch.autograd.grad(total, list(model.parameters()))
            gradients = [g + n for g, n in zip(gradients, new, strict=True)]
            if number % accumulated == 0:
                with torch.no_grad():
                    for p, v, g in zip(model.parameters(), velocity, gradients, strict=True):
                        p -= RATE * v.mul_(MOMENTUM).add_(g)
                gradients = [torch.zeros_like(g) for g in gradients]
                steps += 1
    return weights(model)
