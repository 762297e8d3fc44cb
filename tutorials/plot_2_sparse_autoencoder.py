"""
A sparse autoencoder, and what its units mean
=============================================

A hundred units learn strokes of digits; any new digit is a sum of about ten of them, which keeps
nearly nine tenths of its variance.

After this page you can train a sparse autoencoder by stating how many units are active, judge it on
held-out samples, and read a unit by its direction and by the samples that activate it most.
"""

# %%
# The data
# --------
# The inputs are pixels here, so that everything can be drawn. Activations of a network are treated
# in the same way: ``rz.sae.activations(model, where, data)`` gives them batch by batch.

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

import regularizers as rz

digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
labels = torch.tensor(digits.target)
train, test, _, test_labels = train_test_split(x, labels, test_size=0.2, random_state=0)

# %%
# Ten of a hundred units
# ----------------------
# The autoencoder writes a sample as x̂ = W f + b. The code f has a hundred numbers, of which few are
# not 0. Each column of W is the *direction* of one unit, and has norm 1. A unit is 0 below a
# threshold of its own, and passes what is above it (JumpReLU).

torch.manual_seed(0)
sae = rz.sae.SparseAutoencoder(features=64, units=100, active=10)
print(sae)

# %%
# How many units are active is held by a penalty whose strength is found in training. The norms and
# the thresholds are held by *constraints*, which project after each step. These are ordinary rules:

for rule in sae.rules():
    print(rule)

# %%
# Training
# --------
# The loop is an ordinary one. ``calibrate`` measures the scale of the data. ``Revival`` starts
# units anew that explain next to nothing. ``rz.sae.train(sae, data)`` is this loop in one call,
# with checkpoints and several devices.

steps = 1500
sae.calibrate(train)
optimizer = torch.optim.Adam(sae.parameters(), lr=3e-3, betas=(0.9, 0.99))
schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.01, total_iters=steps)
reg = sae.regularization()
reg.attach(optimizer)
revival = rz.sae.Revival(sae, optimizer, steps=steps)
active, anew = [], 0
for _ in range(steps):
    batch = train[torch.randint(len(train), (128,))]
    found = sae.losses(batch)
    optimizer.zero_grad()
    (found.loss + reg.penalty()).backward()
    torch.nn.utils.clip_grad_norm_(sae.parameters(), 1.0)
    optimizer.step()
    schedule.step()
    anew += revival.step(found.scaled, found.error, found.code)
    active.append((found.code != 0).sum(dim=1).float().mean().item())
print(f"{anew} units were started anew")
print(reg.report())

# %%
# Is it any good?
# ---------------
# On held-out digits: ``l0`` is the mean number of active units, ``explained_variance`` the share of
# the variance that is kept, ``dead`` the number of units that no sample activates.

evaluation = rz.sae.evaluate(sae, test)
print(evaluation)

# %%
# One digit as a sum
# ------------------
# The code of a digit says which directions it is made of. Left: a held-out digit and its
# reconstruction. Right: the directions of the strongest units of its code, red where they add ink
# and blue where they take some away.

with torch.no_grad():
    codes = sae.encode(test)
    reconstructed = sae(test)
directions = sae.decoder.weight.detach().T  # (units, pixels)
number = (codes != 0).sum(dim=1)
sample = (number == 10).nonzero()[0].item()
strongest = codes[sample].argsort(descending=True)[:6]
figure, axes = plt.subplots(1, 8, figsize=(8, 1.7), layout="constrained")
axes[0].imshow(test[sample].view(8, 8).numpy(), cmap="gray_r", vmin=0, vmax=1)
axes[0].set_title("digit", fontsize=11)
axes[1].imshow(reconstructed[sample].view(8, 8).numpy(), cmap="gray_r", vmin=0, vmax=1)
axes[1].set_title("its sum", fontsize=11)
for axis, unit in zip(axes[2:], strongest.tolist(), strict=True):
    axis.imshow(directions[unit].view(8, 8).numpy(), cmap="RdBu_r", vmin=-0.5, vmax=0.5)
    axis.set_title(f"{codes[sample, unit]:.1f} ×", fontsize=11)
for axis in axes:
    axis.set_axis_off()
figure.suptitle(f"A digit is a sum of {number[sample]} directions; the strongest six", fontsize=12)
plt.show()

# %%
# Reading units
# -------------
# A unit is read by two things: its direction, and the samples on which it is most active, which
# ``top_samples`` finds. If these have something in common, the unit has a meaning. The units here
# are the eight that are active most.

used = (codes != 0).float().mean(dim=0).argsort(descending=True)[:8]
top = rz.sae.top_samples(sae, test, units=used, count=3)
figure, axes = plt.subplots(4, 8, figsize=(8, 4.4), layout="constrained")
for column, unit in enumerate(used.tolist()):
    axes[0, column].imshow(directions[unit].view(8, 8).numpy(), cmap="RdBu_r", vmin=-0.5, vmax=0.5)
    axes[0, column].set_title(f"unit {unit}", fontsize=10)
    for row, index in enumerate(top.indices[column].tolist(), start=1):
        axes[row, column].imshow(test[index].view(8, 8).numpy(), cmap="gray_r", vmin=0, vmax=1)
for axis in axes.flat:
    axis.set_axis_off()
figure.suptitle("Directions of eight units, and the digits that activate them most", fontsize=12)
plt.show()

# %%
# Does a unit mean a digit? For each, the share of its activation that falls on one class. A tenth
# would be chance. Most units are strokes that several digits share, not digits.

by_class = torch.stack([codes[test_labels == digit].sum(dim=0) for digit in range(10)])
share, digit = (by_class / by_class.sum(dim=0)).max(dim=0)
print(f"median over units: {share.median():.0%} of the activation on one digit")
for unit in share.argsort(descending=True)[:3].tolist():
    print(f"unit {unit}: {share[unit]:.0%} of its activation is on the digit {digit[unit]}")

# %%
# Next: :doc:`/how-to/sparse-codes` has other architectures, the activations of transformers, and
# files that SAELens opens.
