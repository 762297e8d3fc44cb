"""Classes: from the labels of samples to the names of the classes and an index for each."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import DataError
from regularizers.recipes.data._alike import alike
from regularizers.recipes.data._header import is_number
from regularizers.recipes.data._samples import Labelled, Samples


def labelled(
    samples: Samples, texts: Sequence[str], places: NDArray[np.integer], where: str
) -> Labelled:
    """Return samples with their classes, in the order of their numbers or of their texts.

    Args:
        samples: the samples.
        texts: the classes, each once.
        places: for each sample the place of its class in `texts`.
        where: what messages call the labels.

    Raises:
        DataError: there is one class, or a class of one sample.
    """
    counts = np.bincount(places, minlength=len(texts))
    if len(texts) == 1:
        raise DataError(
            f"{where}: expected two classes or more, got {_some(texts)} alone; "
            f"choose another target, or add samples of another class"
        )
    if counts.min() == 1:
        single = sorted(text for text, count in zip(texts, counts, strict=True) if count == 1)
        raise DataError(
            f"{where}: expected two samples or more of each class, one to train and one to "
            f"validate, got one of {_some(single)}; drop or merge such classes, and cut a target "
            f"that is an amount into classes first"
        )
    if same := alike(texts):
        note = f"{where}: classes that differ in writing alone: {same}"
        samples = dataclasses.replace(samples, notes=(*samples.notes, note))
    order = sorted(range(len(texts)), key=lambda i: texts[i])
    if all(map(is_number, texts)):
        order.sort(key=lambda i: float(texts[i]))
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    return Labelled(samples, rank[places], tuple(texts[i] for i in order))


def _some(names: Sequence[str]) -> str:
    few = ", ".join(repr(name) for name in names[:3])
    return few if len(names) <= 3 else f"{few} and {len(names) - 3} more"
