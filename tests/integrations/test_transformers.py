"""The Trainer's callback, against the same training written by hand in plain torch."""

import copy
from collections import Counter

import pytest
import torch
import transformers as hf

import regularizers as rz
from integrations.transformers_tiny import (
    STRENGTH,
    Stream,
    by_hand,
    classifier,
    gap,
    llama,
    points,
    texts,
    trained,
    windows_of,
)
from regularizers.integrations.transformers import Regularizing

ACT = [rz.activity(rz.L1(STRENGTH), where="act")]
MLP = [rz.activity(rz.L1(STRENGTH), where="model.layers.*.mlp.act_fn")]
MLP_SITES = ["model.layers.0.mlp.act_fn", "model.layers.1.mlp.act_fn"]
KINDS = {
    "the Trainer divides": (classifier, points, ACT, ["act"]),
    "the model counts tokens": (llama, texts, MLP, MLP_SITES),
}


@pytest.fixture(params=KINDS)
def kind(request):
    return KINDS[request.param]


@pytest.mark.parametrize(
    ("batches", "accumulated", "sizes"),
    [
        (3, 1, [2, 2, 2]),
        (4, 2, [4, 4]),
        (8, 4, [8, 8]),
        (7, 4, [8, 6]),
        (3, 4, [6]),
    ],
)
def test_accumulated_batches_are_one_batch(kind, batches, accumulated, sizes, tmp_path):
    build, data_of, rules, sites = kind
    model, data = build(), data_of(2 * batches)
    before = copy.deepcopy(model)
    trained(model, data, tmp_path, Regularizing(rules), gradient_accumulation_steps=accumulated)
    windows = windows_of(data, sizes)
    assert gap(model, by_hand(before, windows, sites)) < 1e-9
    assert gap(model, by_hand(before, windows, [])) > 1e-2


@pytest.mark.parametrize(("batches", "accumulated"), [(1, 1), (2, 2), (4, 4), (3, 4)])
def test_in_float32_the_share_of_the_penalty_is_that_of_one_batch(
    kind, batches, accumulated, tmp_path
):
    build, data_of, rules, sites = kind
    twins = [build(torch.float32) for _ in range(2)]
    data = [data_of(2 * batches, torch.float32) for _ in twins]
    for k, (model, given) in enumerate(zip(twins, data, strict=True)):
        with_rules = [Regularizing(rules)] * k
        trained(model, given, tmp_path, *with_rules, gradient_accumulation_steps=accumulated)
    assert share(*twins, build(), windows_of(data[1], [2 * batches]), sites) < 1e-5


def share(plain, penalised, before, windows, sites, strength=STRENGTH):
    """Return how far the penalty's part of an update is from that by hand, in parts of it."""
    hand = [by_hand(before, windows, s, strength=strength) for s in ([], sites)]
    moved, expected = (
        torch.cat([(b.double() - a.double()).flatten() for a, b in zip(x, y, strict=True)])
        for x, y in [(m.parameters() for m in pair) for pair in ((plain, penalised), hand)]
    )
    assert expected.norm() > 0.02
    return ((moved - expected).norm() / expected.norm()).item()


def summed(outputs, labels, num_items_in_batch=None):
    """A loss function of the user, which divides by the items of the window itself."""
    loss = torch.nn.functional.cross_entropy(outputs["logits"], labels, reduction="sum")
    return loss / num_items_in_batch


@pytest.mark.parametrize(
    ("kind", "more"),
    [
        ("the model counts tokens", {"label_smoothing_factor": 0.1}),
        ("the model counts tokens", {"average_tokens_across_devices": False}),
        ("the Trainer divides", {"of": {"compute_loss_func": summed}}),
        ("the Trainer divides", {"change": lambda t: setattr(t, "loss_is_scaled_for_ga", True)}),
    ],
    ids=["smoothed labels", "tokens of one device", "a function of the user", "said by hand"],
)
def test_the_share_is_the_same_however_the_loss_is_divided(kind, more, tmp_path):
    build, data_of, rules, sites = KINDS[kind]
    twins, data = [build() for _ in range(2)], [data_of(8) for _ in range(2)]
    for k, (model, given) in enumerate(zip(twins, data, strict=True)):
        with_rules = [Regularizing(rules)] * k
        trained(model, given, tmp_path, *with_rules, gradient_accumulation_steps=4, **more)
    # the smoother of transformers adds up in float32
    assert share(*twins, build(), windows_of(data[1], [8]), sites) < 1e-6


@pytest.mark.parametrize("reentrant", [True, False])
def test_checkpointed_activations_are_exact(reentrant, tmp_path):
    model, data = llama(), texts(14)
    before = copy.deepcopy(model)
    model.enable_input_require_grads()
    trained(
        model,
        data,
        tmp_path,
        Regularizing(MLP),
        gradient_accumulation_steps=4,
        activation_checkpointing=True,
        activation_checkpointing_kwargs={"use_reentrant": reentrant},
    )
    assert gap(model, by_hand(before, windows_of(data, [8, 6]), MLP_SITES)) < 1e-9


def test_weights_enter_in_the_step(tmp_path):
    model, data = classifier(), points(14)
    before = copy.deepcopy(model)
    rules = [*ACT, rz.kernel(rz.L2Squared(STRENGTH), where="second")]
    trained(model, data, tmp_path, Regularizing(rules), gradient_accumulation_steps=4)
    hand = by_hand(before, windows_of(data, [8, 6]), ["act"], ["second.weight"])
    assert gap(model, hand) < 1e-9


def test_rules_of_weights_alone_take_data_without_a_length(tmp_path):
    model, data = classifier(), points(16)
    before = copy.deepcopy(model)
    rules = [
        rz.kernel(rz.L2Squared(STRENGTH), where="second"),
        rz.constraint(rz.NonNegative(), where="first"),
    ]
    stream = Stream(data.samples)
    trained(
        model, stream, tmp_path, Regularizing(rules[:1]), gradient_accumulation_steps=4, max_steps=2
    )
    data.order = list(range(16))
    assert gap(model, by_hand(before, windows_of(data, [8, 8]), [], ["second.weight"])) < 1e-9
    trained(model, stream, tmp_path, Regularizing(rules), max_steps=2)
    assert model.first.weight.min() == 0


def test_evaluation_is_that_of_the_model_and_no_hook_stays(tmp_path):
    model, data = classifier(), points(8)
    hooks = Counter(type(m).__name__ for m in model.modules() for _ in m._forward_hooks)
    trainer = trained(
        model,
        data,
        tmp_path,
        Regularizing(ACT),
        of={"eval_dataset": points(8)},
        eval_strategy="steps",
        eval_steps=1,
        num_train_epochs=2,
    )
    last = [log["eval_loss"] for log in trainer.state.log_history if "eval_loss" in log][-1]
    x, labels = (torch.stack([s[k] for s in points(8).samples]) for k in ("x", "labels"))
    assert last == pytest.approx(model(x, labels)["loss"].item(), rel=1e-6)
    assert hooks == Counter() == Counter(m for m in model.modules() for _ in m._forward_hooks)


class Keeps(hf.TrainerCallback):
    """Keeps the logs as a callback that comes after."""

    def __init__(self):
        self.logs = []

    def on_log(self, args, state, control, logs=None, **_):
        self.logs.append(dict(logs))


def test_the_values_are_in_the_history_and_for_callbacks_that_come_after(tmp_path):
    model, keeps = classifier(), Keeps()
    before = copy.deepcopy(model)
    trainer = trained(
        model,
        points(2),
        tmp_path,
        Regularizing(ACT),
        keeps,
        logging_strategy="steps",
        logging_steps=1,
    )
    x = torch.stack([sample["x"] for sample in points(2).samples])
    value = STRENGTH * before.act(before.first(x)).abs().sum().item() / 2
    for log in (trainer.state.log_history[0], keeps.logs[0]):
        assert log["penalty/act/activity/L1"] == pytest.approx(value, rel=1e-6)
    assert not any("penalty" in key for key in keeps.logs[-1])  # the summary of the run
