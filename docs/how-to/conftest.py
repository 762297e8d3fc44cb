"""Lets the compiler of PyTorch warn of what it uses itself, on the page that compiles."""

from __future__ import annotations

from pathlib import Path

import pytest

from matrix.judge import OF_DYNAMO


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ignore what the compiler warns of by itself."""
    for item in items:
        if item.path == Path(__file__).parent / "compile.md":
            for message in OF_DYNAMO:
                item.add_marker(pytest.mark.filterwarnings(f"ignore:{message}"))
