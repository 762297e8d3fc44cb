"""
A classifier, regularized step by step
======================================

Trained on 300 digits, a classifier knows all of them and 94% of new ones; a penalty on its hidden
activations brings that to 95%, and can be told to leave 20 of 256 units active.

After this page you can add penalties to a network of yours without editing it, read what each one
contributes, state a target in place of a strength, and watch activations.
"""

# %%
# The data
# --------
# The digits of scikit-learn: 1797 pictures of 8 × 8 pixels. Only 300 are for training, because few
# samples are where regularization matters. 1000 others are held out. They choose nothing on this
# page but the strengths, which were tried in powers of about three.

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import regularizers as rz

digits = load_digits()
x = torch.tensor(digits.data / 16, dtype=torch.float32)
y = torch.tensor(digits.target)
train, held_out = train_test_split(
    torch.arange(len(x)), train_size=300, test_size=1000, stratify=y, random_state=0
)

# %%
# An ordinary network and an ordinary loop
# ----------------------------------------
# The network knows nothing of penalties. Its modules have names: ``"0"`` is the first linear layer,
# ``"1"`` and ``"3"`` are the ReLUs.


def network():
    return nn.Sequential(
        *(nn.Linear(64, 256), nn.ReLU()),
        *(nn.Linear(256, 256), nn.ReLU()),
        nn.Linear(256, 10),
    )


# %%
# A *rule* says which penalty applies where. A :class:`~regularizers.Regularization` reads the model
# by its rules. Two lines of the loop are new: the one that makes it, and ``reg.penalty()``, which
# is one more term of the loss.


def fit(rules, seed=0):
    """Train a network with these rules; return it and its Regularization."""
    torch.manual_seed(seed)
    model = network()
    reg = rz.Regularization(model, rules)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(600):
        batch = train[torch.randint(len(train), (64,))]
        loss = nn.functional.cross_entropy(model(x[batch]), y[batch]) + reg.penalty()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        if reg.targets():  # see below: a target counts the steps
            reg.step()
    return model, reg


def accuracy(model, samples):
    """Return the share of these samples that are classified correctly."""
    with torch.no_grad():
        return (model(x[samples]).argmax(dim=1) == y[samples]).float().mean().item()


# %%
# Two kinds of penalties
# ----------------------
# A *kernel* is a weight matrix. ``rz.kernel`` penalises all kernels of the model unless ``where``
# says which; the biases are left alone. An *activity* is what a module puts out. ``rz.activity``
# needs to know where: here at every module of type ``nn.ReLU``. The sum over the units is averaged
# over the samples of the batch. Each method is trained from three seeds.

methods = {
    "no penalty": [rz.kernel(rz.L2Squared(0.0))],
    "L2 of kernels": [rz.kernel(rz.L2Squared(1e-3))],
    "L1 of activations": [rz.activity(rz.L1(1e-2), where=nn.ReLU)],
}
accuracies = {}
for name, rules in methods.items():
    models = [fit(rules, seed)[0] for seed in range(3)]
    accuracies[name] = [accuracy(model, held_out) for model in models]
    print(
        f"{name:17}  training {accuracy(models[0], train):.1%}, held out "
        + ", ".join(f"{value:.1%}" for value in accuracies[name])
    )

# %%
# All of them know their training samples. On held-out ones the penalty on activations gains about a
# point, and L2 gains nothing on this network: which penalty helps is a question for held-out data.
#
# What each penalty contributes
# -----------------------------
# With several rules, :meth:`~regularizers.Regularization.report` says how large each penalty was at
# the last step, and which share of all it is. A penalty whose share is next to nothing has either
# done its work or is too weak to matter.

model, reg = fit([rz.kernel(rz.L2Squared(1e-4)), rz.activity(rz.L1(1e-2), where=nn.ReLU)])
print(reg.report())

# %%
# A target in place of a strength
# -------------------------------
# What does a strength of 1e-2 leave active? That depends on the loss, the data and the layer. If
# the number of active units is what is wanted, say that: a target stands where the strength stood,
# and the strength of each layer is found while training. The law that finds it changes the strength
# once a step, which is why ``reg.step()`` is called after ``optimizer.step()``.

model, reg = fit([rz.activity(rz.L1(rz.TargetActive(20)), where=nn.ReLU)])
print(reg.report())
print(f"held out {accuracy(model, held_out):.1%}")

# %%
# The strengths that were found are about a quarter of 1e-2, and so the gain in accuracy is smaller:
# a target holds the number of active units, not the accuracy.
#
# A monitor
# ---------
# A :class:`~regularizers.Monitor` measures activations and keeps sums only. Here it reads the
# held-out pictures, which no training has seen: the target is met there too, up to a unit or two.

plain, _ = fit(methods["no penalty"])
counts = {}
for name, watched in [("no penalty", plain), ("TargetActive(20)", model)]:
    with torch.no_grad():
        monitor = rz.Monitor(watched, where=nn.ReLU)
        watched(x[held_out])
    numbers = monitor.as_dict()
    counts[name] = [numbers[f"{site}/active_units"] for site in ("1", "3")]
    print(f"{name}\n{monitor.report()}\n")

# %%
# What changed
# ------------

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for row, values in enumerate(accuracies.values()):
    left.plot(values, [row] * len(values), "o", color="C0" if row == 2 else "0.6")
left.set_yticks(range(len(accuracies)), list(accuracies))
left.invert_yaxis()
left.set(xlabel="held-out accuracy, three seeds", ylim=(2.5, -0.5))
left.xaxis.set_major_formatter("{x:.1%}")
first, last = (sum(accuracies[name]) / 3 for name in ("no penalty", "L1 of activations"))
left.set_title(f"{first:.1%} of new digits become {last:.1%}", fontsize=11)
for shift, values in zip((-0.2, 0.2), counts.values(), strict=True):
    bars = right.bar([shift, 1 + shift], values, 0.38, color="0.6" if shift < 0 else "C0")
    right.bar_label(bars, fmt="%.0f", fontsize=10)
right.set(xticks=[0, 1], xticklabels=["first ReLU", "second ReLU"], ylim=(0, 256))
right.set(ylabel="active units of 256")
right.set_title("Without a penalty, and told 20", fontsize=11)
plt.show()

# %%
# Next: which penalty for which purpose is :doc:`/choosing`; more on targets is
# :doc:`/how-to/targets`, on monitors :doc:`/how-to/monitor`.
