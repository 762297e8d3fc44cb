"""Folders of stored activations: their rows, and one of their sites."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from regularizers.errors import DataError
from regularizers.recipes.data import is_folder_of_pictures
from regularizers.sae import StoredActivations

MOST = 20_000
"""Rows of a folder that are held out at most, and read at once."""


def is_store(path: Path) -> bool:
    """Return whether a path is a folder of activations, and not one of pictures."""
    return path.is_dir() and not is_folder_of_pictures(path)


def stored_rows(folder: Path, site: str | None, features: int) -> Tensor:
    """Return all rows of a folder of activations, (rows, features).

    Args:
        folder: the folder.
        site: the site that a network was trained on, where there were several.
        features: how many numbers a row has.

    Raises:
        DataError: the folder is none of activations, or of other ones.
    """
    stored = StoredActivations(folder, batch_size=MOST, shuffle=False)
    site = site_of(stored, site if len(stored.sites) > 1 else None)
    rows = torch.cat([rows_of(batch, site) for batch in stored]).float()
    if rows.shape[1] != features:
        raise DataError(
            f"{folder}: expected rows of {features} numbers, as in the training, got "
            f"{rows.shape[1]}"
        )
    return rows


def site_of(stored: StoredActivations, site: str | None) -> str | None:
    """Return which site to choose from each batch; None where a batch is of one."""
    sites = stored.sites
    if site not in (None, *sites) or (site is None and len(sites) > 1):
        raise DataError(f"site: expected one of {', '.join(sites)}, got {site}")
    return site if len(sites) > 1 else None


def rows_of(batch: Any, site: str | None) -> Tensor:
    """Return the rows of a batch, of one site if it has several."""
    rows: Tensor = batch if site is None else batch[site]
    return rows


class OneSite:
    """The batches of one site of a folder that has several."""

    def __init__(self, stored: StoredActivations, site: str) -> None:
        self._stored, self._site = stored, site

    def __len__(self) -> int:
        return len(self._stored)

    def __iter__(self) -> Iterator[Tensor]:
        for batch in self._stored:
            yield rows_of(batch, self._site)

    def set_epoch(self, epoch: int) -> None:
        """Choose the order of a pass."""
        self._stored.set_epoch(epoch)

    def state_dict(self) -> dict[str, Any]:
        """Return the position."""
        return self._stored.state_dict()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from a position."""
        self._stored.load_state_dict(state)
