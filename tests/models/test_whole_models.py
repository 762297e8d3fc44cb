"""A residual network and a transformer, every block penalised, in each way of training."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

import regularizers as rz
from models.networks import CASES, gradients, relative_error


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    torch._dynamo.reset()
    yield
    torch.set_num_threads(threads)


# what compilers and checkpoints say of their own insides
quiet = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning", "ignore::FutureWarning", "ignore::UserWarning:torch"
)


@quiet
@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize(
    ("regime", "delivery"),
    [
        *[(regime, "collect") for regime in ("eager", "aot_eager", "checkpoint")],
        *[(regime, "inject") for regime in ("eager", "aot_eager", "checkpoint")],
    ],
)
def test_gradients_are_those_of_float64_autograd(name, delivery, regime):
    assert_gradients(name, delivery, regime)


@quiet
@pytest.mark.sampled(every=2)
@pytest.mark.parametrize("name", CASES)
def test_inductor_generates_code_with_the_same_gradients(name):
    assert_gradients(name, "collect", "inductor")


def assert_gradients(name, delivery, regime):
    case = CASES[name]
    model = case.build()
    if regime == "checkpoint":
        case.checkpoint(model)
    reg = rz.Regularization(model, case.rules(), delivery=delivery)
    called = model
    if regime in ("aot_eager", "inductor"):
        called = torch.compile(model, backend=regime)
    for step in range(2):
        model.zero_grad()
        x, y = case.inputs(step)
        wanted = case.by_hand(case.build(), x, y)
        loss = case.loss(called, x, y)
        loss = loss + reg.penalty() if delivery == "collect" else reg.scale_from(loss)
        loss.backward()
        assert relative_error(gradients(model), wanted) < 2e-5


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("delivery", ["collect", "inject"])
def test_under_bfloat16_they_are_no_further_from_it_than_plain_autograd_in_bfloat16(name, delivery):
    case = CASES[name]
    model = case.build()
    reg = rz.Regularization(model, case.rules(), delivery=delivery)
    for step in range(2):
        model.zero_grad()
        x, y = case.inputs(step)
        wanted = case.by_hand(case.build(), x, y)
        with torch.autocast("cpu", torch.bfloat16):
            plain = case.by_hand(case.build(), x, y, torch.float32)
            loss = case.loss(model, x, y)
        loss = loss + reg.penalty() if delivery == "collect" else reg.scale_from(loss)
        loss.backward()
        attainable = relative_error(plain, wanted)
        assert attainable < 0.15
        assert relative_error(gradients(model), wanted) < 1.05 * attainable


@pytest.mark.parametrize("name", CASES)
def test_without_the_penalty_the_gradients_are_far_from_it(name):
    case = CASES[name]
    model = case.build()
    x, y = case.inputs(0)
    wanted = case.by_hand(model, x, y)
    case.loss(model, x, y).backward()
    assert relative_error(gradients(model), wanted) > 0.2


def test_two_ranks_of_distributed_data_parallel():
    launched = subprocess.run(
        [
            *[sys.executable, "-m", "torch.distributed.run", "--standalone"],
            *["--nproc-per-node", "2", str(Path(__file__).with_name("ranks.py"))],
        ],
        capture_output=True,
        text=True,
        timeout=300,
        env={**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(Path(__file__).parents[1])},
    )
    assert launched.returncode == 0, launched.stderr
    assert launched.stdout.count("exact") == len(CASES)
