"""The picture of the README: an autoencoder trained with and without one rule, on MNIST.

Trains a network of 100 hidden units twice for 60 epochs, writes docs/pictures/mnist.png and prints
the numbers in it. Run by `make front MNIST=FILE`; it takes about half a minute on one core.
"""

from __future__ import annotations

import sys
from pathlib import Path

import matplotlib as mpl
import torch
from benchmarks.front.fit import Fitted, fit
from matplotlib.figure import Figure, SubFigure
from torch import Tensor

import regularizers as rz
from regularizers.recipes.data import load_samples

PICTURE = Path("docs/pictures/mnist.png")
SIDE = 28
CHOSEN = [0, 1, 4, 8, 17, 18]
"""Unseen digits that are drawn."""


def main(path: Path) -> None:
    """Train both networks, print what they measure and draw the picture."""
    x = torch.from_numpy(load_samples(path).x).float() / 255
    train, test = x[:9000], x[9000:]
    plain = fit(train, test, [])
    rules = [
        rz.activity(rz.L1(rz.TargetActive(10)), where="1"),
        rz.constraint(rz.UnitNorm(axis="input"), where="2"),
    ]
    sparse = fit(train, test, rules)
    for fitted in (plain, sparse):
        print(f"{fitted.active:.1f} active, {fitted.explained:.1%} explained, {fitted.dead} dead")
    _draw(plain, sparse, test)


def _draw(plain: Fitted, sparse: Fitted, test: Tensor) -> None:
    mpl.rcParams["font.size"] = 13
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    halves = figure.subfigures(1, 2, wspace=0.05)
    for half, fitted, title in (
        (halves[0], plain, "Without a penalty"),
        (halves[1], sparse, "With two rules"),
    ):
        half.suptitle(
            f"{title}: {fitted.active:.0f} of 100 units active,\n"
            f"{fitted.explained:.0%} of the variance explained",
            fontsize=13,
        )
        parts = half.subfigures(3, 1, height_ratios=(1.15, 1.15, 3.3))
        _grid(parts[0], "digits not seen in training", test[CHOSEN], (1, 6), "gray_r")
        _grid(parts[1], "reconstructions", fitted.outputs[CHOSEN], (1, 6), "gray_r")
        _grid(parts[2], "what a unit adds and takes away", fitted.directions, (3, 6), "RdBu_r")
    figure.savefig(PICTURE, dpi=110)


def _grid(
    figure: SubFigure, title: str, pictures: Tensor, shape: tuple[int, int], colours: str
) -> None:
    figure.suptitle(title, fontsize=11, color="0.35")
    axes = figure.subplots(*shape).flatten()
    for axis, picture in zip(axes, pictures[: len(axes)], strict=True):
        high = 1.0 if colours == "gray_r" else float(picture.abs().max())
        low = 0.0 if colours == "gray_r" else -high
        axis.imshow(picture.reshape(SIDE, SIDE), cmap=colours, vmin=low, vmax=high)
        axis.set_axis_off()


if __name__ == "__main__":
    main(Path(sys.argv[1]))
