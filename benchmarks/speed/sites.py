"""The cost of one site on a tiny layer."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from benchmarks.speed.arrays import Case
from torch import nn

import regularizers as rz


def cases() -> Iterator[Case]:
    """Yield a forward, and a forward with its backward, of a tiny layer with and without a site."""
    for what in ("forward", "forward and backward"):
        yield Case(
            f"a tiny layer, {what}",
            "without",
            {
                kind: _step(kind, backward=what != "forward")
                for kind in ("without", "an empty hook", "by hand", "ours")
            },
        )


def _step(kind: str, *, backward: bool) -> object:
    x = torch.randn(8, 16)
    model = nn.Sequential(nn.Linear(16, 16))
    recorded: list[torch.Tensor] = []
    reg = None
    match kind:
        case "an empty hook":
            model[0].register_forward_hook(lambda *_: None)
        case "by hand":
            model[0].register_forward_hook(lambda *args: recorded.append(args[2].abs().sum()))
        case "ours":
            reg = rz.Regularization(model, [rz.activity(rz.L1(1e-3), where="0")])

    def step() -> None:
        y = model(x)
        if backward:
            penalty = reg.penalty() if reg else 1e-3 * sum(recorded)
            (y.sum() + penalty).backward()
        elif reg:
            reg._delivery._ledger.clear()  # type: ignore[union-attr]
        recorded.clear()

    return step
