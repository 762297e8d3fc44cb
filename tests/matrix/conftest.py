"""Which cells of the matrix pytest runs: a trimmed choice, or all with REGULARIZERS_MATRIX=full."""

import os

import pytest

from matrix.selection import cells


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "regime" in metafunc.fixturenames:
        chosen = list(cells(full=os.environ.get("REGULARIZERS_MATRIX") == "full"))
        ids = [f"{regime.name}-{method.name}-{case.name}" for regime, method, case in chosen]
        metafunc.parametrize(("regime", "method", "case"), chosen, ids=ids)
    if "small_regime" in metafunc.fixturenames:
        chosen = [
            cell
            for cell in cells(full=os.environ.get("REGULARIZERS_MATRIX") == "full")
            if cell[1].name == "collect" and not (cell[0].compiles or cell[0].in_step)
        ]
        ids = [f"{regime.name}-{case.name}" for regime, _, case in chosen]
        metafunc.parametrize(("small_regime", "method", "case"), chosen, ids=ids)
