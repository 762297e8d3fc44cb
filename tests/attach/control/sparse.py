"""Helpers of the tests of zeros: a network, its task, and rules with a share of zeros."""

import itertools

import torch
from torch import nn

import regularizers as rz

OPTIMIZERS = {
    "SGD": lambda p: torch.optim.SGD(p, lr=0.05),
    "momentum": lambda p: torch.optim.SGD(p, lr=0.01, momentum=0.9),
    "Adam": lambda p: torch.optim.Adam(p, lr=1e-2),
    "AdamW": lambda p: torch.optim.AdamW(p, lr=1e-2, weight_decay=0.0),
}


def network(*widths):
    torch.manual_seed(0)
    layers = [nn.Linear(a, b) for a, b in itertools.pairwise(widths)]
    return nn.Sequential(*layers).double()


def task(model, step, weakest=1.0):
    """Return a loss whose minimum needs all weights, those of the first output as the weakest."""
    generator = torch.Generator().manual_seed(step)
    x = torch.randn(64, model[0].in_features, dtype=torch.float64, generator=generator)
    teacher = torch.Generator().manual_seed(10_000)
    width = model[-1].out_features
    w = torch.randn(x.shape[1], width, dtype=torch.float64, generator=teacher)
    w = w * torch.linspace(weakest, 1.0, width, dtype=torch.float64)
    return (model(x) - x @ w).square().mean()


def attached(model, rules, optimizer="Adam"):
    reg = rz.Regularization(model, rules if isinstance(rules, list) else [rules])
    made = OPTIMIZERS[optimizer](model.parameters())
    reg.attach(made)
    return reg, made


def trained(model, optimizer, steps, first=0, reg=None, **of_task):
    """Train, and return the strengths after each step."""
    found = []
    for step in range(first, first + steps):
        optimizer.zero_grad()
        task(model, step, **of_task).backward()
        optimizer.step()
        found.append(None if reg is None else dict(reg.strengths))
    return found


def zeros(*weights):
    """Return the share of exact zeros among all elements."""
    return torch.cat([weight.detach().flatten() == 0 for weight in weights]).double().mean().item()


def rule(fraction=0.5, **options):
    return rz.kernel(rz.L1(rz.TargetZeros(fraction, **options)), proximal=True)
