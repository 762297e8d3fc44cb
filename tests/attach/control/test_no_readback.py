"""No training step reads a number back, which would wait for the device.

What is read is told by its caller: the nearest frame outside of PyTorch. So an optimizer that reads
its own step count is not charged to the hooks that run around it, and a function of PyTorch that a
hook calls is.

Operations are counted by a dispatch mode, methods such as `item` by patches. The methods are
counted without a mode, too, so that nothing can behave otherwise while it is watched.
"""

import itertools
import sys
from collections import Counter
from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import FrameType
from typing import NamedTuple

import pytest
import torch
from torch import Tensor, nn
from torch.optim import SGD, Adam, Optimizer
from torch.utils._python_dispatch import TorchDispatchMode

import regularizers as rz

STEPS = 75
"""Work of every tenth and of every fiftieth step falls into them."""

FEW = 25
"""Enough for what no schedule, target or monitor changes: work of every tenth step, twice."""

SELDOM = 4
"""A number that has arrived on the host may be read once in so many steps, for warnings."""

OURS = str(Path(rz.__file__).parent)
PYTORCH = str(Path(torch.__file__).parent)

METHODS = (
    *("item", "tolist", "numpy", "__array__"),
    *("__bool__", "__int__", "__float__", "__complex__", "__index__"),
)
"""Methods by which Python gets a number out of a tensor; `.tolist()` of a host tensor is no op."""

READING_OPS = {"_local_scalar_dense", "is_nonzero", "equal"}
SHAPED_BY_VALUES = {"nonzero", "masked_select", "_unique2", "unique_dim", "unique_consecutive"}


class Read(NamedTuple):
    """One reading by the library: its name, the line that asks for it, and the step."""

    name: str
    line: str
    step: int
    on_host: bool


class Reads(TorchDispatchMode):
    """Notes what is read back within training steps, which count from 1.

    `ours` is what the library asks for, `ops` the number of operations of anybody that read. What
    is read before the first step, as when an optimizer is attached, is none of them.
    """

    def __init__(self) -> None:
        super().__init__()
        self.step = 0
        self.ours: list[Read] = []
        self.ops: Counter[str] = Counter()

    def note(self, name: str, frame: FrameType, *, on_host: bool) -> None:
        line = line_of(frame)
        if line is not None and self.step:
            self.ours.append(Read(name, line, self.step, on_host))

    def watch_methods(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in METHODS:
            monkeypatch.setattr(Tensor, name, self._noting(name, getattr(Tensor, name)))

    def _noting(self, name: str, method: Callable) -> Callable:
        def noting(x: Tensor, *args, **options):
            self.note(name, sys._getframe(1), on_host=x.is_cpu)
            return method(x, *args, **options)

        return noting

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        if self.step and reads(func, args, kwargs):
            name = func.overloadpacket.__name__
            self.ops[name] += 1
            self.note(name, sys._getframe(1), on_host=False)
        return func(*args, **kwargs)


def line_of(frame: FrameType | None) -> str | None:
    """Return the line of the library that asks PyTorch for something; None if another does."""
    while frame is not None and is_between(frame):
        frame = frame.f_back
    if frame is None or not frame.f_code.co_filename.startswith(OURS):
        return None
    return f"{frame.f_code.co_filename[len(OURS) + 1 :]}:{frame.f_lineno}"


def is_between(frame: FrameType) -> bool:
    """Return whether a frame is PyTorch's, or stands between it and its caller to take notes."""
    code = frame.f_code
    return code.co_filename.startswith(PYTORCH) or code.co_qualname == NOTING


NOTING = f"{Reads._noting.__qualname__}.<locals>.noting"


def reads(func, args, kwargs) -> bool:
    """Return whether an operation has to know the values of a tensor before it returns."""
    name = func.overloadpacket.__name__
    if name in READING_OPS | SHAPED_BY_VALUES:
        return True
    if name in ("index", "index_put", "index_put_"):
        indices = [i for i in args[1] if i is not None]
        return any(i.dtype in (torch.bool, torch.uint8) for i in indices)
    if name == "_to_copy":
        to_host = torch.device(kwargs.get("device") or args[0].device).type == "cpu"
        return to_host and not args[0].is_cpu and not kwargs.get("non_blocking")
    if name == "copy_":
        waits = not (kwargs.get("non_blocking") or args[2:3] == (True,))
        return args[0].is_cpu and not args[1].is_cpu and waits
    return False


Whole = Callable[[Tensor], Tensor]
Attach = Callable[[nn.Module, Optimizer], Whole]


def rules(*given: rz.Rule, delivery: str = "collect") -> Attach:
    """Return a function that attaches the rules to a model, in whichever way they need."""

    def attach(model: nn.Module, optimizer: Optimizer) -> Whole:
        reg = rz.Regularization(model, list(given), delivery=delivery)
        if any(rule.kind != "activity" or changes(rule) for rule in given):
            reg.attach(optimizer)
        if delivery == "inject":
            return reg.scale_from
        outputs = any(rule.kind == "activity" for rule in given)
        return (lambda loss: loss + reg.penalty()) if outputs else (lambda loss: loss)

    return attach


def changes(rule: rz.Rule) -> bool:
    return any(isinstance(term.strength, rz.Schedule | rz.Target) for term in rule.penalty.terms)


def output(penalty: rz.Penalty) -> rz.Rule:
    return rz.activity(penalty, where="1")


def monitor(**options) -> Attach:
    def attach(model: nn.Module, optimizer: Optimizer) -> Whole:
        watching = rz.Monitor(model, **options)
        return lambda loss, held=watching: loss

    return attach


def together(*attaches: Attach) -> Attach:
    def attach(model: nn.Module, optimizer: Optimizer) -> Whole:
        wholes = [one(model, optimizer) for one in attaches]

        def whole(loss: Tensor) -> Tensor:
            for one in wholes:
                loss = one(loss)
            return loss

        return whole

    return attach


WARMUP, COSINE = rz.LinearWarmup(1e-3, steps=40), rz.Cosine(1e-3, 1e-4, steps=65)
SCHEDULES = [output(rz.L1(WARMUP)), rz.kernel(rz.L2Squared(COSINE))]
TARGETS = {
    "TargetActive": output(rz.L1(rz.TargetActive(4))),
    "TargetMean": output(rz.L2Squared(rz.TargetMean(0.2))),
    "TargetNorm": output(rz.L2Norm(rz.TargetNorm(0.8))),
}
PAIRS = {"reconstruction": (rz.monitor.input_of("0"), "2")}

CASES: dict[str, Attach] = {
    "collect": rules(output(rz.L1(1e-3)), output(rz.L2Norm(1e-3))),
    "inject": rules(output(rz.L1(1e-3)), output(rz.L2Norm(1e-3)), delivery="inject"),
    "attach L2Squared": rules(rz.kernel(rz.L2Squared(1e-3))),
    "attach L1": rules(rz.kernel(rz.L1(1e-3))),
    "proximal L1": rules(rz.kernel(rz.L1(1e-4), proximal=True)),
    "proximal GroupLasso": rules(rz.kernel(rz.GroupLasso(1e-4, axis="output"), proximal=True)),
    "schedules": rules(*SCHEDULES),
    "schedules, inject": rules(*SCHEDULES, delivery="inject"),
    "schedule, proximal": rules(rz.kernel(rz.L1(COSINE), proximal=True)),
    **{name: rules(rule) for name, rule in TARGETS.items()},
    **{f"{name}, inject": rules(rule, delivery="inject") for name, rule in TARGETS.items()},
    "three targets": rules(*TARGETS.values()),
    "monitor": monitor(where="1"),
    "monitor of pairs": monitor(pairs=PAIRS),
    "together": together(
        rules(*SCHEDULES, TARGETS["TargetNorm"], rz.kernel(rz.L1(1e-4))),
        monitor(where="1", pairs=PAIRS),
    ),
    "together, inject": together(
        rules(*SCHEDULES, TARGETS["TargetNorm"], rz.kernel(rz.L1(1e-4)), delivery="inject"),
        monitor(where="1", pairs=PAIRS),
    ),
}

OPTIMIZERS: dict[str, Callable[[nn.Module], Optimizer]] = {
    "Adam": lambda model: Adam(model.parameters(), lr=3e-3),
    "SGD": lambda model: SGD(model.parameters(), lr=0.05, momentum=0.9),
}

STEADY = ("collect", "inject", "attach", "proximal")
"""How the names of cases begin whose steps are all alike."""

DEVICES = ["cpu", *(["cuda"] if torch.cuda.is_available() else [])]


def train(
    seen: Reads, attach: Attach | None, optimizer: str, *, scaled: bool, device: str, steps: int
) -> None:
    """Train a small autoencoder, and tell `seen` which step it is; after the last it is none."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Linear(4, 12), nn.ReLU(), nn.Linear(12, 4)).to(device)
    data = torch.randn(steps, 64, 4, device=device).unbind()
    update = OPTIMIZERS[optimizer](model)
    whole = attach(model, update) if attach else (lambda loss: loss)
    scaler = torch.amp.GradScaler(device, init_scale=2.0**10, enabled=scaled)
    for seen.step, x in enumerate(data, start=1):
        update.zero_grad()
        loss = whole(nn.functional.mse_loss(model(x), x))
        scaler.scale(loss).backward()
        scaler.step(update)
        scaler.update()
    seen.step = 0


def but_seldom_of_the_host(ours: list[Read]) -> list[Read]:
    """Return what is read without those `.tolist()` of host tensors that are far apart."""
    allowed, last = [], -SELDOM
    for read in ours:
        if read.name != "tolist" or not read.on_host:
            continue
        if read.line.startswith("attach/step/_proximal.py"):
            allowed.append(read)  # Adam's own step count, which lies on the host
        elif read.step - last >= SELDOM:
            allowed.append(read)
            last = read.step
    return [read for read in ours if read not in allowed]


def told(ours: list[Read]) -> dict[str, int]:
    """Return how often each line reads, and from which step on, for the message of a failure."""
    first: dict[str, int] = {}
    for read in ours:
        first.setdefault(f"{read.name} in {read.line}", read.step)
    times = Counter(f"{read.name} in {read.line}" for read in ours)
    return {f"{what}, first in step {first[what]}": n for what, n in times.items()}


def steps_of(name: str) -> int:
    return FEW if name.startswith(STEADY) else STEPS


@cache
def ops_alone(optimizer: str, *, scaled: bool, device: str, steps: int) -> Counter[str]:
    """Return the operations that read where nothing is attached."""
    with Reads() as alone:
        train(alone, None, optimizer, scaled=scaled, device=device, steps=steps)
    return alone.ops


OF_WEIGHTS = [name for name in CASES if name.startswith(("attach", "prox", "sched", "together"))]


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("scaled", [False, True], ids=["", "scaled"])
@pytest.mark.parametrize(
    ("name", "optimizer"),
    [*itertools.product(CASES, ["Adam"]), *itertools.product(OF_WEIGHTS, ["SGD"])],
)
def test_no_step_reads(name, optimizer, scaled, device, monkeypatch):
    """And the optimizer and the scaler read no more than they do alone."""
    as_asked = {"scaled": scaled, "device": device, "steps": steps_of(name)}
    alone = ops_alone(optimizer, **as_asked)
    with Reads() as seen:
        seen.watch_methods(monkeypatch)
        train(seen, CASES[name], optimizer, **as_asked)
    assert told(but_seldom_of_the_host(seen.ours)) == {}
    assert seen.ops == alone


@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("name", CASES)
def test_no_step_reads_where_no_mode_watches(name, device, monkeypatch):
    seen = Reads()
    seen.watch_methods(monkeypatch)
    train(seen, CASES[name], "Adam", scaled=False, device=device, steps=steps_of(name))
    assert told(but_seldom_of_the_host(seen.ours)) == {}


def test_a_method_is_found_without_a_mode(monkeypatch):
    model = nn.Sequential(nn.Linear(4, 12), nn.ReLU())
    monitored = rz.Monitor(model, where="1")
    model(torch.randn(3, 4))
    seen = Reads()
    seen.watch_methods(monkeypatch)
    seen.step = 1
    monitored.as_dict()
    assert "item" in {read.name for read in seen.ours}


def test_what_the_library_reads_is_found(monkeypatch):
    """A report reads numbers; so does what PyTorch computes for a caller in the library."""
    model = nn.Sequential(nn.Linear(4, 12), nn.ReLU())
    monitored = rz.Monitor(model, where="1")
    model(torch.randn(3, 4))
    with Reads() as seen:
        seen.watch_methods(monkeypatch)
        seen.step = 1
        monitored.as_dict()
    assert {"item", "_local_scalar_dense"} <= {read.name for read in seen.ours}
    assert all(read.line.startswith("monitor/") for read in seen.ours)


def test_what_others_read_is_not_charged_to_the_library(monkeypatch):
    with Reads() as seen:
        seen.watch_methods(monkeypatch)
        train(seen, None, "Adam", scaled=True, device="cpu", steps=3)
    assert seen.ours == []
    assert seen.ops["_local_scalar_dense"] > 0


@pytest.mark.parametrize(
    "read",
    [
        lambda x: x.sum().item(),
        lambda x: bool(x.any()),
        lambda x: torch.equal(x, x),
        lambda x: x[x > 0],
        lambda x: x.nonzero(),
        lambda x: x.masked_select(x > 0),
    ],
    ids=itertools.count(),
)
def test_operations_that_read_are_known(read):
    with Reads() as seen:
        seen.step = 1
        read(torch.ones(3))
    assert seen.ops.total() > 0


def test_a_host_tensor_may_be_read_seldom():
    reads = [Read("tolist", "a:1", step, on_host=True) for step in (50, 53, 54, 60)]
    assert [read.step for read in but_seldom_of_the_host(reads)] == [53]
    of_device = [read._replace(on_host=False) for read in reads]
    assert but_seldom_of_the_host(of_device) == of_device
