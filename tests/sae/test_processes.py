"""Several processes that share each batch train the autoencoder that one trains."""

from pathlib import Path

import pytest
import torch

from sae.training_ranks import trained
from two_processes import launched

SCRIPT = Path(__file__).parent / "training_ranks.py"


@pytest.fixture(scope="module")
def of_one():
    return {name: trained(name) for name in ("jumprelu", "batchtopk")}


def test_two_are_as_one(of_one, tmp_path):
    finished = launched(SCRIPT, str(tmp_path / "states.pt"), "2")
    assert finished.returncode == 0, finished.stderr
    states = torch.load(tmp_path / "states.pt")
    for name, expected in of_one.items():
        assert expected["revived"] > 0
        for key, value in expected.items():
            torch.testing.assert_close(states[name][key], value, rtol=1e-7, atol=1e-9, msg=key)
