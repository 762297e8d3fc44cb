"""
Group lasso on the channels of a convolution
============================================

As the strength of a group lasso rises, a convolutional network goes from 48 channels to 20, and
accuracy falls with them; fine-tuning brings most of it back.

One *group* is all weights that make one output channel, with its bias. A *group lasso* adds up the
norms of the groups, so that a channel is 0 as a whole or not at all. Applied as a *proximal* step
after the optimizer's own, it ends at exact zeros, and the channel can be removed.
"""

# %%
# Data and loop
# -------------
# The 8 × 8 digits of scikit-learn, 900 to learn from and 897 to be judged by.

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn

import regularizers as rz

torch.set_num_threads(1)
digits = load_digits()
order = torch.randperm(len(digits.images), generator=torch.Generator().manual_seed(0))
x = torch.tensor(digits.images, dtype=torch.float32)[order].unsqueeze(1) / 16
y = torch.tensor(digits.target)[order]
x, x_test, y, y_test = x[:900], x[900:], y[:900], y[900:]


def train(model, rules=()):
    optimizer = torch.optim.Adam(model.parameters(), lr=5e-3)
    if rules:
        rz.Regularization(model, rules).attach(optimizer)
    for _ in range(250):
        batch = torch.randint(len(x), (100,))
        optimizer.zero_grad()
        nn.functional.cross_entropy(model(x[batch]), y[batch]).backward()
        optimizer.step()
    with torch.no_grad():
        return (model(x_test).argmax(1) == y_test).float().mean().item()


# %%
# Five strengths
# --------------
# ``where=nn.Conv2d`` is every convolution. ``rz.compact`` returns the network without the channels
# that are 0, which is then trained some more without the penalty.

strengths = [0.0, 0.003, 0.01, 0.02, 0.03]
channels, penalised, tuned = [], [], []
print("strength  channels  parameters  accuracy  fine-tuned")
for strength in strengths:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 16, 3, padding=1),
        nn.ReLU(),
        nn.MaxPool2d(2),
        nn.Conv2d(16, 32, 3),
        nn.ReLU(),
        nn.Flatten(),
        nn.Linear(128, 10),
    )
    lasso = rz.GroupLasso(strength, axis="output", with_bias=True)
    penalised.append(train(model, [rz.kernel(lasso, where=nn.Conv2d, proximal=True)]))
    small = rz.compact(model)
    tuned.append(train(small))
    channels.append((small[0].out_channels, small[3].out_channels))
    parameters = sum(p.numel() for p in small.parameters())
    print(
        f"{strength:8.3f}  {channels[-1][0]:3} + {channels[-1][1]:2}  {parameters:10}"
        f"  {penalised[-1]:8.1%}  {tuned[-1]:10.1%}"
    )

# %%
# Channels, and accuracy beside them
# ----------------------------------
# Fewer channels are a smaller network, not a better one. What is lost at once is mostly shrinkage:
# the penalty makes the remaining channels small, too.

figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3.2), layout="constrained")
for layer, colour, name in ((0, "C0", "first layer"), (1, "C1", "second layer")):
    left.plot(strengths, [left_over[layer] for left_over in channels], "o-", color=colour)
    left.text(0.01, channels[2][layer] + 2, name, color=colour)
left.set(xlabel="strength", ylabel="channels left", ylim=(0, 35))
left.set_title(f"Channels: {sum(channels[0])} → {sum(channels[-1])}")
right.plot(strengths, [100 * share for share in penalised], "o--", color="0.6")
right.plot(strengths, [100 * share for share in tuned], "o-", color="C1")
right.text(0.012, 97, "fine-tuned", color="C1")
right.text(0.012, 91.5, "with the penalty", color="0.4", ha="center")
right.set(xlabel="strength", ylabel="% of unseen digits right", ylim=(89, 99))
right.set_title(f"Accuracy: {tuned[0]:.1%} → {tuned[-1]:.1%}")
plt.show()

# %%
# See :doc:`/how-to/groups` and :doc:`/how-to/remove-units`.
