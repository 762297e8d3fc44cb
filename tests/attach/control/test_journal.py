"""What the steps measured comes to the host in copies, a few steps at once, and is judged there."""

import dataclasses
import math

import pytest
import torch

import regularizers as rz
from attach.control.driving import Shifted, deliver, numbers, saved
from regularizers.errors import StrengthError

# a step of training shows nothing of when its numbers come to the host
from regularizers.attach import _host_copy  # isort: skip
from regularizers.attach.control import _observed  # isort: skip


def fields(step, targets=1):
    """Return the fields of a step, told apart by its number; the law has ends that are reached."""
    each = torch.arange(targets, dtype=torch.float64)
    return *[100 * step + 10 * n + each for n in range(5)], each > 0, each == 0


def added(journal, steps, first=1):
    for step in range(first, first + steps):
        journal.add([tuple(field.double() for field in fields(step))])


def totals(arrived):
    """Return the number of each step that has arrived."""
    return [step[0].total / 100 for step in arrived]


def test_the_first_step_and_then_each_tenth_are_sent():
    journal, seen = _observed.Journal(), []
    for step in range(1, 23):
        sends = journal.sends_next
        added(journal, 1, first=step)
        arrived = totals(journal.arrived())
        assert bool(arrived) == sends == (step == 1 or step % 10 == 0)
        seen += arrived
    assert seen == [*range(1, 21)]


def test_all_arrive_once_and_in_order_if_they_are_waited_for():
    journal = _observed.Journal()
    added(journal, 13)
    assert totals(journal.arrived(wait=True)) == [*range(1, 14)]
    assert journal.arrived(wait=True) == []
    added(journal, 7, first=14)
    assert totals(journal.arrived()) == [*range(14, 21)]
    added(journal, 3, first=21)
    assert totals(journal.arrived()) == []
    assert totals(journal.arrived(wait=True)) == [21, 22, 23]


def test_a_step_is_what_each_target_measured():
    journal = _observed.Journal()
    one, two = fields(1, targets=2), fields(1)
    journal.add([tuple(field.double() for field in part) for part in (one, two)])
    ((a, b, c),) = journal.arrived()
    assert tuple(a) == (100, 110, 120, 130, 140, False, True)
    assert tuple(b) == (101, 111, 121, 131, 141, True, False)
    assert c == a
    assert a.measured == 100 / 110
    assert math.isnan(a._replace(number=0.0).measured)


def test_laws_of_0_dimensions_and_of_one_are_told_together():
    journal = _observed.Journal()
    plain = tuple(field.double()[0] for field in fields(1))
    several = tuple(field.double() for field in fields(1, targets=2))
    journal.add([plain, several])
    (step,) = journal.arrived()
    assert [observed.total for observed in step] == [100, 100, 101]


def test_a_copy_of_the_host_is_there_at_once():
    x = torch.tensor([[1.0, math.nan], [2.5, -math.inf]], dtype=torch.float64)
    copy = _host_copy.HostCopy(x)
    assert copy.has_arrived
    (one, nothing), (two, least) = copy.numbers()
    assert (one, two, least) == (1.0, 2.5, -math.inf)
    assert math.isnan(nothing)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a device that is no CPU")
def test_a_copy_of_a_device_is_of_what_it_was_when_it_was_asked_for():
    x = torch.arange(6.0, device="cuda", dtype=torch.float64).reshape(2, 3)
    busy = torch.randn(2000, 2000, device="cuda")
    for _ in range(20):
        busy = busy @ busy / 2000
    copy = _host_copy.HostCopy(x)
    x.fill_(-1)
    assert copy.numbers() == [[0.0, 1.0, 2.0], [3.0, 4.0, 5.0]]
    assert copy.has_arrived


class Delayed(_host_copy.HostCopy):
    """A copy that arrives when a test says so."""

    arrives = False

    @property
    def has_arrived(self):
        return Delayed.arrives


def test_a_copy_that_has_not_arrived_is_not_waited_for(monkeypatch):
    monkeypatch.setattr(_observed, "HostCopy", Delayed)
    monkeypatch.setattr(Delayed, "arrives", False)
    journal = _observed.Journal()
    added(journal, 11)
    assert journal.arrived() == []
    monkeypatch.setattr(Delayed, "arrives", True)
    assert totals(journal.arrived()) == [*range(1, 11)]
    monkeypatch.setattr(Delayed, "arrives", False)
    assert totals(journal.arrived(wait=True)) == [11]


# what is wrong with a step


@dataclasses.dataclass(frozen=True)
class Bad(rz.Law):
    """Returns a strength that is none in one of the steps, as a tensor that nobody has read."""

    at: int
    strength: float

    def init(self, initial):
        return {"steps": initial * 0}

    def update(self, state, measured, wanted, scale):
        steps = state["steps"] + 1
        return {"steps": steps}, torch.where(steps == self.at, self.strength, 0.25)


def made(*laws):
    """Return a model with a site for each law, and its targets."""
    model = torch.nn.Sequential(*[Shifted() for _ in laws])
    rules = [
        rz.activity(rz.L1(rz.TargetActive(3, law=law)), where=str(n)) for n, law in enumerate(laws)
    ]
    return model, rz.Regularization(model, rules)


def forward(model, reg):
    deliver(reg, model(numbers(8, 4)).sum(), "collect")


@pytest.mark.parametrize("strength", [math.nan, math.inf, -1.0])
def test_a_bad_strength_is_raised_when_it_is_known(strength):
    """In step 7, which is judged in the tenth; until then the strength before it is kept."""
    model, reg = made(Bad(7, strength))
    key = "0/activity/L1"
    for _ in range(9):
        forward(model, reg)
        reg.step()
        assert dict(reg.strengths) == {key: 0.25}
    forward(model, reg)
    with pytest.raises(StrengthError, match=rf"{key}: Bad\(.*\)\.update: expected .* not neg"):
        reg.step()
    assert reg.strengths[key] == 0.25
    assert saved(reg)["law"]["steps"] == 6


@dataclasses.dataclass(frozen=True)
class BadNumber(rz.Law):
    """Returns a plain number that is no strength in its third step."""

    def init(self, initial):
        return {"steps": 0}

    def update(self, state, measured, wanted, scale):
        steps = state["steps"] + 1
        return {"steps": steps}, -1.0 if steps == 3 else 0.25


def test_a_bad_number_is_raised_at_once():
    model, reg = made(BadNumber())
    for _ in range(2):
        forward(model, reg)
        reg.step()
    forward(model, reg)
    with pytest.raises(StrengthError, match=r"got -1\.0; clip it in the law"):
        reg.step()
    assert saved(reg)["law"]["steps"] == 2


def test_a_bad_strength_of_the_first_step_is_raised_there():
    model, reg = made(Bad(1, -1.0))
    forward(model, reg)
    before = reg.state_dict()
    with pytest.raises(StrengthError, match=r"got -1\.0; clip it in the law"):
        reg.step()
    assert reg.state_dict() == before


@pytest.mark.parametrize("read", ["state_dict", "targets", "as_dict", "report"])
def test_or_where_numbers_are_asked_for(read):
    model, reg = made(Bad(3, math.nan))
    for _ in range(3):
        forward(model, reg)
        reg.step()
    with pytest.raises(StrengthError, match=r"0/activity/L1: .*got nan"):
        getattr(reg, read)()


def test_the_target_beside_a_bad_one_is_kept_as_it_is_too():
    model, reg = made(Bad(1, math.nan), None)
    forward(model, reg)
    before = reg.state_dict()
    with pytest.raises(StrengthError, match="0/activity/L1"):
        reg.step()
    assert reg.state_dict() == before
