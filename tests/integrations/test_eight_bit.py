"""Optimizers with 8-bit states, bit for bit: of torchao and of bitsandbytes."""

import pytest
import torch

from integrations.stepping import ABSOLUTE, SQUARES, attached, kernels, network, run, task
from regularizers.errors import RegimeError

ao = pytest.importorskip("torchao.optim")
bnb = pytest.importorskip("bitsandbytes.optim")

WIDTH = 1024
"""So that the first kernel has the 4096 elements below which states keep their precision."""

KINDS = {
    "torchao AdamW8bit": lambda parameters: ao.AdamW8bit(parameters, lr=0.01),
    **{
        f"bitsandbytes {name}": lambda parameters, name=name, options=options: getattr(bnb, name)(
            parameters, lr=0.01, **options
        )
        for name, options in [
            ("AdamW8bit", {}),
            ("Adam8bit", {}),
            ("PagedAdamW8bit", {}),
            ("Lion8bit", {}),
            ("SGD8bit", {"momentum": 0.9}),
            ("RMSprop8bit", {}),
            ("AdEMAMix8bit", {}),
        ]
    },
}


@pytest.mark.filterwarnings("ignore")  # both warn of what they did not find
@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_ten_steps_equal_those_with_the_gradient_by_hand(make):
    """The gradient is added by hand: autograd sums its terms in another order, which rounds."""
    model, twin = (network(WIDTH, torch.float32) for _ in range(2))
    optimizer, plain = make(list(model.parameters())), make(list(twin.parameters()))
    reg = attached(model, optimizer)
    actual = run(model, optimizer, lambda step: task(model, step), after=reg.penalties)

    def add(*_: object) -> None:
        for w in kernels(twin):
            w.grad.add_(2 * SQUARES * w.detach()).add_(ABSOLUTE * w.detach().sign())

    plain.register_step_pre_hook(add)
    expected = run(twin, plain, lambda step: task(twin, step))
    assert torch.equal(actual, expected)
    held = plain.state[twin[0].weight]
    assert any(
        "8bit" in type(s).__name__ or s.dtype == torch.uint8
        for s in held.values()
        if isinstance(s, torch.Tensor)
    )


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", KINDS.values(), ids=KINDS)
def test_proximal_rules(make):
    model = network(WIDTH, torch.float32)
    optimizer = make(list(model.parameters()))
    full = rf"(torchao|bitsandbytes)\.optim\.\w+\.{type(optimizer).__name__}"
    with pytest.raises(RegimeError, match=f"got {full}; use one of these"):
        attached(model, optimizer, proximal=True)
