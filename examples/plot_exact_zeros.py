"""
Exact zeros, and the smaller network
====================================

A proximal group lasso makes three of five hidden units exactly 0; without them the network has a
fifth of its parameters, and its outputs are the same.

The gradient of a penalty brings weights near 0 and leaves them to swing around it. A *proximal*
penalty is applied after the step of the optimizer and ends at 0 itself. A *group lasso* does so for
groups, here all weights and the bias that feed one unit: a unit without weights can be removed.
"""

# %%
# Data and network
# ----------------

import copy

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn
from torch.utils.benchmark import Timer

import regularizers as rz

torch.set_num_threads(1)
torch.manual_seed(0)
digits = load_digits()
order = torch.randperm(len(digits.data))
x = torch.tensor(digits.data, dtype=torch.float32)[order] / 16
y = torch.tensor(digits.target)[order]
x, x_test, y, y_test = x[:900], x[900:], y[:900], y[900:]


def train(model, reg=None):
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    if reg is not None:
        reg.attach(optimizer)
    for _ in range(400):
        batch = torch.randint(len(x), (128,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
        optimizer.step()


def accuracy(model):
    with torch.no_grad():
        return (model(x_test).argmax(1) == y_test).float().mean().item()


start = nn.Sequential(
    nn.Linear(64, 256), nn.ReLU(), nn.Linear(256, 256), nn.ReLU(), nn.Linear(256, 10)
)

# %%
# Plain training, and with the penalty
# ------------------------------------
# ``reg.attach(optimizer)`` is all: the loss stays as it is. ``rz.zeros`` counts what is exactly 0.

plain = copy.deepcopy(start)
train(plain)
sparse = copy.deepcopy(start)
lasso = rz.GroupLasso(0.005, axis="output", with_bias=True)
reg = rz.Regularization(sparse, [rz.kernel(lasso, where=["0", "2"], proximal=True)])
train(sparse, reg)
reg.detach()
print(rz.zeros(sparse))

# %%
# Fine-tuning
# -----------
# The penalty has shrunk the weights that it left. ``rz.prune_zeros`` keeps the zeros as masks, and
# some more training without the penalty gives the rest their size back.

shrunk = accuracy(sparse)
rz.prune_zeros(sparse)
train(sparse)

# %%
# The smaller network
# -------------------
# ``rz.compact`` removes the units and returns an ordinary model.

small = rz.compact(sparse)
with torch.no_grad():
    difference = (small(x_test) - sparse(x_test)).abs().max()
print(small)
print(f"largest difference of outputs: {difference:.0e}")

size = {m: sum(p.numel() for p in m.parameters()) for m in (plain, small)}
seconds = {
    m: Timer("m(x)", globals={"m": m.requires_grad_(False), "x": x_test}).timeit(200).median
    for m in (plain, small)
}
print(f"parameters: {size[plain]} → {size[small]}")
print(f"time of a forward: divided by {seconds[plain] / seconds[small]:.1f}")
print(f"accuracy: plain {accuracy(plain):.1%}, with the penalty {shrunk:.1%}", end="")
print(f", fine-tuned {accuracy(sparse):.1%}, compacted {accuracy(small):.1%}")

# %%
# The kernel between the hidden layers
# ------------------------------------
# What is exactly 0 is white. Right: what is left of the kernel after ``rz.compact``.

figure, axes = plt.subplots(1, 3, figsize=(8, 3.2), layout="constrained")
titles = [
    "plain",
    f"{rz.zeros(sparse)['2.weight']:.0%} exactly 0",
    f"{size[small] / size[plain]:.0%} of parameters",
]
for axis, model, title in zip(axes, (plain, sparse, small), titles, strict=True):
    weight = model[2].weight.detach().abs()
    axis.imshow(weight.where(weight > 0, torch.nan).numpy(), vmin=-0.05, vmax=0.15, cmap="Blues")
    axis.set(xlim=(-1, 256), ylim=(256, -1), title=title, xticks=[], yticks=[])
    axis.set_xlabel(f"{len(weight)} × {len(weight[0])}")
plt.show()

# %%
# See :doc:`/how-to/exact-zeros` and :doc:`/how-to/remove-units`.
