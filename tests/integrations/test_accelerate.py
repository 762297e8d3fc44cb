"""Loops of Accelerate, against the same training written by hand in plain torch."""

import copy
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from torch import nn

import regularizers as rz
from integrations.accelerate_loop import STRENGTH, by_hand, gap, network, samples, trained

LOOP = Path(__file__).parent / "accelerate_loop.py"


def forget():
    """Forget the state that Accelerate keeps for the whole process."""
    AcceleratorState._reset_state(reset_partial_state=True)
    GradientState._reset_state()


@pytest.fixture(autouse=True)
def _anew():
    forget()
    yield
    forget()


@pytest.mark.parametrize("attached", [True, False])
@pytest.mark.parametrize(
    ("batches", "accumulated", "sizes"),
    [(2, 1, [2, 2]), (4, 2, [4, 4]), (8, 4, [8, 8]), (7, 4, [8, 6])],
)
def test_accumulated_batches_count_as_their_loss_does(batches, accumulated, sizes, attached):
    accelerator = Accelerator(cpu=True, gradient_accumulation_steps=accumulated)
    model, (x, y) = network(), samples(2 * batches)
    before = copy.deepcopy(model)
    # accelerate divides each loss by the number it was given, in a shorter last window too
    divided = [size / 2 / accumulated for size in sizes]
    trained(accelerator, model, (x, y), attached=attached)
    windows = list(zip(x.split(sizes), y.split(sizes), strict=True))
    assert gap(model, by_hand(before, windows, divided, attached=attached)) < 1e-12
    assert gap(model, before) > 1e-2


def test_the_registered_state_is_saved_and_restored(tmp_path):
    rules = [
        rz.activity(rz.L1(rz.LinearWarmup(0.2, steps=15)), where="1"),
        rz.kernel(rz.L2Squared(STRENGTH), where="2", towards="initial"),
    ]
    models = [network() for _ in range(2)]
    data = samples(8)

    def run(model, epochs, resume=None):
        accelerator = Accelerator(cpu=True)
        options = {"rules": rules, "epochs": epochs, "momentum": 0.9, "resume": resume}
        reg = trained(accelerator, model, data, **options)
        return accelerator, reg

    _, whole = run(models[0], 4)
    accelerator, _ = run(models[1], 2)
    accelerator.save_state(str(tmp_path))
    resumed_model = network()
    with torch.no_grad():
        resumed_model[2].weight.zero_()  # the state has the weights that were the first
    _, resumed = run(resumed_model, 2, resume=str(tmp_path))
    assert gap(resumed_model, models[0]) == 0
    assert dict(resumed.strengths) == dict(whole.strengths)
    assert resumed.strengths["1/activity/L1"] == pytest.approx(0.2)
    assert gap(models[1], models[0]) > 1e-3


def test_constraints_hold_and_leave_other_optimizers_as_they_are():
    accelerator = Accelerator(cpu=True)
    model = network()
    trained(accelerator, model, samples(8), rules=[rz.constraint(rz.NonNegative(), where="2")])
    assert model[2].weight.min() == 0
    other: nn.Module = network()
    optimizer = accelerator.prepare(torch.optim.SGD(other.parameters(), lr=1.0))
    other(samples(2)[0]).sum().backward()
    optimizer.step()
    assert gap(other, network()) > 0


def launched(*command):
    path = os.pathsep.join(filter(None, [os.environ.get("PYTHONPATH"), str(LOOP.parents[1])]))
    return subprocess.run(
        [sys.executable, *command, str(LOOP)],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": path},
    )


def test_two_processes_by_accelerate_launch_are_one():
    # --multi_gpu is the launcher of several processes; on machines without GPUs it is for CPUs too
    end = launched(
        *["-m", "accelerate.commands.launch", "--multi_gpu", "--num_processes", "2"],
        *["--num_machines", "1", "--mixed_precision", "no", "--dynamo_backend", "no"],
    )
    assert end.stdout.split() == ["attached", "collected"], end.stderr
