"""What the Trainer's callback refuses, and when."""

import copy
from types import SimpleNamespace

import pytest
import transformers as hf
from torch import nn

import regularizers as rz
from integrations.transformers_tiny import (
    STRENGTH,
    Claimed,
    Stream,
    by_hand,
    classifier,
    gap,
    points,
    trained,
    windows_of,
)
from regularizers.errors import CollectionError, ConfigurationError, RegimeError, SelectionError
from regularizers.integrations.transformers import Regularizing

ACT = [rz.activity(rz.L1(STRENGTH), where="act")]


def test_rules_that_match_nothing_raise_before_the_first_batch(tmp_path):
    data = points(4)
    with pytest.raises(SelectionError, match="actt"):
        trained(classifier(), data, tmp_path, Regularizing([rz.activity(rz.L1(1.0), where="actt")]))
    assert data.order == []


def test_an_output_that_is_not_reached_raises_before_the_first_step(tmp_path):
    model = classifier()
    model.spare = nn.Tanh()
    before = copy.deepcopy(model)
    with pytest.raises(CollectionError, match="spare: the site has never fired"):
        trained(model, points(4), tmp_path, Regularizing([rz.activity(rz.L1(1.0), where="spare")]))
    assert gap(model, before) == 0


def test_accumulated_batches_of_data_without_a_length_raise_before_the_first(tmp_path):
    stream = Stream(points(16).samples)
    with pytest.raises(RegimeError, match=r"no length.*__len__"):
        trained(
            classifier(),
            stream,
            tmp_path,
            Regularizing(ACT),
            gradient_accumulation_steps=4,
            max_steps=2,
        )


def test_data_without_a_length_are_exact_where_nothing_is_accumulated(tmp_path):
    model, data = classifier(), points(6)
    before = copy.deepcopy(model)
    trained(model, Stream(data.samples), tmp_path, Regularizing(ACT), max_steps=3)
    data.order = list(range(6))
    assert gap(model, by_hand(before, windows_of(data, [2, 2, 2]), ["act"])) < 1e-9


def test_a_length_that_is_too_great_raises_before_the_step_it_would_spoil(tmp_path):
    model, data = classifier(), points(14)
    before = copy.deepcopy(model)
    stream = Claimed(data.samples)
    stream.claimed = 16
    with pytest.raises(RegimeError, match=r"expected 8 batches .* 1 of the last window did not"):
        trained(model, stream, tmp_path, Regularizing(ACT), gradient_accumulation_steps=4)
    data.order = list(range(8))
    assert gap(model, by_hand(before, windows_of(data, [8]), ["act"])) < 1e-9


def test_two_in_one_trainer_raise(tmp_path):
    model, data = classifier(), points(4)
    with pytest.raises(ConfigurationError, match="got two"):
        trained(model, data, tmp_path, Regularizing(ACT), Regularizing(ACT))
    assert data.order == []
    assert not any(module._forward_hooks for module in model.modules())


def test_a_training_that_broke_off_is_replaced_with_a_warning(tmp_path):
    class Breaks(hf.TrainerCallback):
        def on_step_begin(self, *_, **__):
            raise KeyboardInterrupt

    model, data = classifier(), points(4)
    before = copy.deepcopy(model)
    first = Regularizing([rz.activity(rz.L1(7.0), where="act")])
    with pytest.raises(KeyboardInterrupt):
        trained(model, points(4), tmp_path, first, Breaks())
    with pytest.warns(UserWarning, match="did not come to its end"):
        trained(model, data, tmp_path, Regularizing(ACT))
    assert gap(model, by_hand(before, windows_of(data, [2, 2]), ["act"])) < 1e-9


def test_a_delivery_of_another_kind_is_refused():
    with pytest.raises(ConfigurationError, match="leave it out"):
        Regularizing(ACT, delivery="collect")


def test_several_gpus_in_one_process_raise(tmp_path):
    def has_two(trainer):
        trainer.args._n_gpu = 2

    with pytest.raises(RegimeError, match=r"trained by nn.DataParallel.*torchrun"):
        trained(classifier(), points(4), tmp_path, Regularizing(ACT), change=has_two)


@pytest.mark.parametrize(
    ("way", "more", "message"),
    [
        ("DEEPSPEED", {}, "trained by DEEPSPEED"),
        ("FSDP", {"fsdp_plugin": SimpleNamespace(fsdp_version=1)}, "by FSDP.*'fsdp_version': 2"),
        ("MULTI_GPU", {"parallelism_config": object()}, "parallelism_config"),
    ],
)
def test_ways_whose_scale_or_parts_are_unknown_raise(way, more, message, tmp_path):
    class Prepares(hf.TrainerCallback):
        def on_train_begin(self, args, state, control, optimizer, **_):
            optimizer.accelerator_state = SimpleNamespace(distributed_type=way, **more)

    with pytest.raises(RegimeError, match=message):
        trained(classifier(), points(4), tmp_path, Prepares(), Regularizing(ACT))


def test_a_target_of_the_loss_raises_before_the_first_step(tmp_path):
    model = classifier()
    before = copy.deepcopy(model)
    rule = rz.activity(rz.L1(rz.TargetLoss(0.5)), where="act")
    with pytest.raises(RegimeError, match="TargetLoss needs the loss"):
        trained(model, points(4), tmp_path, Regularizing([rule]))
    assert gap(model, before) == 0


class Broken(hf.TrainerCallback):
    """Breaks a training off in its second step."""

    def on_step_end(self, args, state, control, **_):
        if state.global_step == 2:
            raise KeyboardInterrupt


@pytest.mark.parametrize("amid", [False, True])
def test_what_follows_a_training_that_broke_off_has_no_penalty_in_silence(tmp_path, amid):
    model, regularizing, kept = classifier(), Regularizing(ACT), []

    def change(trainer):
        kept.append(trainer)
        if amid:
            trainer.compute_loss = lambda *_, **__: 1 / 0

    with pytest.raises(ZeroDivisionError if amid else KeyboardInterrupt):
        trained(model, points(8), tmp_path, regularizing, Broken(), change=change)
    loss = model(**{key: value[None] for key, value in points(1).samples[0].items()})["loss"]
    with pytest.raises(RegimeError, match=r"act: the scale of the loss.*reg\.detach\(\)"):
        loss.backward()
    with pytest.raises(RegimeError, match="act: the scale of the loss"):
        trained(model, points(8), tmp_path)
    regularizing.regularization.detach()
    before = copy.deepcopy(model)
    data = points(4)
    trained(model, data, tmp_path)
    assert gap(model, by_hand(before, windows_of(data, [2] * 2), [])) < 1e-12
