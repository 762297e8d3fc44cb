"""Scripts run by several processes, and lists of checks that each of two is to pass."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import torch.distributed as dist

Check = Callable[[], None]


def launched(
    script: str | Path, *arguments: str, timeout: float = 300
) -> subprocess.CompletedProcess[str]:
    """Return how a script ended that two processes ran, which look first where this one does."""
    path = [*filter(None, [os.environ.get("PYTHONPATH")]), str(Path(__file__).parent)]
    return subprocess.run(
        [
            *[sys.executable, "-m", "torch.distributed.run", "--standalone"],
            *["--nproc-per-node", "2", str(script), *arguments],
        ],
        capture_output=True,
        text=True,
        timeout=timeout,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": os.pathsep.join(path)},
    )


def run(checks: Sequence[Check]) -> None:
    """Run the checks in this process of two, and say which has passed."""
    dist.init_process_group("gloo")
    for check in checks:
        check()
        sys.stdout.write(f"{dist.get_rank()} {check.__name__}\n")
        sys.stdout.flush()
        dist.barrier()
    # at once: threads of gloo that are still being joined would abort an ordinary exit
    os._exit(0)


def assert_both_pass(script: str, checks: Sequence[Check]) -> None:
    """Raise unless both processes that run a script say that every check has passed."""
    finished = launched(script, timeout=180)
    for check in checks:
        for rank in range(2):
            assert f"{rank} {check.__name__}" in finished.stdout, finished.stderr
