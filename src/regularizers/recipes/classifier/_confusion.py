"""Which classes are taken for which, and the accuracy that counts every class alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from torch import Tensor

Confusion = dict[str, dict[str, int]]
"""Samples by their class, then by the class they were taken for; without zeros."""


def confusion(y: Tensor, found: Tensor, classes: Sequence[str]) -> Confusion:
    """Return how many samples of each class were taken for each.

    Args:
        y: the classes of samples, as indices.
        found: the classes they were taken for.
        classes: the names.
    """
    from sklearn.metrics import confusion_matrix

    counts = confusion_matrix(y.numpy(), found.numpy(), labels=range(len(classes)))
    return {
        name: {classes[place]: int(row[place]) for place in np.flatnonzero(row).tolist()}
        for name, row in zip(classes, counts, strict=True)
    }


def balanced_accuracy(y: Tensor, found: Tensor) -> float:
    """Return the mean over the classes in `y` of the share of their samples that are right."""
    from sklearn.metrics import recall_score

    # balanced_accuracy_score is the same, but warns where a class is found and not in y
    present = np.unique(y.numpy())
    return float(recall_score(y.numpy(), found.numpy(), labels=present, average="macro"))


def confusion_csv(by_method: Mapping[str, Sequence[Confusion]]) -> str:
    """Return the confusion of all methods as CSV, summed over seeds.

    A row for each method and class, a column for each class that was found.
    """
    import pandas as pd

    classes = list(next(iter(by_method.values()))[0])
    rows = []
    for method, of_seeds in by_method.items():
        for name in classes:
            counts: Counter[str] = Counter()
            for seed in of_seeds:
                counts.update(seed[name])
            rows.append([method, name, *(counts[found] for found in classes)])
    return str(pd.DataFrame(rows, columns=["method", "class", *classes]).to_csv(index=False))
