"""The Trainer's callback in half precision, compiled, resumed, by two processes, and refused."""

import copy
import json
import shutil
from pathlib import Path

import pytest
import torch
import transformers as hf
from torch import nn

import regularizers as rz
import two_processes
from integrations.transformers_tiny import (
    STRENGTH,
    by_hand,
    classifier,
    gap,
    points,
    trained,
    windows_of,
)
from regularizers.errors import (
    CollectionError,
    ConfigurationError,
)
from regularizers.integrations.transformers import Regularizing

ACT = [rz.activity(rz.L1(STRENGTH), where="act")]
RANKS = Path(__file__).parent / "transformers_ranks.py"
CHECKS = [
    "check_the_trainer_divides",
    "check_the_model_counts_tokens",
    "check_weights",
    "check_resumed",
    "check_fsdp2",
    "check_fsdp2_resumed",
]
COMPILED = pytest.mark.filterwarnings(
    # of PyTorch's own compiler
    "ignore:.*should not be instantiated:DeprecationWarning"
)


class Reads(hf.TrainerCallback):
    """Reads the strengths before they are detached."""

    def __init__(self, callback):
        self.callback, self.strengths = callback, []

    def on_step_end(self, *_, **__):
        self.strengths.append(self.callback.regularization.strengths["act/activity/L1"])


@pytest.mark.parametrize("scale", [1024.0])
def test_a_loss_scale_scales_the_penalty_too(scale, tmp_path):
    # accelerate has scalers for GPUs only, so that of PyTorch for the CPU is put into its place
    model, data = classifier(), points(14)
    before = copy.deepcopy(model)
    scaler = torch.amp.GradScaler("cpu", init_scale=scale, growth_interval=1)
    trained(
        model,
        data,
        tmp_path,
        Regularizing([*ACT, rz.kernel(rz.L2Squared(STRENGTH), where="second")]),
        change=lambda trainer: setattr(trainer.accelerator, "scaler", scaler),
        gradient_accumulation_steps=4,
    )
    hand = by_hand(before, windows_of(data, [8, 6]), ["act"], ["second.weight"])
    assert gap(model, hand) < 1e-9
    assert scaler.get_scale() == 4 * scale  # it grew between the two steps


def test_a_step_that_the_scaler_skips_moves_nothing_and_no_schedule(tmp_path):
    model, data = classifier(), points(6)
    data.samples[0]["x"][:] = float("inf")
    before = copy.deepcopy(model)
    scaler = torch.amp.GradScaler("cpu", init_scale=8.0)
    rising = Regularizing([rz.activity(rz.L1(rz.LinearWarmup(1.0, steps=4)), where="act")])
    reads = Reads(rising)
    trained(
        model,
        data,
        tmp_path,
        rising,
        reads,
        change=lambda trainer: setattr(trainer.accelerator, "scaler", scaler),
        per_device_train_batch_size=6,
        num_train_epochs=1,
    )
    assert gap(model, before) == 0
    assert reads.strengths == [0.0]
    assert scaler.get_scale() == 4.0


def test_bfloat16_is_exact_but_for_its_rounding(tmp_path):
    model, data = classifier(torch.float32), points(8, torch.float32)
    before = copy.deepcopy(model)
    trained(model, data, tmp_path, Regularizing(ACT), gradient_accumulation_steps=4, bf16=True)
    window = windows_of(data, [8])
    assert gap(model, by_hand(before, window, ["act"])) < 3e-3
    assert gap(model, by_hand(before, window, [])) > 3e-2


@COMPILED
@pytest.mark.parametrize("by_trainer", [True, False])
def test_a_model_compiled_before_training(by_trainer, tmp_path):
    torch._dynamo.reset()
    model, data = classifier(), points(14)
    before = copy.deepcopy(model)
    more = {"torch_compile": True, "torch_compile_backend": "aot_eager"} if by_trainer else {}
    if not by_trainer:
        model.compile(backend="aot_eager")
    trained(model, data, tmp_path, Regularizing(ACT), gradient_accumulation_steps=4, **more)
    assert gap(model, by_hand(before, windows_of(data, [8, 6]), ["act"])) < 1e-9


@COMPILED
def test_a_model_compiled_and_called_before_training_is_told(tmp_path):
    torch._dynamo.reset()
    model, data = classifier(), points(4)
    before = copy.deepcopy(model)
    model.compile(backend="aot_eager")
    batch = {k: torch.stack([sample[k] for sample in data.samples[:2]]) for k in ("x", "labels")}
    model(**batch)["loss"].backward()
    with pytest.raises(CollectionError, match=r"act: the site has never fired"):
        trained(model, data, tmp_path, Regularizing(ACT))
    assert gap(model, before) == 0


def rules_with_state():
    return [
        rz.activity(rz.L1(rz.LinearWarmup(0.2, steps=7)), where="act"),
        rz.kernel(rz.L2Squared(STRENGTH), where="second", towards="initial"),
    ]


class Stops(hf.TrainerCallback):
    def __init__(self, step):
        self.step = step

    def on_step_end(self, args, state, control, **_):
        control.should_training_stop |= state.global_step == self.step


def run(folder, *callbacks, resume=None, model=None, **more):
    model = model or classifier()
    data = points(14)
    options = {
        "gradient_accumulation_steps": 4,
        "num_train_epochs": 4,
        "save_strategy": "steps",
        "save_steps": 1,
        "optim": "adamw_torch",
        "learning_rate": 0.05,
    }
    trained(model, data, folder, *callbacks, resume=resume, **options | more)
    return model


@pytest.mark.parametrize("stop", [2, 3], ids=["between epochs", "before the last window"])
def test_resumed_is_uninterrupted(stop, tmp_path):
    whole = run(tmp_path / "whole", Regularizing(rules_with_state()))
    run(tmp_path / "parts", Regularizing(rules_with_state()), Stops(stop))
    folder = tmp_path / "parts" / f"checkpoint-{stop}"
    assert (folder / "regularization.pt").is_file()
    resumed = run(tmp_path / "parts", Regularizing(rules_with_state()), resume=str(folder))
    assert gap(resumed, whole) == 0
    assert gap(resumed, run(tmp_path / "none")) > 1e-2


def test_a_state_elsewhere_is_found_where_it_is_said_to_be_and_no_other_is_taken(tmp_path):
    whole = run(tmp_path / "whole", Regularizing(rules_with_state()))
    run(tmp_path / "parts", Regularizing(rules_with_state()), Stops(3))
    run(tmp_path / "others", Regularizing(rules_with_state()), Stops(3), learning_rate=0.2)
    moved = shutil.copytree(
        tmp_path / "parts" / "checkpoint-3", tmp_path / "moved" / "checkpoint-3"
    )
    callback = Regularizing(rules_with_state())
    with pytest.raises(ConfigurationError, match=r"resume_from_checkpoint=folder"):
        run(tmp_path / "others", callback, resume=str(moved))
    assert callback.regularization is None
    resumed = run(
        tmp_path / "others", callback, resume=str(moved), resume_from_checkpoint=str(moved)
    )
    assert gap(resumed, whole) == 0


def test_a_checkpoint_of_a_training_without_rules_begins_them_with_a_warning(tmp_path):
    run(tmp_path, Stops(3))
    with pytest.warns(UserWarning, match="made without it"):
        run(tmp_path, Regularizing(ACT), resume=str(tmp_path / "checkpoint-3"))
    state = json.loads((tmp_path / "checkpoint-8" / "trainer_state.json").read_text())
    assert state["stateful_callbacks"]["regularizers"]["attributes"]["run"]


def test_training_twice_begins_anew(tmp_path):
    model, data = classifier(), points(4)
    before = copy.deepcopy(model)
    callback = Regularizing(ACT)
    trainer = trained(model, data, tmp_path, callback)
    trainer.train()
    assert gap(model, by_hand(before, windows_of(data, [2, 2, 2, 2]), ["act"])) < 1e-9


def test_a_target_finds_the_strength_of_one_batch(tmp_path):
    found = []
    for accumulated in (1, 4):
        model = classifier()
        model.act = nn.ReLU()
        callback = Regularizing([rz.activity(rz.L1(rz.TargetActive(6)), where="act")])
        found.append(Reads(callback))
        trained(
            model,
            points(8),
            tmp_path,
            callback,
            found[-1],
            num_train_epochs=20,
            per_device_train_batch_size=8 // accumulated,
            gradient_accumulation_steps=accumulated,
            learning_rate=0.05,
        )
    assert found[0].strengths[-1] > 0
    assert found[0].strengths == pytest.approx(found[1].strengths, rel=1e-6)


def test_two_processes_are_one():
    end = two_processes.launched(RANKS)
    passed = [f"{rank} {check}" for check in CHECKS for rank in (0, 1)]
    assert sorted(end.stdout.split("\n")) == sorted([*passed, ""]), end.stderr
