"""Where outputs are read: the tests of these files run with small outputs and as if with large."""

import warnings

import pytest
import torch

from matrix.judge import OF_DYNAMO
from regularizers.penalties.kernels import thresholds

BOTH = {
    "collection",
    "copies",
    "deliveries",
    "detach",
    "gradients",
    "outputs",
    "parametrized",
    "regimes",
    "report",
    "silence",
    "uncollected",
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if metafunc.module.__name__.rpartition(".test_")[2] in BOTH:
        metafunc.fixturenames.append("outputs")
        metafunc.parametrize("outputs", ["small", "large"])


@pytest.fixture(autouse=True)
def _outputs(request, monkeypatch):
    """Read outputs as small or as large ones are, whatever size those of a test have."""
    chosen = getattr(request.node, "callspec", None)
    if chosen is not None and chosen.params.get("outputs") == "large":
        monkeypatch.setattr(thresholds, "COPIED", 0)


@pytest.fixture
def compiler():
    """Start the compiler afresh; what it warns of itself is its own."""
    torch._dynamo.reset()
    with warnings.catch_warnings():
        for message in OF_DYNAMO:
            warnings.filterwarnings("ignore", message)
        yield
