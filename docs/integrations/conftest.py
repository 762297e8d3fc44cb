"""Leaves out the pages whose frameworks are not in the development environment."""

from __future__ import annotations

from importlib import metadata
from pathlib import Path

NEEDS = {
    "fastai.md": ["fastai"],
    "skorch.md": ["skorch"],
}
"""The distributions that the examples of a page need, beside those that `make test` installs."""


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Return True for a page that cannot run here; None lets others decide."""
    missing = not all(map(_is_installed, NEEDS.get(collection_path.name, [])))
    return True if missing else None


def _is_installed(name: str) -> bool:
    try:
        metadata.version(name)
    except metadata.PackageNotFoundError:
        return False
    return True
