"""
How sure is a prediction? Dropout that stays on
===============================================

A network that learned the digits 0 to 4 predicts 5 to 9 as well; with dropout left on, its
predictions of these spread twenty times as much as those of new pictures of 0 to 4.

A plain forward gives one prediction, for inputs like the training set and for any other. Dropout
that stays on makes each forward a random draw. Their mean is the prediction, and their spread says
how much it depends on what was dropped.
"""

# %%
# A curve
# -------
# The training points lie in two groups, with a gap between them.

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import train_test_split
from torch import nn
from torch.nn.functional import cross_entropy, mse_loss

import regularizers as rz


def network(inputs, outputs):
    return nn.Sequential(
        *(nn.Linear(inputs, 200), nn.ReLU(), nn.Dropout(0.2)),
        *(nn.Linear(200, 200), nn.ReLU(), nn.Dropout(0.2)),
        nn.Linear(200, outputs),
    )


def fit(model, x, y, loss_of, steps):
    optimizer = torch.optim.Adam(model.parameters(), lr=2e-3)
    for _ in range(steps):
        batch = torch.randint(len(x), (64,))
        loss = loss_of(model(x[batch]), y[batch])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()


torch.manual_seed(0)
points = torch.cat([torch.linspace(-2, -0.5, 30), torch.linspace(0.7, 2, 30)])[:, None]
heights = torch.sin(3 * points) + 0.1 * torch.randn_like(points)
curve = network(1, 1)
fit(curve, points, heights, mse_loss, steps=1200)

# %%
# :func:`~regularizers.layers.monte_carlo_dropout` turns on the dropouts and nothing else: batch
# normalization stays in evaluation, and each module gets its mode back at the end.

line = torch.linspace(-3.5, 3.5, 141)[:, None]
with rz.layers.monte_carlo_dropout(curve), torch.no_grad():
    draws = torch.stack([curve(line) for _ in range(200)])
mean, spread = draws.mean(dim=0)[:, 0], draws.std(dim=0)[:, 0]
size = line[:, 0].abs()
gap = (line[:, 0] > -0.3) & (line[:, 0] < 0.5)
print(f"spread: gap {spread[gap].mean():.2f}, ", end="")
print(f"at the points {spread[(size > 0.7) & (size < 2)].mean():.2f}, ", end="")
print(f"beyond them {spread[size > 3].mean():.2f}")

# %%
# Digits that were never seen
# ---------------------------
# Two thirds of the pictures of 0 to 4 are for training. The spread of a picture is the standard
# deviation of the predicted probabilities, summed over the five classes.

digits = load_digits()
x, y = torch.tensor(digits.data / 16, dtype=torch.float32), torch.tensor(digits.target)
far = x[y >= 5]
seen, near, labels, _ = train_test_split(x[y < 5], y[y < 5], test_size=1 / 3, random_state=0)
torch.manual_seed(0)
classifier = network(64, 5)
fit(classifier, seen, labels, cross_entropy, steps=500)

both = torch.cat([near, far])
with rz.layers.monte_carlo_dropout(classifier), torch.no_grad():
    draws = torch.stack([classifier(both).softmax(dim=1) for _ in range(100)])
spreads = draws.std(dim=0).sum(dim=1)
near_spread, far_spread = spreads[: len(near)], spreads[len(near) :]
print(f"mean spread: 0 to 4 {near_spread.mean():.3f}, 5 to 9 {far_spread.mean():.3f}")

# %%
# Is it worth a hundred forwards? For this question a single one does as well. The area under the
# ROC curve is 1 where a number tells known from unknown digits without a mistake, and ½ for chance.

with torch.no_grad():
    single = classifier.eval()(both).softmax(dim=1)
entropy = torch.distributions.Categorical(single).entropy()
unknown = torch.arange(len(both)) >= len(near)
print(f"area under ROC: spread {roc_auc_score(unknown, spreads):.3f}, ", end="")
print(f"entropy of one forward {roc_auc_score(unknown, entropy):.3f}")

# %%
# The spread grows far from the data
# ----------------------------------
# Beyond the training points the band widens. In the gap it hardly does: a small spread is no
# promise that the prediction is right.

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
left.fill_between(line[:, 0], mean - 2 * spread, mean + 2 * spread, color="C0", alpha=0.3, lw=0)
left.plot(line[:, 0], mean, color="C0")
left.plot(points, heights, ".", color="C1")
left.text(-2, -1.3, "training points", color="C1")
left.set(xlabel="x", ylabel="prediction ± 2 spreads")
left.set_title("A curve: wide beyond the points", fontsize=11)
bins = torch.linspace(0, 0.9, 31)
for values, colour in [(near_spread, "0.6"), (far_spread, "C0")]:
    right.hist(values, bins=bins, density=True, color=colour, alpha=0.8)
right.text(0.1, 10, "new pictures of 0 to 4", color="0.4")
right.text(0.4, 3, "5 to 9, never seen", color="C0")
right.set(xlabel="spread of the prediction", ylabel="density")
right.set_title(
    f"Digits: {near_spread.mean():.3f} if known, {far_spread.mean():.3f} if not", fontsize=11
)
plt.show()

# %%
# More on dropouts: :doc:`/how-to/dropout`.
