"""The scripts of docs/integrations/several-machines.md against a loop by hand in one process."""

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from integrations import lightning_ranks
from integrations.lightning_jobs import Job, adam

PAGE = Path(__file__).parents[2] / "docs" / "integrations" / "several-machines.md"
RANKS = Path(__file__).parent / "several_machines_ranks.py"


def scripts() -> dict[str, str]:
    """Return the whole scripts; the page says which lines take the place of which."""
    ddp, fsdp, lightning, sharded = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    # no folders, no progress, and what Lightning asks of a model without loggers
    quiet = (
        "logger=False, enable_checkpointing=False, enable_progress_bar=False, "
        "enable_model_summary=False, accelerator='cpu', max_epochs=1"
    )
    lightning = replaced(lightning, "max_epochs=1", quiet)
    return {
        "1_ddp": ddp,
        "2_fsdp": replaced(ddp, "parallel = DistributedDataParallel(model)\n", fsdp),
        "3_lightning": lightning,
        "4_sharded": replaced(
            replaced(lightning, "model = Coder()\n", sharded),
            'strategy="ddp"',
            "strategy=strategy",
        ),
    }


def replaced(text: str, old: str, new: str) -> str:
    assert text.count(old) == 1
    return text.replace(old, new)


def by_hand(*, shuffled: bool) -> list[torch.Tensor]:
    """Return the weights of a plain loop on whole batches of 16."""

    def drawn() -> nn.Sequential:
        return nn.Sequential(nn.Linear(8, 16), nn.Sigmoid(), nn.Linear(16, 8))

    torch.manual_seed(0)
    data = torch.randn(128, 8)
    net = drawn()
    optimizer = torch.optim.Adam(net.parameters(), 1e-2)
    if shuffled:  # as the sampler is that Lightning makes
        data = data[torch.randperm(128, generator=torch.Generator().manual_seed(0))]
    for x in data.split(16):
        coding = net[:2](x)
        mean, rho = coding.mean(0), 0.1
        kl = rho * (rho / mean).log() + (1 - rho) * ((1 - rho) / (1 - mean)).log()
        decay = sum(net[n].weight.square().sum() for n in (0, 2))
        loss = (net[2](coding) - x).square().mean() + 1e-2 * kl.sum() + 1e-3 * decay
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return [p.detach() for p in net.parameters()]


@pytest.fixture
def in_float64():
    before = torch.get_default_dtype()
    torch.set_default_dtype(torch.float64)
    yield
    torch.set_default_dtype(before)


def launched(folder: Path, *, machines: int, each: int) -> None:
    """Run the scripts by `each` processes on so many machines, all of which are this one."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(RANKS.parents[1])]))
    command = [
        *[sys.executable, "-m", "torch.distributed.run", "--nnodes", str(machines)],
        *["--nproc-per-node", str(each), "--rdzv-backend", "c10d", "--rdzv-id", "page"],
        *["--rdzv-endpoint", f"127.0.0.1:{port}", str(RANKS), str(folder)],
    ]
    agents = [
        subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path},
        )
        for _ in range(machines)
    ]
    try:
        ended = [(agent.communicate(timeout=240)[0], agent.returncode) for agent in agents]
    finally:
        for agent in agents:
            agent.terminate()  # and its processes
            agent.communicate()
    for output, code in ended:
        assert code == 0, output


@pytest.mark.parametrize(("machines", "each"), [(1, 2), (2, 2)], ids=["two", "four"])
def test_every_script_is_one_process(machines, each, tmp_path, in_float64):
    """The page's, against a loop by hand; and one for the callback, against one process."""
    for name, text in scripts().items():
        (tmp_path / f"{name}.py").write_text(text)
    (tmp_path / "5_callback.py").write_text(Path(lightning_ranks.__file__).read_text())
    launched(tmp_path, machines=machines, each=each)
    plain, shuffled = by_hand(shuffled=False), by_hand(shuffled=True)
    alone = lightning_ranks.fitted(Job(adam), lightning_ranks.parts(1, 0))
    all_expected = dict(
        zip([*scripts(), "5_callback"], [plain] * 2 + [shuffled] * 2 + [alone], strict=True)
    )
    for name, expected in all_expected.items():
        weights = torch.load(tmp_path / f"{name}.pt")
        torch.testing.assert_close(weights, expected, rtol=1e-12, atol=1e-14, msg=name)
