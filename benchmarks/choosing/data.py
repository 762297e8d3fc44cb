"""Three classifications in which samples are few: digits, MNIST's, and a wide table."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import torch
from sklearn.datasets import load_digits, make_classification
from sklearn.model_selection import train_test_split
from torch import Tensor

NAMES = ("digits", "MNIST-10k", "wide table")

_TRAINING = {"digits": 200, "MNIST-10k": 1000, "wide table": 300}
_VALIDATION = {"digits": 900, "MNIST-10k": 3000, "wide table": 1000}


@dataclass(frozen=True)
class Part:
    """Samples of shape (samples, features) and their classes."""

    x: Tensor
    y: Tensor


@dataclass(frozen=True)
class Data:
    """What a network trains on, and what it is measured by."""

    training: Part
    validation: Part
    classes: int

    def permuted(self, seed: int) -> Data:
        """Return the same with its features in another order: a second task."""
        features = self.training.x.shape[1]
        order = torch.randperm(features, generator=torch.Generator().manual_seed(seed))
        training, validation = [Part(p.x[:, order], p.y) for p in (self.training, self.validation)]
        return Data(training, validation, self.classes)

    def times(self, factor: float) -> Data:
        """Return the same with inputs that are larger by a factor."""
        training, validation = [Part(factor * p.x, p.y) for p in (self.training, self.validation)]
        return Data(training, validation, self.classes)


def data_of(name: str, mnist: Path | None, seed: int) -> Data:
    """Return the data of a seed, which draws the training samples; validation is always the same.

    Pictures are brought to [0, 1], the table's columns have mean 0 and deviation 1.
    """
    x, y = _read(name, mnist)
    rest, held_out = train_test_split(
        np.arange(len(y)), test_size=_VALIDATION[name], stratify=y, random_state=0
    )
    drawn, _ = train_test_split(
        rest, train_size=_TRAINING[name], stratify=y[rest], random_state=seed
    )
    if name == "wide table":
        x = (x - x[drawn].mean(axis=0)) / x[drawn].std(axis=0)
    training, validation = [
        Part(torch.tensor(x[rows], dtype=torch.float32), torch.tensor(y[rows]))
        for rows in (drawn, held_out)
    ]
    return Data(training, validation, int(y.max()) + 1)


@cache
def _read(name: str, mnist: Path | None) -> tuple[np.ndarray, np.ndarray]:
    if name == "digits":
        digits = load_digits()
        return digits.data / 16, digits.target
    if name == "wide table":
        # 2000 columns, of which 20 say something
        return make_classification(
            1400, 2000, n_informative=20, n_redundant=0, n_classes=4, class_sep=2.5, random_state=0
        )
    assert mnist is not None
    labels = mnist.with_name(mnist.name.replace("images-idx3", "labels-idx1"))
    pictures = np.frombuffer(gzip.decompress(mnist.read_bytes()), np.uint8, offset=16)
    y = np.frombuffer(gzip.decompress(labels.read_bytes()), np.uint8, offset=8)
    return pictures.reshape(len(y), -1) / 255, y.astype(np.int64)
