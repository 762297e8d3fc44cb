"""Run by two processes of PyTorch, each with a half of every batch of a skorch net."""

import torch
from skorch import NeuralNetRegressor
from torch.nn.parallel import DistributedDataParallel

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
from two_processes import run

RULES = [rz.activity(rz.L1(ACTIVE), where="1"), rz.kernel(rz.L2Squared(SQUARES))]


class Regularized(NeuralNetRegressor):
    """As on the page."""

    def __init__(self, *args, rules=(), **kwargs):
        super().__init__(*args, **kwargs)
        self.rules = rules

    def initialize_module(self):
        super().initialize_module()
        self.reg_ = rz.Regularization(self.module_, self.rules, process_group="world")
        self.module_ = DistributedDataParallel(self.module_)
        return self

    def get_loss(self, *args, training=False, **kwargs):
        loss = super().get_loss(*args, training=training, **kwargs)
        return loss + self.reg_.penalty() if training else loss


def two_processes_are_the_loop_by_hand():
    x, y = [part[torch.distributed.get_rank() :: 2] for part in data()]
    net = Regularized(
        network(),
        rules=RULES,
        lr=RATE,
        optimizer__momentum=MOMENTUM,
        batch_size=BATCH // 2,
        max_epochs=EPOCHS,
        train_split=None,
        verbose=0,
    )
    found = weights(net.fit(x, y).module_)
    torch.testing.assert_close(found, trained(), rtol=1e-12, atol=1e-12)
    without = trained(times=lambda step: 0.0)
    assert (found - without).abs().max() > 1e-3


CHECKS = [two_processes_are_the_loop_by_hand]

if __name__ == "__main__":
    run(CHECKS)
