"""A training loop of Accelerate under rules, and the same training by hand in plain torch."""

from __future__ import annotations

import copy
import warnings
from typing import Any

import torch
from accelerate import Accelerator
from torch import Tensor, nn
from torch.utils.data import DataLoader, TensorDataset

import regularizers as rz

RATE = 0.5
STRENGTH = 0.05
RULES = [
    rz.activity(rz.L1(STRENGTH), where="1"),
    rz.kernel(rz.L2Squared(STRENGTH), where="2"),
]


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(6, 16), nn.Tanh(), nn.Linear(16, 3)).double()


def samples(count: int) -> tuple[Tensor, Tensor]:
    torch.manual_seed(1)
    return torch.randn(count, 6, dtype=torch.float64), torch.randint(3, (count,))


def trained(
    accelerator: Accelerator,
    model: nn.Module,
    data: tuple[Tensor, ...],
    *,
    attached: bool = True,
    rules: Any = RULES,
    epochs: int = 1,
    resume: str | None = None,
    momentum: float = 0.0,
    **options: Any,
) -> rz.Regularization:
    """Train a model on batches of two samples a process."""
    reg = rz.Regularization(model, rules, **options)
    optimizer: Any = torch.optim.SGD(model.parameters(), lr=RATE, momentum=momentum)
    loader = DataLoader(TensorDataset(*data), batch_size=2)
    launched, optimizer, loader = accelerator.prepare(model, optimizer, loader)
    if attached:
        reg.attach(optimizer)
    accelerator.register_for_checkpointing(reg)
    if resume is not None:
        accelerator.load_state(resume)
    for _ in range(epochs):
        for x, y in loader:
            with accelerator.accumulate(launched):
                loss = nn.functional.cross_entropy(launched(x), y) + reg.penalty()
                accelerator.backward(loss)
                optimizer.step()
                optimizer.zero_grad()
    return reg


def by_hand(
    before: nn.Module,
    windows: list[tuple[Tensor, Tensor]],
    divided: list[float],
    *,
    attached: bool = True,
) -> nn.Module:
    """Return a copy trained on whole windows, whose losses count as much as `divided` says.

    The squares of weights are a part of the loss, or of the step.
    """
    model = copy.deepcopy(before)
    for (x, y), part in zip(windows, divided, strict=True):
        hidden = torch.tanh(x @ model[0].weight.T + model[0].bias)
        loss = nn.functional.cross_entropy(hidden @ model[2].weight.T + model[2].bias, y)
        loss = part * (loss + STRENGTH * hidden.abs().sum() / len(x))
        decay = STRENGTH * model[2].weight.square().sum() * (1 if attached else part)
        gradients = torch.autograd.grad(loss + decay, list(model.parameters()))
        with torch.no_grad():
            for parameter, gradient in zip(model.parameters(), gradients, strict=True):
                parameter -= RATE * gradient
    return model


def gap(model: nn.Module, expected: nn.Module) -> float:
    pairs = zip(model.parameters(), expected.parameters(), strict=True)
    return max((a - b).abs().max().item() for a, b in pairs)


def main() -> None:
    """Train in one of two processes, and compare with the joined batches."""
    warnings.simplefilter("error")
    for rules, attached in [(RULES, True), (RULES, False)]:
        accelerator = Accelerator(cpu=True, gradient_accumulation_steps=2)
        assert accelerator.num_processes == 2
        model, (x, y) = network(), samples(16)
        before = copy.deepcopy(model)
        trained(accelerator, model, (x, y), attached=attached, rules=rules, process_group="world")
        windows = list(zip(x.split(8), y.split(8), strict=True))
        assert gap(model, by_hand(before, windows, [1, 1])) < 1e-12
        accelerator.print("attached" if attached else "collected")
    accelerator.end_training()


if __name__ == "__main__":
    main()
