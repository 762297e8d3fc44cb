"""Lets the compiler of PyTorch warn of what it uses itself, on the pages that compile."""

from __future__ import annotations

from pathlib import Path

import pytest

from matrix.judge import OF_DYNAMO

PAGES = [Path(__file__).parent / name for name in ("compile.md", "mixed-precision.md")]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Ignore what the compiler warns of by itself."""
    for item in items:
        if item.path in PAGES:
            for message in OF_DYNAMO:
                item.add_marker(pytest.mark.filterwarnings(f"ignore:{message}"))
