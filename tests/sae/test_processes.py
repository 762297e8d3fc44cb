"""Several processes that share each batch train the autoencoder that one trains."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from sae.training_ranks import trained

SCRIPT = Path(__file__).parent / "training_ranks.py"


@pytest.fixture(scope="module")
def of_one():
    return {name: trained(name) for name in ("jumprelu", "batchtopk")}


def test_two_are_as_one(of_one, tmp_path):
    path = os.pathsep.join([*filter(None, [os.environ.get("PYTHONPATH")]), str(SCRIPT.parents[1])])
    launched = subprocess.run(
        [
            *[sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"],
            *["2", str(SCRIPT), str(tmp_path / "states.pt"), "2"],
        ],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path},
    )
    assert launched.returncode == 0, launched.stderr
    states = torch.load(tmp_path / "states.pt")
    for name, expected in of_one.items():
        assert expected["revived"] > 0
        for key, value in expected.items():
            torch.testing.assert_close(states[name][key], value, rtol=1e-7, atol=1e-9, msg=key)
