"""Every contender of a whole step does what it is timed for, and memory is metered right."""

import dataclasses
import subprocess
import sys

import pytest
import torch
from benchmarks.speed.cases import row_of, times_of
from benchmarks.speed.settings import Settings
from benchmarks.speed.steps import allocator, cases
from benchmarks.speed.steps.memory import peak_bytes, peaks_over
from benchmarks.speed.steps.step import Step
from benchmarks.speed.steps.subjects import Subject, subjects
from benchmarks.speed.steps.ways import ACTIVITY, WEIGHTS

QUICK = Settings(quick=True, seconds=0.0, rounds=1)
SUBJECTS = subjects(QUICK)


@pytest.fixture(autouse=True)
def _one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)  # networks so small would wait for their threads, no more
    yield
    torch.set_num_threads(threads)


def by_name(subject: Subject) -> str:
    return subject.name


def gradients(subject: Subject, ways, name: str, variant) -> list[torch.Tensor]:
    """Return the gradients of the second step, on the way to which all weights were updated."""
    step = Step(dataclasses.replace(subject, strength=1e-2), ways[name], QUICK, variant)
    torch.manual_seed(1)
    step()
    step()
    return [p.grad for p in step.model.parameters()]


@pytest.mark.parametrize("variant", ["plain", "checkpointed"])
@pytest.mark.parametrize("subject", SUBJECTS, ids=by_name)
def test_penalties_of_outputs_have_one_gradient(subject, variant):
    plain = gradients(subject, ACTIVITY, "without", "plain")
    expected = gradients(subject, ACTIVITY, "by hand", "plain")
    assert not torch.allclose(plain[0], expected[0], rtol=1e-2)
    for name in ACTIVITY.keys() - {"without"}:
        torch.testing.assert_close(gradients(subject, ACTIVITY, name, variant), expected)


@pytest.mark.parametrize("subject", SUBJECTS, ids=by_name)
def test_penalties_of_kernels_have_one_gradient(subject):
    plain = gradients(subject, WEIGHTS, "without", "plain")
    expected = gradients(subject, WEIGHTS, "by hand, sum over parameters()", "plain")
    assert not torch.allclose(plain[0], expected[0], rtol=1e-2)
    for name in ("ours, attached", "ours, in the loss"):
        torch.testing.assert_close(gradients(subject, WEIGHTS, name, "plain"), expected)


def test_a_whole_run_has_24_sites():
    for subject in subjects(Settings()):
        assert len(subject.penalised(subject.build())) == 24


def test_the_transformer_has_about_ten_million_parameters():
    (subject,) = [s for s in subjects(Settings()) if "transformer" in s.name]
    count = sum(p.numel() for p in subject.build().parameters())
    assert 9e6 < count < 11e6


def test_penalised_elements_are_counted():
    perceptron = SUBJECTS[0]  # four layers of 8 units, six samples
    assert perceptron.count_penalised() == 4 * 8 * 6


def test_the_peak_is_what_lived_at_once():
    kept = []

    def call() -> None:
        kept.clear()
        first = torch.empty(1000)  # 4000 bytes
        second = torch.empty(500, dtype=torch.float64)  # 8000 together
        del first
        third = torch.empty(300, dtype=torch.uint8)  # 4300 together
        kept.append((second, third))

    # the last call frees what the one before it kept
    assert peak_bytes(call) == 8000


def test_the_peak_counts_what_earlier_calls_left():
    kept = []
    assert peak_bytes(lambda: kept.append(torch.empty(100))) == 3 * 400


def test_the_peak_of_a_backward_pass():
    x = torch.ones(1000, requires_grad=True)

    def call() -> None:
        x.grad = None
        y = x.exp()  # 4000 bytes, kept for the backward pass
        y.sum().backward()  # a sum of 4 bytes and its gradient; the gradient of x is 4000 more

    assert 8000 <= peak_bytes(call) <= 8016


def test_peaks_are_given_an_element_over_the_limit():
    calls = {
        "limit": lambda: torch.empty(100, dtype=torch.uint8),
        "one more": lambda: torch.empty(200, dtype=torch.uint8),
    }
    assert peaks_over("limit", calls, 50, "cpu") == {
        "peak bytes an element over limit: one more": 2.0
    }


def test_cases_have_names_of_their_own():
    names = [case.what for case in cases(QUICK)]
    assert len(set(names)) == len(names)
    assert sum("compiled" in name for name in names) == 3  # the compiler takes no recurrent layer


def test_a_case_is_measured_whole():
    case = next(cases(QUICK))
    row = row_of(case, times_of(case, QUICK))
    assert row.times.keys() == ACTIVITY.keys()
    assert row.figures["elements"] == 192
    assert sum("peak" in name for name in row.figures) == len(ACTIVITY) - 1


FAULTS = """
import resource

import torch
from benchmarks.speed.steps.allocator import keep_freed_memory

def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    torch.empty(2**24).fill_(1)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

first = [faults() for _ in range(3)][-1]
told = keep_freed_memory()
print(first, told, [faults() for _ in range(3)][-1])
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the C library may be another")
def test_memory_that_is_freed_is_kept_and_not_taken_again():
    # not zeros, which PyTorch may take from the system by another way
    command = [sys.executable, "-c", FAULTS]
    ran = subprocess.run(command, capture_output=True, text=True, check=True)
    before, told, after = ran.stdout.split()
    assert told == "True"
    assert int(after) < 0.1 * int(before)


def test_another_c_library_is_left_as_it_is(monkeypatch):
    monkeypatch.setattr(allocator.ctypes, "CDLL", lambda name: object())
    assert not allocator.keep_freed_memory()
