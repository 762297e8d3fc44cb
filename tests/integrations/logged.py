"""A model of awkward names, and all the numbers about it that a logger can be given."""

import torch
from torch import nn

import regularizers as rz


def awkward() -> nn.Module:
    """Return a model whose names are as bad as PyTorch allows."""
    torch.manual_seed(0)
    model = nn.Sequential()
    names = ["a b[0]", "a b(0)", "λ", "x//y/", "plain"]
    for name, layer in zip(
        names, [nn.Linear(4, 4), nn.ReLU(), nn.Tanh(), nn.Linear(4, 4), nn.ReLU()], strict=True
    ):
        model.add_module(name, layer)
    return model


def numbers() -> dict[str, float]:
    """Return all kinds of numbers that there are, of awkward names."""
    model = awkward()
    rules = [
        rz.activity(rz.L1(1e-3) + rz.L2Squared(1e-3), where=[model[1], "λ", "plain"]),
        rz.activity(rz.L1(1e-3), where="plain"),
        rz.activity(rz.L1(rz.TargetActive(1)), where="plain"),
        rz.activity(rz.Elementwise(1e-3, element=lambda xp, x: x**2), where="λ"),
        rz.activity(rz.Elementwise(1e-3, element=lambda xp, x: x**2, name="x² (mine)"), where="λ"),
        rz.kernel(rz.L1(rz.LinearWarmup(1e-3, steps=10))),
        rz.constraint(rz.MaxNorm(2.0, axis="input")),
        *[rz.kernel(rz.L2Squared(1e-4)), rz.kernel(rz.L2Squared(1e-4))],
    ]
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    reg = rz.Regularization(model, rules)
    monitor = rz.Monitor(model, "**", pairs={"λ: before, after": (model[0], "plain")})
    reg.attach(optimizer)
    for _ in range(2):
        optimizer.zero_grad()
        (model(torch.rand(8, 4)).sum() + reg.penalty()).backward()
        optimizer.step()
    return reg.as_dict() | monitor.as_dict() | rz.zeros(model).as_dict()
