"""Leaves out the pages whose frameworks are not in the development environment."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

import pytest

NEEDS = {
    "fastai.md": ["fastai"],
    "skorch.md": ["skorch"],
}
"""The distributions that the examples of a page need, beside those that `make test` installs."""


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Return True for a page that cannot run here; None lets others decide."""
    missing = not all(map(_is_installed, NEEDS.get(collection_path.name, [])))
    return True if missing else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Let frameworks warn of what they use themselves when they are imported."""
    for item in items:
        if item.path.name in NEEDS and item.path.parent == Path(__file__).parent:
            item.add_marker(pytest.mark.filterwarnings("ignore::DeprecationWarning"))


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
