"""
Ten of a hundred units active
=============================

Told ``TargetActive(10)``, an autoencoder goes from 49 active units to 10 within 50 steps and stays
there, with a strength that nobody chose.

Which strength of L1 leaves ten units active depends on the data, the loss and the moment. A
*target* takes the place of the number. The target's law measures the active units in each step and
corrects the strength.
"""

# %%
# Data and targets
# ----------------
# The digits of scikit-learn. Two targets: 10 from the start, and one that comes down from 50 along
# a cosine and is 10 at step 400.

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn

import regularizers as rz

torch.set_num_threads(1)
digits = torch.tensor(load_digits().data, dtype=torch.float32) / 16
digits = digits[torch.randperm(len(digits), generator=torch.Generator().manual_seed(0))]
x, x_test = digits[:1200], digits[1200:]

falling = rz.Cosine(50, 10, steps=400)
targets = {"at once": rz.TargetActive(10), "falling": rz.TargetActive(falling)}

# %%
# Training
# --------
# After ``reg.attach(optimizer)`` each step of the optimizer adjusts the strength. The key
# ``"1/activity/L1"`` is the name of the site, its kind and the penalty.

key = "1/activity/L1"
counts, strengths = {}, {}
print("         strength found  active, unseen digits  error    silent units")
for name, target in targets.items():
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 64))
    reg = rz.Regularization(model, [rz.activity(rz.L1(target), where="1")])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2)
    reg.attach(optimizer)
    counts[name], strengths[name] = [], []
    for _ in range(800):
        batch = x[torch.randint(len(x), (128,))]
        loss = nn.functional.mse_loss(model(batch), batch)
        optimizer.zero_grad()
        (loss + reg.penalty()).backward()
        optimizer.step()
        counts[name].append(reg.targets()[key].measured)
        strengths[name].append(float(reg.strengths[key]))
    reg.detach()
    with torch.no_grad():
        code = model[:2](x_test)
        error = nn.functional.mse_loss(model(x_test), x_test)
    active = (code > 0).float().sum(1).mean()
    silent = (code == 0).all(0).sum()
    print(f"{name}  {strengths[name][-1]:14.4f}  {active:21.1f}  {error:.4f}  {silent:13}")

# %%
# The count follows, the strength is found
# ----------------------------------------
# Ten active units are not always the same ten. At once, most units are pushed to 0 for every digit
# and stay silent; a target that falls keeps more of them in use.

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
left.plot([falling.at(step) for step in range(800)], "--", color="0.6")
for name, colour in (("at once", "C0"), ("falling", "C1")):
    left.plot(counts[name], color=colour)
    right.plot(range(10, 800), strengths[name][10:], color=colour)
left.set(xlabel="step", ylabel="active units of 100", ylim=(0, 60))
left.set_title(f"Asked for 10: {sum(counts['falling'][-200:]) / 200:.1f} in the end")
left.text(255, 35, "falling target (dashed)", color="C1")
left.text(60, 3, "10 at once", color="C0")
right.set(xlabel="step", ylabel="strength of L1", yscale="log", ylim=(1e-5, 0.1))
right.text(20, 0.02, "at once", color="C0")
right.text(200, 1e-4, "falling", color="C1")
right.set_title(f"A strength near {strengths['falling'][-1]:.3f} was found")
plt.show()

# %%
# See :doc:`/how-to/targets` and :doc:`/concepts/targets`.
