"""Chooses the tests that run: few for `make quick`, and a sample of the cells that go one way."""

from collections.abc import Iterator
from pathlib import Path

import pytest

import quick
import sampled


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--all-cells", action="store_true", help="every cell, not a sample of those alike"
    )


def _is_asked_for(config: pytest.Config) -> bool:
    return config.option.markexpr == "quick"


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    left_out = _is_asked_for(config) and quick.is_left_out(collection_path)
    return True if left_out else None  # None lets others decide


@pytest.hookimpl(wrapper=True)
def pytest_collect_file() -> Iterator[None]:
    """Look for tests only: an example in a docstring here would be read for nothing."""
    found = yield
    return [collector for collector in found if type(collector) is pytest.Module]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item], config: pytest.Config) -> None:
    if _is_asked_for(config):
        for item in quick.chosen(items):
            item.add_marker("quick")
    elif not config.option.all_cells:
        left_out = {*sampled.left_out(items)}
        config.hook.pytest_deselected(items=list(left_out))
        items[:] = [item for item in items if item not in left_out]


@pytest.fixture(autouse=True)
def _stays_quick(request, monkeypatch):
    if _is_asked_for(request.config):
        quick.refuse_what_is_slow(monkeypatch)
