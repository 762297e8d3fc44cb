"""Which cells of the matrix pytest runs: a trimmed choice, or all with REGULARIZERS_MATRIX=full."""

import os

import pytest

from matrix.selection import cells


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "regime" in metafunc.fixturenames:
        chosen = list(cells(full=os.environ.get("REGULARIZERS_MATRIX") == "full"))
        ids = [f"{regime.name}-{method.name}-{case.name}" for regime, method, case in chosen]
        metafunc.parametrize(("regime", "method", "case"), chosen, ids=ids)
