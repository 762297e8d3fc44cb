"""Two processes equal one: launched by torchrun on gloo."""

import os
import re
import subprocess
import sys
from pathlib import Path


def test_two_processes_equal_one():
    launched = subprocess.run(
        [
            *[sys.executable, "-m", "torch.distributed.run", "--standalone"],
            *["--nproc-per-node", "2", str(Path(__file__).with_name("ranks.py"))],
        ],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    counted = re.search(r"^(\d+) of (\d+) exact", launched.stdout, re.MULTILINE)
    assert counted is not None, launched.stderr
    assert counted[1] == counted[2], launched.stdout
    assert int(counted[2]) >= 40
    assert launched.returncode == 0
