"""
A penalty of your own
=====================

Six lines make a penalty that leaves large activations alone; with the same ten active units as
L1 it explains more of held-out digits.

L1 pulls every activation to 0 with the same force, so that the ones a code needs are too small as
well. The penalty here has the slope of L1 at 0, and a slope that dies out for large values.
"""

# %%
# The formula and its slope
# -------------------------
# f(x) = a(1 − exp(−\|x\|/a)) is written once, with functions of ``xp``: that is NumPy, PyTorch or
# JAX, as the array is. The slope f′ is optional with PyTorch and JAX. One that is given is compared
# with differences of f at once.

import matplotlib.pyplot as plt
import numpy as np
import torch
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split
from torch import nn

import regularizers as rz


def exponential(xp, x, a=0.3):
    return a * (1 - xp.exp(-xp.abs(x) / a))


def slope(xp, x, a=0.3):
    return xp.sign(x) * xp.exp(-xp.abs(x) / a)


def own(strength):
    return rz.Elementwise(strength, exponential, slope=slope, name="Exponential")


# %%
# The check for tests
# -------------------
# ``check_penalty`` compares gradients with differences and autograd, and tries masks, reductions,
# half precision and empty arrays. It raises and says what is wrong; here nothing is.

rz.testing.check_penalty(own(0.1))

# %%
# At work: ten active units
# -------------------------
# The strength of each penalty is found in training, so that ten of a hundred units are active. The
# columns of the decoder have norm 1; otherwise a small code and a large decoder would evade the
# penalty. A fifth of the digits is held out.

pixels = torch.tensor(load_digits().data / 16, dtype=torch.float32)
train, test = train_test_split(pixels, test_size=0.2, random_state=0)
explained = {}
for penalty in [rz.L1(rz.TargetActive(10)), own(rz.TargetActive(10))]:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(64, 100), nn.ReLU(), nn.Linear(100, 64))
    rules = [rz.activity(penalty, where="1"), rz.constraint(rz.UnitNorm(axis="input"), where="2")]
    reg = rz.Regularization(model, rules)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    schedule = torch.optim.lr_scheduler.LinearLR(optimizer, 1.0, 0.02, total_iters=1000)
    reg.attach(optimizer)
    for _ in range(1000):
        x = train[torch.randint(len(train), (128,))]
        loss = nn.functional.mse_loss(model(x), x) + reg.penalty()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
    with torch.no_grad():
        code = model[:2](test)
        errors = (model(test) - test).square().sum() / (test - test.mean(dim=0)).square().sum()
    explained[penalty.label] = 1 - errors.item()
    print(
        f"{penalty.label:12}  active {(code > 0).sum(dim=1).float().mean():.1f}, "
        f"their mean {code[code > 0].mean():.2f}, explained variance {1 - errors:.1%}"
    )

# %%
# The curve and its slope
# -----------------------

x = np.linspace(-1.5, 1.5, 301)
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for penalty, colour in [(rz.L1(1.0), "0.6"), (rz.Huber(1.0, 0.5), "C1"), (own(1.0), "C0")]:
    values = [float(penalty(np.array([number]))) for number in x]
    left.plot(x, values, color=colour)
    right.plot(x, penalty.gradient(x), color=colour)
left.text(0.9, 1.2, "L1", color="0.4", ha="right")
left.text(1.5, 0.75, "Huber", color="C1", ha="right")
left.text(1.5, 0.1, "Exponential", color="C0", ha="right")
right.text(1.5, 0.1, "Exponential", color="C0", ha="right")
left.set(xlabel="activation", ylabel="penalty")
left.set_title("Large activations cost no more", fontsize=11)
right.set(xlabel="activation", ylabel="slope")
shares = explained["Exponential"], explained["L1"]
right.set_title("Its code explains {:.0%}, that of L1 {:.0%}".format(*shares), fontsize=11)
plt.show()

# %%
# A penalty of the whole array, or one with a proximal step: :doc:`/extend/penalty`.
