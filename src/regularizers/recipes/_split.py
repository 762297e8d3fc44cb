"""Splits by group and by time, for samples that are not independent of one another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import ConfigurationError, DataError
from regularizers.recipes.data import Aside

Rows: TypeAlias = NDArray[np.int64]

_DRAWS = 50


def split_by_group(
    groups: Sequence[str], fraction: float, seed: int, y: NDArray[np.int64] | None = None
) -> tuple[Rows, Rows]:
    """Return training and validation rows, with all rows of a group in one of them.

    Of 50 random splits of scikit-learn's GroupShuffleSplit it is the one in which the validation
    part's share of each class is nearest to `fraction`.

    Args:
        groups: the group of each row.
        fraction: the share of the groups, and as nearly as can be of the rows, for validation.
        seed: the seed of the splits.
        y: the class of each row, if there are classes. Each is in the training part.

    Raises:
        ConfigurationError: there is one group, or a class whose rows are all in one group.
    """
    from sklearn.model_selection import GroupShuffleSplit

    names, of_rows = np.unique(np.asarray(groups), return_inverse=True)
    if len(names) < 2:
        raise ConfigurationError(
            f"group: expected two groups or more, one to train and one to validate, got "
            f"{str(names[0])!r} alone; name another column"
        )
    classes = np.zeros(len(of_rows), np.int64) if y is None else y
    counts = np.bincount(classes)
    held_out = min(max(round(fraction * len(names)), 1), len(names) - 1)
    splitter = GroupShuffleSplit(_DRAWS, test_size=held_out, random_state=seed)
    best, least = None, np.inf
    for training, validation in splitter.split(of_rows, groups=of_rows):
        shares = np.bincount(classes[validation], minlength=len(counts)) / counts
        off = float(np.abs(shares - fraction).max())
        if off < least and (shares < 1).all():
            best, least = (training, validation), off
    if best is None:
        raise ConfigurationError(
            f"group: expected every class in two of the {len(names)} groups or more, got a class "
            f"that a split leaves without training samples; name another column, choose another "
            f"--validation or --seed, or drop the class"
        )
    return best


def split_by_time(times: NDArray[Any], fraction: float) -> tuple[Rows, Rows]:
    """Return training and validation rows, the last of which validate.

    Rows of one time are not separated: those of the time at which the validation part begins all
    are in it.

    Args:
        times: numbers or dates, as of `moments`.
        fraction: the share of rows for validation.

    Raises:
        ConfigurationError: there is nothing before the time at which validation begins.
    """
    order = np.argsort(times, kind="stable")
    held_out = min(max(round(len(order) * fraction), 1), len(order) - 1)
    first = times[order[len(order) - held_out]]
    training, validation = order[times[order] < first], order[times[order] >= first]
    if not len(training):
        raise ConfigurationError(
            f"time: expected rows before the last {fraction:.0%}, got the same time, {first}, in "
            f"all of them; name another column, or choose another --validation"
        )
    return training, validation


def moments(column: Aside) -> NDArray[Any]:
    """Return the times in text: numbers, or dates as ISO 8601 writes them.

    Other dates are refused: whether 05/06/2024 is in May or in June is not in the file.

    Args:
        column: a time for each row.

    Raises:
        DataError: a cell is neither, or some are numbers and some are dates.
    """
    import pandas as pd

    texts = pd.Series(list(column.cells), dtype=str).str.strip()
    numbers = pd.to_numeric(texts, errors="coerce").to_numpy()
    if np.isfinite(numbers).all():
        return np.asarray(numbers)
    dates = pd.to_datetime(texts, format="ISO8601", utc=True, errors="coerce")
    lacking = np.flatnonzero(dates.isna() if dates.notna().any() else ~np.isfinite(numbers))
    if len(lacking):
        row = int(lacking[0])
        raise DataError(
            f"{column.row(row)}: expected a number or a date such as 2024-05-31 or "
            f"2024-05-31T12:00:00, got {column.cells[row]!r}; write all cells of the column so"
        )
    return np.asarray(dates.dt.tz_localize(None).to_numpy())
