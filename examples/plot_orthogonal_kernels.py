"""
Orthogonal kernels let a deep network learn
===========================================

Twenty tanh layers hardly learn, since their Jacobian shrinks every gradient by orders of magnitude;
a penalty that draws the kernels to orthogonal ones makes the same network learn in 300 steps.

The Jacobian of a network says how its output changes with its input. It is a product of all the
layers' kernels (weight matrices) and slopes. A matrix stretches some directions and shrinks others;
its singular values say by how much. An orthogonal one has singular values of 1 and keeps lengths.
"""

# %%
# A deep network
# --------------
# The data are the digits of scikit-learn; a fifth of the pictures is held out.

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import regularizers as rz

digits = load_digits()
x = torch.tensor(digits.data / 8 - 1, dtype=torch.float32)
y = torch.tensor(digits.target)
train, test = train_test_split(torch.arange(len(x)), test_size=0.2, random_state=0)


def deep_network():
    layers = []
    for _ in range(20):
        layers += [nn.Linear(64, 64), nn.Tanh()]
    return nn.Sequential(*layers, nn.Linear(64, 10))


# %%
# Three trainings
# ---------------
# :class:`regularizers.Orthogonal` is s·‖VVᵀ − I‖² of each kernel. With ``axis="output"`` the
# vectors in V are those that feed one output unit. The third training has no penalty and begins
# with orthogonal kernels.

accuracies, kernels, jacobians = {}, {}, {}
for name, strength in [("no penalty", 0.0), ("Orthogonal", 0.01), ("orthogonal start", 0.0)]:
    torch.manual_seed(0)
    model = deep_network()
    if name == "orthogonal start":
        for layer in model[::2]:
            nn.init.orthogonal_(layer.weight)
    reg = rz.Regularization(model, [rz.kernel(rz.Orthogonal(strength, axis="output"))])
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(300):
        batch = train[torch.randint(len(train), (64,))]
        loss = nn.functional.cross_entropy(model(x[batch]), y[batch]) + reg.penalty()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        accuracies[name] = (model(x[test]).argmax(dim=1) == y[test]).float().mean().item()
    kernels[name] = torch.stack([torch.linalg.svdvals(k.weight.detach()) for k in model[:-1:2]])
    jacobian = torch.autograd.functional.jacobian(model[:-1], x[test[0]])
    jacobians[name] = torch.linalg.svdvals(jacobian)
    print(
        f"{name:16}  held-out accuracy {accuracies[name]:.0%}  "
        f"singular values: kernels {kernels[name].min():.4f} to {kernels[name].max():.2f}, "
        f"Jacobian: median {jacobians[name].median():.0e}, largest {jacobians[name][0]:.1e}"
    )

# %%
# What changed
# ------------
# Left: the smallest to the largest singular value of each kernel. Right: those of the Jacobian of
# all twenty layers at one held-out picture.

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
layers = range(1, 21)
for name, colour in [("no penalty", "0.6"), ("Orthogonal", "C0")]:
    values = kernels[name]
    left.fill_between(layers, values[:, -1], values[:, 0], color=colour, alpha=0.3, lw=0)
    left.plot(layers, values.median(dim=1).values, color=colour)
left.text(20, 1.1, "Orthogonal", color="C0", ha="right")
left.text(20, 0.3, "no penalty", color="0.4", ha="right")
left.set(xlabel="layer", ylabel="singular values", xticks=[1, 5, 10, 15, 20])
medians = [kernels[name].median() for name in ("Orthogonal", "no penalty")]
left.set_title("Kernels: median {:.2f} instead of {:.2f}".format(*medians), fontsize=11)
colours = {"no penalty": "0.6", "Orthogonal": "C0", "orthogonal start": "C1"}
places = {"no penalty": (20, 1e-14), "Orthogonal": (25, 1e-1), "orthogonal start": (3, 1e-7)}
for name, colour in colours.items():
    right.semilogy(range(1, 65), jacobians[name], color=colour)
    right.text(*places[name], f"{name}: {accuracies[name]:.0%} correct", color=colour)
right.set(xlabel="number of the singular value", ylabel="singular value", ylim=(1e-18, 1e2))
right.set_title("All layers: the Jacobian no longer vanishes", fontsize=11)
plt.show()

# %%
# An orthogonal start is enough to learn. It is lost on the way: without the penalty the small
# singular values of the Jacobian fall again. The penalty works from any start, and lasts. More on
# penalties of kernels: :doc:`/how-to/weight-decay`.
