"""Chooses the tests that `make quick` runs, by the mark that tests/quick.py gives."""

from pathlib import Path

import pytest

import quick


def _is_asked_for(config: pytest.Config) -> bool:
    return config.option.markexpr == "quick"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    left_out = _is_asked_for(config) and quick.is_left_out(collection_path)
    return True if left_out else None  # None lets others decide


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    if _is_asked_for(config):
        for item in quick.chosen(items):
            item.add_marker("quick")


@pytest.fixture(autouse=True)
def _stays_quick(request, monkeypatch):
    if _is_asked_for(request.config):
        quick.refuse_what_is_slow(monkeypatch)
