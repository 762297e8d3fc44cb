"""The net of docs/integrations/skorch.md against a loop written by hand."""

from pathlib import Path

import pytest
import torch
from torch import nn

import regularizers as rz
from integrations.by_hand import (
    ACTIVE,
    BATCH,
    EPOCHS,
    MOMENTUM,
    RATE,
    SQUARES,
    data,
    network,
    trained,
    weights,
)
from regularizers.errors import CollectionError, SelectionError
from two_processes import assert_both_pass

skorch = pytest.importorskip("skorch")

RULES = (rz.activity(rz.L1(ACTIVE), where="1"), rz.kernel(rz.L2Squared(SQUARES)))


class Regularized(skorch.NeuralNetRegressor):
    """As on the page, with gradients that are accumulated."""

    def __init__(self, *args, rules=(), accumulated=1, **kwargs):
        super().__init__(*args, **kwargs)
        self.rules = rules
        self.accumulated = accumulated

    def initialize_module(self):
        super().initialize_module()
        self.reg_ = rz.Regularization(self.module_, self.rules)
        return self

    def get_loss(self, *args, training=False, **kwargs):
        loss = super().get_loss(*args, training=training, **kwargs)
        return (loss + self.reg_.penalty()) / self.accumulated if training else loss

    def fit_loop(self, *args, **kwargs):
        self.batches_ = 0
        return super().fit_loop(*args, **kwargs)

    def train_step(self, batch, **params):
        if self.batches_ % self.accumulated == 0:
            self.optimizer_.zero_grad()
        self.batches_ += 1
        step = self.train_step_single(batch, **params)
        if self.batches_ % self.accumulated == 0:
            self.optimizer_.step()
            if any(isinstance(rule.penalty.strength, rz.LinearWarmup) for rule in self.rules):
                self.reg_.step()
        return step


def net(model: nn.Module, rules=RULES, **options) -> Regularized:
    options = {"max_epochs": EPOCHS, "train_split": None} | options
    return Regularized(
        model,
        rules=rules,
        lr=RATE,
        optimizer__momentum=MOMENTUM,
        batch_size=BATCH,
        verbose=0,
        **options,
    )


@pytest.mark.parametrize("accumulated", [1, 2, 4])
def test_training_equals_that_by_hand(accumulated):
    fitted = net(network(), accumulated=accumulated).fit(*data())
    expected = trained(accumulated)
    torch.testing.assert_close(weights(fitted.module_), expected, rtol=1e-12, atol=1e-12)
    without = trained(accumulated, times=lambda step: 0.0)
    assert (expected - without).abs().max() > 1e-3


def test_validation_has_no_penalty_and_leaves_no_record():
    x, y = data()
    fitted = net(network(), train_split=skorch.dataset.ValidSplit(4)).fit(x, y)
    held_out = skorch.dataset.ValidSplit(4)(skorch.dataset.Dataset(x, y), y)[1]
    part = torch.utils.data.DataLoader(held_out, batch_size=len(held_out))
    ((inputs, targets),) = part
    with torch.no_grad():
        expected = (fitted.module_(inputs) - targets).square().mean().item()
    assert fitted.history[-1, "valid_loss"] == pytest.approx(expected)


WARMING = [
    rz.activity(rz.L1(rz.LinearWarmup(ACTIVE, steps=16)), where="1"),
    rz.kernel(rz.L2Squared(rz.LinearWarmup(SQUARES, steps=16))),
]


def test_resumed_training_equals_uninterrupted(tmp_path):
    whole = net(network(), WARMING).fit(*data())
    paths = {"f_params": tmp_path / "model.pt", "f_optimizer": tmp_path / "optimizer.pt"}
    first = net(network(), WARMING, max_epochs=1).fit(*data())
    first.save_params(**paths)
    strengths = first.reg_.state_dict()
    second = net(network(), WARMING, max_epochs=EPOCHS - 1).initialize()
    second.load_params(**paths)
    second.reg_.load_state_dict(strengths)
    second.partial_fit(*data())
    assert torch.equal(weights(second.module_), weights(whole.module_))
    by_hand = trained(times=lambda step: min(step / 16, 1.0))
    torch.testing.assert_close(weights(whole.module_), by_hand, rtol=1e-12, atol=1e-12)


def test_a_rule_that_matches_nothing_raises_before_the_first_batch():
    regularized = net(network(), [rz.activity(rz.L1(1.0), where="encoder")])
    with pytest.raises(SelectionError, match="encoder"):
        regularized.fit(*data())
    assert not regularized.history


def test_a_copy_predicts_and_does_not_train():
    import copy

    x, y = data()
    fitted = net(network()).fit(x, y)
    twin = copy.deepcopy(fitted)
    assert (twin.predict(x) == fitted.predict(x)).all()
    with pytest.raises(CollectionError, match="is a copy"):
        twin.partial_fit(x, y)


def test_two_processes_are_one():
    from integrations.skorch_ranks import CHECKS

    assert_both_pass(str(Path(__file__).with_name("skorch_ranks.py")), CHECKS)
