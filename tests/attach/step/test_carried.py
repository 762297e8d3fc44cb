"""The state of strengths is saved in the state dict of the optimizer that steps them."""

import copy
import io
import warnings
from zlib import crc32

import pytest
import torch
import torch.distributed.checkpoint as dcp
from torch import nn
from torch.distributed.checkpoint.state_dict import get_state_dict, set_state_dict
from torch.optim import Adam, Optimizer

import regularizers as rz

TARGET = rz.TargetActive(3)
WARMUP = rz.LinearWarmup(1e-2, steps=50)


class Job:
    """A model with an activity penalty, trained by an optimizer that makes the steps."""

    def __init__(self, strength: object = WARMUP) -> None:
        torch.manual_seed(0)
        self.model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
        self.reg = rz.Regularization(self.model, [rz.activity(rz.L1(strength), where="1")])
        self.optimizer: Optimizer = Adam(self.model.parameters(), lr=1e-2)
        self.reg.attach(self.optimizer)

    def train(self, begin: int, end: int) -> None:
        for n in range(begin, end):
            x = torch.randn(6, 4, generator=torch.Generator().manual_seed(n))
            loss = self.model(x).sub(1).square().mean() + self.reg.penalty()
            self.optimizer.zero_grad()
            loss.backward()
            self.optimizer.step()

    @property
    def strength(self) -> float:
        return self.reg.strengths["1/activity/L1"]


def through_memory(old: Job, new: Job) -> None:
    states = copy.deepcopy((old.model.state_dict(), old.optimizer.state_dict()))
    new.model.load_state_dict(states[0])
    new.optimizer.load_state_dict(states[1])


def through_a_file(old: Job, new: Job) -> None:
    file = io.BytesIO()
    torch.save((old.model.state_dict(), old.optimizer.state_dict()), file)
    file.seek(0)
    model, optimizer = torch.load(file, weights_only=True)
    new.model.load_state_dict(model)
    new.optimizer.load_state_dict(optimizer)


def through_a_distributed_checkpoint(old: Job, new: Job, folder: object) -> None:
    states = dict(
        zip(("model", "optimizer"), get_state_dict(old.model, old.optimizer), strict=True)
    )
    dcp.save(states, checkpoint_id=folder, no_dist=True)
    wanted = dict(
        zip(("model", "optimizer"), get_state_dict(new.model, new.optimizer), strict=True)
    )
    dcp.load(wanted, checkpoint_id=folder, no_dist=True)
    set_state_dict(
        new.model,
        new.optimizer,
        model_state_dict=wanted["model"],
        optim_state_dict=wanted["optimizer"],
    )


@pytest.mark.parametrize("strength", [WARMUP, TARGET], ids=repr)
@pytest.mark.parametrize("way", [through_memory, through_a_file])
def test_an_interrupted_run_goes_on_bit_for_bit(way, strength):
    whole, first, second = Job(strength), Job(strength), Job(strength)
    whole.train(0, 40)
    first.train(0, 25)
    way(first, second)
    assert second.strength == first.strength
    second.train(25, 40)
    assert second.strength == whole.strength
    for a, b in zip(whole.model.parameters(), second.model.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")
def test_a_distributed_checkpoint_carries_it(tmp_path):
    first, second = Job(), Job()
    first.train(0, 25)
    through_a_distributed_checkpoint(first, second, tmp_path)
    assert first.strength == pytest.approx(5e-3)
    assert second.strength == first.strength


def test_a_state_that_was_loaded_before_attaching_is_gone_on_from():
    first, second = Job(), Job()
    first.train(0, 25)
    second.reg.detach()
    second.optimizer.load_state_dict(first.optimizer.state_dict())
    reg = rz.Regularization(second.model, [rz.activity(rz.L1(WARMUP), where="1")])
    reg.attach(second.optimizer)
    assert reg.strengths["1/activity/L1"] == first.strength
    # once: a later Regularization of the same rules begins anew
    reg.detach()
    again = rz.Regularization(second.model, [rz.activity(rz.L1(WARMUP), where="1")])
    again.attach(second.optimizer)
    assert again.strengths["1/activity/L1"] == 0


def test_several_regularizations_each_find_their_own():
    def add(job: Job) -> rz.Regularization:
        kernel = rz.kernel(rz.L2Squared(rz.Cosine(1.0, 0.0, steps=20)), where="0")
        reg = rz.Regularization(job.model, [kernel])
        reg.attach(job.optimizer)
        return reg

    first, second = Job(), Job()
    one, other = add(first), add(second)
    first.train(0, 10)
    through_a_file(first, second)
    assert second.strength == first.strength > 0
    assert dict(other.strengths) == dict(one.strengths) == {"0.weight/kernel/L2Squared": 0.5}


def test_a_state_without_it_is_said_once():
    first, second = Job(), Job()
    first.reg.detach()
    state = first.optimizer.state_dict()
    with pytest.warns(UserWarning, match=r"save reg\.state_dict\(\)"):
        second.optimizer.load_state_dict(state)
    second.optimizer.load_state_dict(state)
    assert second.strength == 0


def test_a_state_of_other_rules_is_said():
    first, second = Job(WARMUP), Job(rz.LinearWarmup(1e-2, steps=60))
    first.train(0, 5)
    with pytest.warns(UserWarning, match=r"reg\.load_state_dict\(\)"):
        second.optimizer.load_state_dict(first.optimizer.state_dict())
    assert second.strength == 0


def test_strengths_that_are_numbers_leave_the_state_as_it_is():
    model = nn.Linear(2, 2)
    optimizer = Adam(model.parameters())
    before = optimizer.state_dict()
    rz.Regularization(model, [rz.kernel(rz.L1(0.1))]).attach(optimizer)
    assert optimizer.state_dict() == before
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        optimizer.load_state_dict(before)


def test_an_optimizer_alone_can_load_what_was_carried():
    job = Job()
    job.train(0, 3)
    alone = Adam(nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2)).parameters())
    alone.load_state_dict(job.optimizer.state_dict())
    alone.step()
    assert alone.param_groups[0]["lr"] == 1e-2
    assert [state["step"].item() for state in alone.state.values()] == [3, 3, 3, 3]


def by_hand(strength: object = WARMUP) -> tuple[nn.Module, rz.Regularization]:
    """Return a model and a Regularization of which the steps are made by hand."""
    model = nn.Sequential(nn.Linear(4, 8), nn.ReLU(), nn.Linear(8, 2))
    return model, rz.Regularization(model, [rz.activity(rz.L1(strength), where="1")])


def test_steps_made_by_hand_that_begin_anew_after_the_model_was_restored_are_said_once():
    model, reg = by_hand()
    model.load_state_dict(by_hand()[0].state_dict())
    with pytest.warns(UserWarning, match=r"begin at their first step; .*reg\.state_dict\(\)"):
        reg.step()
    reg.step()
    model.load_state_dict(by_hand()[0].state_dict())
    reg.step()


@pytest.mark.parametrize("made", [0, 1])
def test_steps_made_by_hand_that_go_on_say_nothing(made):
    old, new = by_hand(), by_hand()
    for _ in range(made):
        old[1].step()
    new[0].load_state_dict(old[0].state_dict())
    new[1].load_state_dict(old[1].state_dict())
    new[1].step()
    assert new[1].strengths["1/activity/L1"] == pytest.approx((made + 1) / 50 * 1e-2)


def test_a_model_that_was_restored_before_says_nothing():
    model, _ = by_hand()
    model.load_state_dict(by_hand()[0].state_dict())
    reg = rz.Regularization(model, [rz.activity(rz.L1(WARMUP), where="1")])
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        reg.step()
    assert not said


def test_a_state_with_former_keys_is_gone_on_from():
    def made():
        model = nn.Sequential(nn.Linear(4, 8), nn.ReLU())
        rules = [rz.activity(rz.L1(s), where="") for s in (WARMUP, rz.LinearWarmup(1, steps=4))]
        reg = rz.Regularization(model, rules)
        optimizer = Adam(model.parameters())
        reg.attach(optimizer)
        return reg, optimizer

    reg, optimizer = made()
    optimizer.step()
    state = optimizer.state_dict()
    (saved,) = state["param_groups"][0]["regularizers"].values()
    former = {
        part: {
            {"model/activity/L1": "(root)/activity/L1"}.get(key, "(root)/activity/L1#2"): value
            for key, value in saved[part].items()
        }
        for part in ("rules", "strengths")
    }
    name = f"{crc32(repr(former['rules']).encode()):08x}"
    state["param_groups"][0]["regularizers"] = {name: saved | former}
    again, optimizer = made()
    optimizer.load_state_dict(state)
    assert dict(again.strengths) == dict(reg.strengths)
    assert again.strengths["model/activity/L1/2"] == 0.25


def test_a_state_that_lost_its_empty_mappings_is_gone_on_from():
    old, new = Job(), Job()
    old.train(0, 5)
    state = old.optimizer.state_dict()
    (carried,) = state["param_groups"][0]["regularizers"].values()
    assert carried.pop("controllers") == {}  # as FSDP2 of Accelerate does
    new.optimizer.load_state_dict(state)
    assert new.strength == old.strength == pytest.approx(1e-3)
