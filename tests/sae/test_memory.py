"""The memory of a training: by hand, against a process, and refused where it is too much."""

import dataclasses
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import regularizers as rz
from regularizers.errors import ConfigurationError

# a machine with little memory is not at hand
from regularizers.sae import _room

SCRIPT = Path(__file__).parent / "resident.py"


def test_by_hand():
    memory = rz.sae.memory(10, 40, 100, outputs=6, architecture="topk", revive=False)
    weights = 4 * (10 * 40 + 40 + 40 * 6 + 6)
    assert (memory.weights, memory.gradients, memory.optimizer) == (weights, weights, 2 * weights)
    assert memory.code == 4 * (4 * 100 * 40)
    assert memory.samples == 4 * 4 * 100 * 16
    assert memory.revival == 0
    assert memory.total == sum(dataclasses.astuple(memory))
    assert str(memory).splitlines()[-1].split() == ["total", "0"]


def test_revival_keeps_inputs_and_errors():
    several = rz.sae.memory(10, 40, 100, processes=2)
    alone = rz.sae.memory(10, 40, 100)
    assert several.gradients == 2 * alone.gradients
    products = 2 * 4800 * 16 - 6 * 100 * 40
    assert alone.revival == 4 * (4800 * 20 + products)
    assert several.code == alone.code
    assert rz.sae.memory(10, 40, 100, dtype=torch.float64).total == 2 * alone.total


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0, 40, 100), "features: expected an integer of 1 or more, got 0"),
        ((10, 40, 1e3), "batch_size: expected an integer of 1 or more, got 1000.0"),
    ],
)
def test_sizes_that_cannot_be(arguments, message):
    with pytest.raises(ConfigurationError, match=message):
        rz.sae.memory(*arguments)


@pytest.mark.skipif(sys.platform != "linux", reason="resident memory is counted in KiB on Linux")
def test_a_process_takes_as_much():
    sizes = 256, 8192, 2048
    command = [sys.executable, str(SCRIPT), *map(str, sizes), "2", "0"]
    finished = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(finished.stdout) == pytest.approx(
        rz.sae.memory(*sizes, revive=False).total, rel=0.25
    )


def test_a_device_without_room_is_told_before_the_training(monkeypatch):
    sae = rz.sae.SparseAutoencoder(8, 16, 2)
    before = {name: value.clone() for name, value in sae.state_dict().items()}
    x = torch.randn(640, 8)
    need = rz.sae.memory(8, 16, 64)
    monkeypatch.setattr(_room, "free_memory", lambda _: need.total // 2)
    message = r"free memory on cpu besides the weights, got \d+ MiB; lower batch_size"
    with pytest.raises(ConfigurationError, match=message) as raised:
        rz.sae.train(sae, x, batch_size=64)
    assert str(need) in str(raised.value)
    for name, value in sae.state_dict().items():
        assert value.equal(before[name])
    monkeypatch.setattr(_room, "free_memory", lambda _: need.total)
    assert rz.sae.train(sae, x, batch_size=64).step[-1] == 10
