"""
Learn a second task without losing the first
============================================

A network that learns a second task falls from 100% to 57% on the first; with a penalty on the
distance to its old weights it keeps 78%, and loses four points on the second.

The penalty is ½λ‖w − w⁰‖², where w⁰ are the weights that the first task left. Its name is L2-SP
(starting point). Ordinary L2 draws weights to 0, which is no help here.
"""

# %%
# Two tasks
# ---------
# Task A: scikit-learn's digits 0 to 4. Task B: the digits 5 to 9, with the same five outputs. A
# fifth of the pictures is held out; all accuracies below are of these.

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import regularizers as rz

torch.manual_seed(0)
digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
y = torch.tensor(digits.target)
train, test = train_test_split(torch.arange(len(x)), test_size=0.2, random_state=0)
train_a, train_b = train[y[train] < 5], train[y[train] >= 5]
test_a, test_b = test[y[test] < 5], test[y[test] >= 5]


def accuracy(model, pictures):
    """Return the share of these pictures that are classified correctly."""
    with torch.no_grad():
        return (model(x[pictures]).argmax(dim=1) == y[pictures] % 5).float().mean().item()


def learn(model, pictures, strength=0.0):
    """Train on one task, near the present weights; return the accuracies on task A on the way."""
    near = rz.L2Squared(strength / 2)
    rules = [rz.kernel(near, towards="initial"), rz.bias(near, towards="initial")]
    reg = rz.Regularization(model, rules)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    kept = []
    for step in range(400):
        batch = pictures[torch.randint(len(pictures), (64,))]
        loss = nn.functional.cross_entropy(model(x[batch]), y[batch] % 5) + reg.penalty()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if step % 10 == 0:
            kept.append(accuracy(model, test_a))
    return kept


# %%
# ``towards="initial"`` measures a penalty from the weights at the time the
# :class:`~regularizers.Regularization` is made. A kernel is a weight matrix; the biases have a rule
# of their own. λ = 0 is training without a penalty.
#
# Task A first
# ------------

model = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 5))
learn(model, train_a)
learned = {name: w.clone() for name, w in model.state_dict().items()}
before = accuracy(model, test_a)
print(f"accuracy on A after learning A: {before:.1%}")

# %%
# Then task B
# -----------
# Each strength begins again with the weights that task A left.

curves, ends = {}, {}
for strength in [0.0, 0.01, 0.03, 0.1, 0.3]:
    torch.manual_seed(1)
    model.load_state_dict(learned)
    curves[strength] = learn(model, train_b, strength)
    ends[strength] = accuracy(model, test_a), accuracy(model, test_b)
    print(f"λ = {strength:<4}  A {ends[strength][0]:.1%}  B {ends[strength][1]:.1%}")

# %%
# What is kept, and what it costs
# -------------------------------
# There is no free choice: a larger λ keeps more of A and learns less of B.

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for strength, colour in [(0.0, "0.6"), (0.03, "C0")]:
    left.plot(range(0, 400, 10), curves[strength], color=colour)
left.text(390, 0.53, "no penalty", color="0.4", ha="right")
left.text(390, 0.87, "L2-SP, λ = 0.03", color="C0", ha="right")
left.set(xlabel="step of training on B", ylabel="accuracy on A", ylim=(0.5, 1.03))
left.set_title(f"A after B: {ends[0.0][0]:.0%} without, {ends[0.03][0]:.0%} with", fontsize=11)
right.plot(*zip(*[(b, a) for a, b in ends.values()], strict=True), "o-", color="C0")
for strength, (a, b) in ends.items():
    right.annotate(f"λ = {strength:g}", (b - 0.03, a - 0.05), ha="right")
right.set(xlabel="accuracy on B", ylabel="accuracy on A", xlim=(0.45, 1.03), ylim=(0.5, 1.03))
right.set_title("More of A costs some of B", fontsize=11)
plt.show()

# %%
# Weighting each weight by how much it mattered to task A (elastic weight consolidation) keeps more
# at the same cost: see :doc:`/how-to/forgetting`.
