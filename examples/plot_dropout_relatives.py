"""
Dropout and six relatives on the same pictures
==============================================

At a rate of 0.3 six of seven layers set parts of the same nine digits to 0: single pixels, the same
pixels of all pictures, squares, columns, whole pictures or grey levels; the seventh adds noise.

Dropout multiplies by 0 at random in training and scales up what is left, so that the mean stays.
Neighbouring pixels tell much the same: a dropped pixel is easily guessed from those beside it, a
dropped square is not.
"""

# %%
# The layers
# ----------
# Shapes are those of PyTorch: pictures (samples, channels, height, width); sequences (samples,
# time, units) with ``batch_first=True``. Here a digit's rows are read as eight steps of time. For
# the embedding each of the 17 grey levels is a word.

import matplotlib.pyplot as plt
import torch
from sklearn.datasets import load_digits
from torch import nn

import regularizers as rz

levels = torch.tensor(load_digits().images[:9]).long()  # 9 digits of 8 x 8, of levels 0 to 16
pictures = levels / 16
table = nn.Embedding.from_pretrained(torch.arange(17.0)[:, None] / 16)
ones = nn.Embedding.from_pretrained(torch.ones(17, 1))

rate = 0.3
relatives = {
    "Dropout: each pixel": nn.Dropout(rate),
    "SharedDropout: the same\nin all pictures": rz.layers.SharedDropout(rate, axes=0),
    "DropBlock2d: squares": rz.layers.DropBlock2d(rate, block_size=3),
    "LockedDropout: columns\n(units, at all times)": rz.layers.LockedDropout(
        rate, batch_first=True
    ),
    "DropPath: whole samples": rz.layers.DropPath(rate),
    "EmbeddingDropout:\nwords (grey levels)": rz.layers.EmbeddingDropout(table, rate),
    "GaussianDropout:\nnoise, no zeros": rz.layers.GaussianDropout(rate),
}

# %%
# What stays the same
# -------------------
# Each layer is called 2000 times on the nine pictures. The mean stays, but for DropBlock's: its
# squares lie within the picture, so that the middle, where the digits are, is dropped more often
# than the border. In evaluation every layer returns what it gets.

for name, layer in relatives.items():
    torch.manual_seed(0)
    given = levels if isinstance(layer, rz.layers.EmbeddingDropout) else pictures
    mean = torch.stack([layer(given) for _ in range(2000)]).mean() / pictures.mean()
    same = torch.equal(layer.eval()(given).reshape(9, 8, 8), pictures)
    layer.train()
    print(f"{name.split(':')[0]:16}  mean kept {mean:.3f}, unchanged in evaluation: {same}")

# %%
# The masks
# ---------
# The same seed gives the same mask, so a forward of ones shows it. What is dropped is drawn orange.


def tiles(nine):
    """Lay nine pictures out in three rows, with a gap between them."""
    framed = nn.functional.pad(nine, (1, 0, 1, 0), value=float("nan"))
    return framed.reshape(3, 3, 9, 9).permute(0, 2, 1, 3).reshape(27, 27)[1:, 1:].numpy()


figure, axes = plt.subplots(2, 4, figsize=(8, 4.6), layout="constrained")
grey, orange = plt.get_cmap("gray_r").copy(), plt.get_cmap("autumn")
axes[0, 0].imshow(tiles(pictures), cmap=grey, vmin=0, vmax=1.5)
axes[0, 0].set_title("nine digits", fontsize=10)
for axis, (name, layer) in zip(axes.flat[1:], relatives.items(), strict=True):
    torch.manual_seed(4)
    if isinstance(layer, rz.layers.EmbeddingDropout):
        y = layer(levels)
        torch.manual_seed(4)
        mask = rz.layers.EmbeddingDropout(ones, rate)(levels)
    else:
        y = layer(pictures)
        torch.manual_seed(4)
        mask = layer(torch.ones_like(pictures))
    axis.imshow(tiles(y.reshape(9, 8, 8)), cmap=grey, vmin=0, vmax=1.5)
    dropped = torch.where(mask.reshape(9, 8, 8) == 0, 0.5, float("nan"))
    axis.imshow(tiles(dropped), cmap=orange, vmin=0, vmax=1, alpha=0.8)
    axis.set_title(name, fontsize=10)
for axis in axes.flat:
    axis.set_axis_off()
plt.show()

# %%
# None is best for all networks: choose by what carries the same information twice in yours. See
# :doc:`/how-to/dropout`.
