"""
Strengths that change, and a target that finds its own
======================================================

L1 that begins at full strength leaves one active unit; warmed up to the same strength it leaves
six; a target of ten active units finds the strength for ten.

A schedule stands where the number stood: ``rz.L1(schedule)``. So does a target.
"""

# %%
# Four strengths
# --------------
# Steps are those of the optimizer. A warm-up begins without a penalty, so that units first learn
# to be of use. The piecewise one warms up, holds, and lets go again. The cosine begins at full
# strength.

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn

import regularizers as rz

pixels = torch.tensor(load_digits().data / 16, dtype=torch.float32)
strengths = {
    "LinearWarmup": rz.LinearWarmup(0.02, steps=300),
    "Piecewise": rz.Piecewise(
        {0: 0, 100: 0, 300: 0.02, 600: 0.02, 900: 0.002}, interpolate="linear"
    ),
    "Cosine": rz.Cosine(0.02, 0.002, steps=900),
    "TargetActive(10)": rz.TargetActive(10),
}

# %%
# Training
# --------
# After ``reg.attach(optimizer)`` each step of the optimizer is a step of the schedules.
# ``reg.as_dict()`` has the numbers for any logger; a strength is named by its site, the kind of the
# rule and the penalty.

steps = 1000
used, active = {}, {}
for name, strength in strengths.items():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 64))
    reg = rz.Regularization(model, [rz.activity(rz.L1(strength), where="1")])
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    reg.attach(optimizer)
    used[name], active[name] = [], []
    for step in range(steps):
        x = pixels[torch.randint(len(pixels), (128,))]
        loss = nn.functional.mse_loss(model(x), x) + reg.penalty()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 9:
            used[name].append(reg.as_dict()["1/activity/L1/strength"])
            with torch.no_grad():
                active[name].append((model[:2](pixels) > 0).sum(dim=1).float().mean().item())
    print(f"{name:17} strength at the end {used[name][-1]:.4f}, active {active[name][-1]:.1f}")

# %%
# The strength and what it does
# -----------------------------
# At full strength from the first step nearly all units become 0 for every picture. Such units get
# no gradient, and a weaker penalty later does not bring them back.

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
at = range(10, steps + 1, 10)
colours = {"LinearWarmup": "C1", "Piecewise": "C2", "Cosine": "0.6", "TargetActive(10)": "C0"}
for name, colour in colours.items():
    left.plot(at, used[name], color=colour)
    right.plot(at, active[name], color=colour)
    right.text(steps + 20, active[name][-1], name, color=colour, va="center")
left.set(xlabel="step", ylabel="strength", xticks=[0, 500, 1000])
left.set_title("The strength", fontsize=11)
right.set(xlabel="step", ylabel="active units of 100", yscale="log", xlim=(0, 1800))
right.set(xticks=[0, 500, 1000], yticks=[1, 10, 100], yticklabels=["1", "10", "100"])
right.set_title(f"Told ten, {active['TargetActive(10)'][-1]:.1f} are active", fontsize=11)
plt.show()

# %%
# Schedules add, multiply and follow each other, and a target may follow a schedule:
# :doc:`/how-to/schedules`.
