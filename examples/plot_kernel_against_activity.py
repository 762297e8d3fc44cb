"""
A penalty of the weights against one of the activations
=======================================================

L1 of the weights makes nearly all of them tiny and leaves four of five hidden units active; L1 of
the activations, at the same mean activation, leaves the weights alone, and for a given digit more
than half of the units are 0.

A *kernel* is a matrix of weights that multiplies. An *activation* is the output of a unit for one
sample. The same penalty does different things to the two, so it matters which of them is meant.
"""

# %%
# Data and network
# ----------------
# The 8 × 8 digits of scikit-learn, and one hidden layer of 100 units behind a ReLU.

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn

import regularizers as rz

torch.set_num_threads(1)
digits = load_digits()
order = torch.randperm(len(digits.data), generator=torch.Generator().manual_seed(0))
x = torch.tensor(digits.data, dtype=torch.float32)[order] / 16
y = torch.tensor(digits.target)[order]
x, x_test, y, y_test = x[:900], x[900:], y[:900], y[900:]

# %%
# One loop for all rules
# ----------------------


def train(rule):
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 10))
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    reg = rz.Regularization(model, [rule])
    for _ in range(300):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        (loss + reg.penalty()).backward()
        optimizer.step()
    reg.detach()
    return model


# %%
# Three networks
# --------------
# ``rz.kernel`` names a layer. Its penalty sums over the weights. ``rz.activity`` names the module
# whose output counts: ``"1"`` is the ReLU. Its penalty sums over units and averages over samples.
# The two strengths were chosen such that the mean activation is nearly the same.

rules = {
    "no penalty": rz.kernel(rz.L1(0.0), where="0"),
    "kernel": rz.kernel(rz.L1(1e-3), where="0"),
    "activity": rz.activity(rz.L1(3e-4), where="1"),
}
weights, active = {}, {}
print("            mean activation  mean |weight|  |weights| < 0.01  active units  accuracy")
for name, rule in rules.items():
    model = train(rule)
    with torch.no_grad():
        hidden = model[:2](x_test)
        accuracy = (model(x_test).argmax(1) == y_test).float().mean()
    weights[name] = model[0].weight.detach().abs().flatten()
    active[name] = (hidden > 0).float().sum(1)
    print(
        f"{name:10}  {hidden.mean():15.2f}  {weights[name].mean():13.3f}"
        f"  {(weights[name] < 1e-2).float().mean():16.0%}"
        f"  {active[name].mean():12.0f}  {accuracy:8.1%}"
    )

# %%
# What each of them changes
# -------------------------
# Activations are as small with the one as with the other. The kernel penalty gets there by small
# weights: small sums, as many units above 0 as before. The activity penalty gets there by zeros:
# many units silent for a given digit, with weights as large as without a penalty. Accuracy on
# held-out digits hardly differs, so it is no reason to prefer one of them here.

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for name, colour in (("no penalty", "0.6"), ("kernel", "C0"), ("activity", "C1")):
    left.plot(weights[name].sort().values, torch.linspace(0, 100, 6400), color=colour, lw=2)
    right.hist(active[name].numpy(), 50, range=(0, 100), color=colour, alpha=0.8)
left.set(xlabel="|weight|", ylabel="% of weights below", xlim=(0, 0.6))
share = (weights["kernel"] < 1e-2).float().mean()
left.set_title(f"Kernel penalty: {share:.0%} of weights < 0.01")
left.text(0.05, 88, "kernel", color="C0")
left.text(0.13, 52, "activity", color="C1", ha="right")
left.text(0.3, 60, "no penalty", color="0.5")
right.set(xlabel="active units of 100, for one digit", yticks=[])
right.set_title(f"Activity penalty: {active['activity'].mean():.0f} active units")
right.text(0.44, 0.6, "activity", color="C1", ha="center", transform=right.transAxes)
right.text(0.75, 0.6, "no penalty", color="0.5", ha="right", transform=right.transAxes)
right.text(0.92, 0.9, "kernel", color="C0", transform=right.transAxes, ha="center")
plt.show()

# %%
# See :doc:`/how-to/activities` and :doc:`/how-to/weight-decay`.
