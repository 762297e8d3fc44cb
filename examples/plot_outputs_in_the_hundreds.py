"""
Outputs in the hundreds, and what saturates behind them
=======================================================

A penalty on a layer's outputs brings them from over 100 to about 1, and of the tanh behind it one
unit in eight is saturated instead of nearly all.

The weights of the layer are small, below 0.2 on average. Its outputs are not, because its inputs
are raw measurements. A tanh of 100 is 1 to the last digit and its slope is 0: the unit is
*saturated*. No gradient passes back through it, so the layer hardly learns. A penalty on the
weights would not see this. A penalty on the outputs, an *activity penalty*, does.
"""

# %%
# The data
# --------
# Thirty measurements of 569 tumours, benign or malignant. Areas reach 4254; smoothness is near 0.1.
# They are used as they come.

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import train_test_split
from torch import nn

import regularizers as rz

torch.set_num_threads(1)
table = load_breast_cancer()
features = torch.tensor(table.data, dtype=torch.float32)
labels = torch.tensor(table.target)

# %%
# One training
# ------------
# The model is plain PyTorch. The rule names the place: ``"0"`` is the first layer of the
# ``Sequential``. ``reduce="mean"`` averages the squares over units and samples.


def train(strength, scaled, seed):
    torch.manual_seed(seed)
    x, x_test, y, y_test = train_test_split(
        features, labels, test_size=0.4, random_state=seed, stratify=labels
    )
    if scaled:
        x, x_test = (x - x.mean(0)) / x.std(0), (x_test - x.mean(0)) / x.std(0)
    model = nn.Sequential(nn.Linear(30, 32), nn.Tanh(), nn.Linear(32, 2))
    rule = rz.activity(rz.L2Squared(strength), where="0", reduce="mean")
    reg = rz.Regularization(model, [rule])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, 800)
    for _ in range(800):
        loss = nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        (loss + reg.penalty()).backward()
        optimizer.step()
        schedule.step()
    reg.detach()
    with torch.no_grad():
        outputs = model[0](x_test)
        accuracy = (model(x_test).argmax(1) == y_test).float().mean().item()
    return outputs, model[0].weight.abs().mean().item(), accuracy


# %%
# Four splits of the data
# -----------------------
# ``Saturation.of_tanh()`` counts units at which less than a tenth of the greatest slope is left.
# All numbers are of held-out samples. The third row has no penalty; its inputs are standardized.

settings = {
    "no penalty": (0.0, False),
    "L2Squared(0.1)": (0.1, False),
    "scaled inputs": (0.0, True),
}
found, shares = {}, {}
print("                mean |weight|  mean |output|  saturated  accuracy")
for name, (strength, scaled) in settings.items():
    runs = [train(strength, scaled, seed) for seed in range(4)]
    found[name] = torch.cat([outputs for outputs, _, _ in runs])
    saturation = rz.monitor.Saturation.of_tanh()
    saturation.update(found[name].tanh())
    shares[name] = saturation.value()
    weight = sum(run[1] for run in runs) / 4
    accuracy = sum(run[2] for run in runs) / 4
    size = found[name].abs().mean()
    print(f"{name:14}  {weight:13.2f}  {size:13.1f}  {shares[name]:9.1%}  {accuracy:8.1%}")

# %%
# Before and after
# ----------------
# The penalty does its work on the outputs and on the saturation. The accuracy gains half a point,
# which is less than what two splits differ by. Where inputs can be scaled, scale them: that is
# worth more. The penalty is for outputs that grow inside a network, where nothing can be scaled
# beforehand.

before, after = found["no penalty"], found["L2Squared(0.1)"]
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
edges = torch.logspace(-3, 3, 41).numpy()
for outputs, colour in ((before, "C0"), (after, "C1")):
    left.hist(outputs.abs().flatten().numpy(), edges, color=colour, alpha=0.8)
    right.hist(outputs.tanh().flatten().numpy(), 41, range=(-1, 1), color=colour, alpha=0.8)
left.text(0.97, 0.9, "no\npenalty", color="C0", ha="right", va="top", transform=left.transAxes)
left.text(0.03, 0.9, "L2Squared\n(0.1)", color="C1", va="top", transform=left.transAxes)
left.set(xscale="log", xlabel="|output| of the layer", yticks=[])
left.set_title(f"Outputs: {before.abs().mean():.0f} → {after.abs().mean():.1f} on average")
right.set(xlabel="output of the tanh", xticks=[-1, 0, 1], yticks=[])
right.set_title(f"Saturated: {shares['no penalty']:.0%} → {shares['L2Squared(0.1)']:.0%}")
plt.show()

# %%
# See :doc:`/how-to/activities` and :doc:`/choosing`.
