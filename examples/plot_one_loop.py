"""
Mixed precision, accumulation, checkpoints and compile in one loop
==================================================================

One loop, eight ways to run it: the penalty's gradient agrees with float64 up to rounding in all of
them, where a hook written by hand is silently lost in one and raises in three.

A checkpoint saves memory: it forgets the activations of a block and computes them again in the
backward pass. Code that collects activations by itself meets these twice, or without a gradient.
"""

# %%
# A model with a checkpoint
# -------------------------
# The penalised activation is the ReLU inside the block. PyTorch has two kinds of checkpoint; the
# older one (``use_reentrant=True``) runs the block without gradients first.

import copy

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.checkpoint import checkpoint

import regularizers as rz

torch.manual_seed(0)
digits = load_digits()
x = torch.tensor(digits.data[:64] / 16, dtype=torch.float32)
y = torch.tensor(digits.target[:64])


class Network(nn.Module):
    checkpoint = None  # or "reentrant", "non-reentrant"

    def __init__(self):
        super().__init__()
        self.first, self.last = nn.Linear(64, 100), nn.Linear(100, 10)
        self.block = nn.Sequential(nn.Linear(100, 100), nn.ReLU(), nn.Linear(100, 100))

    def forward(self, x):
        h = self.first(x).relu()
        if self.checkpoint is None:
            return self.last(self.block(h))
        reentrant = self.checkpoint == "reentrant"
        return self.last(checkpoint(self.block, h, use_reentrant=reentrant))


start = Network()

# %%
# The gradient by hand
# --------------------
# In float64: s·Σh², averaged over the samples, for the kernel of the first layer.

exact = copy.deepcopy(start).double()
h = exact.block[:2](exact.first(x.double()).relu())
by_hand = torch.autograd.grad(1e-3 * h.square().sum() / len(h), exact.first.weight)[0]

# %%
# One loop
# --------
# ``delivery="inject"`` lets the penalty's gradient enter where the activation is, and takes its
# scale from the loss. ``n`` micro-batches are accumulated: the loss is divided by ``n`` after
# ``scale_from``, since what is divided before it is not seen and the penalty would be ``n`` times
# too strong. The task's loss is multiplied by 0 here,
# so that the penalty's gradient is left alone; leave that out in yours. ``aot_eager`` is the
# compiler of PyTorch without its code generation, which would take minutes on this page.


def run(by_library, bfloat16=False, n=1, checkpoint=None, compiled=False):
    """Return the distance of the gradient from that by hand, or None if the hook's raised."""
    torch.compiler.reset()
    model = copy.deepcopy(start)
    model.checkpoint = checkpoint
    terms = []
    if by_library:
        rule = rz.activity(rz.L2Squared(1e-3), where="block.1")
        reg = rz.Regularization(model, [rule], delivery="inject")
    else:  # what one would write by hand
        model.block[1].register_forward_hook(
            lambda module, inputs, out: terms.append(1e-3 * out.square().sum() / len(out))
        )
    forward = torch.compile(model, backend="aot_eager") if compiled else model
    try:
        for images, labels in zip(x.chunk(n), y.chunk(n), strict=True):
            with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
                loss = 0 * nn.functional.cross_entropy(forward(images), labels)
            loss = reg.scale_from(loss) if by_library else loss + sum(terms)
            terms.clear()
            (loss / n).backward()
    except RuntimeError:
        if by_library:
            raise
        return None
    return ((model.first.weight.grad - by_hand).norm() / by_hand.norm()).item()


blocks = {"checkpoint": "non-reentrant", "n": 4}
ways = {
    "float32": {},
    "bfloat16 autocast": {"bfloat16": True},
    "4 micro-batches": {"n": 4},
    "compiled": {"compiled": True},
    "checkpoint, reentrant": {"checkpoint": "reentrant"},
    "checkpoint, 4 micro-batches": blocks,
    "the same, bfloat16": blocks | {"bfloat16": True},
    "the same, compiled": blocks | {"bfloat16": True, "compiled": True},
}
errors = {}
for name, way in ways.items():
    errors[name] = run(True, **way), run(False, **way)
    ours, hook = ("raises" if error is None else f"{error:.0e}" for error in errors[name])
    print(f"{name:28} regularizers {ours:7} hook {hook}")

# %%
# Errors
# ------
# Dotted: what rounding to float32 and to bfloat16 may change. The hook is right as long as there is
# no checkpoint.

figure, axis = plt.subplots(figsize=(8, 3.2), layout="constrained")
for row, (ours, hook) in enumerate(errors.values()):
    if hook is None:
        axis.text(1, row, "raises", color="C1", ha="center", va="center", weight="bold")
    else:
        axis.plot(hook, row, "x", color="C1", ms=9, mew=2)
    axis.plot(ours, row, "o", color="C0", ms=9, mfc="none", mew=2)
axis.text(1.5e-7 * 1.6, 0, "regularizers (o) and hook (x)", va="center")
axis.text(0.6, 4, "lost", color="C1", ha="right", va="center", weight="bold")
for name, rounding in [("float32", 6e-8), ("bfloat16", 4e-3)]:
    axis.axvline(rounding, color="0.6", ls=":")
    axis.text(rounding * 0.8, 2.5, name, color="0.4", ha="right", va="center")
axis.set(xscale="log", xlim=(4e-9, 5), xlabel="relative error of the penalty's gradient")
axis.set_yticks(range(len(errors)), list(errors))
axis.invert_yaxis()
axis.set_title("Rounding is the only error; a hook fails with checkpoints", fontsize=11)
plt.show()

# %%
# The whole loop
# --------------
# The lines of a training: half precision with a gradient scaler, accumulation, clipping, a
# checkpoint and a compiled model. The loss is divided after ``scale_from``, and clipped after
# ``unscale_``.

model = copy.deepcopy(start)
model.checkpoint = "non-reentrant"
optimizer = torch.optim.AdamW(model.parameters(), lr=1e-3)
rule = rz.activity(rz.L2Squared(1e-3), where="block.1")
reg = rz.Regularization(model, [rule], delivery="inject")
forward = torch.compile(model, backend="aot_eager")
scaler = torch.amp.GradScaler("cpu")
n = 4
for _ in range(40):
    optimizer.zero_grad()
    losses = []
    for images, labels in zip(x.chunk(n), y.chunk(n), strict=True):
        with torch.autocast("cpu", torch.float16):
            task = nn.functional.cross_entropy(forward(images), labels)
        losses.append(task.item())
        scaler.scale(reg.scale_from(task) / n).backward()
    scaler.unscale_(optimizer)
    nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    scaler.step(optimizer)
    scaler.update()
print(f"loss of the last step {sum(losses) / n:.3f}")

# %%
# More on each: :doc:`/how-to/mixed-precision`, :doc:`/how-to/checkpoints`, :doc:`/how-to/compile`.
