"""Helpers of the tests of targets of the loss."""

import torch

import regularizers as rz
from attach.control.driving import batch, coder, error_of

KEY = "1/activity/L1"


def outputs(target=None, **options):
    return rz.activity(rz.L1(target or rz.TargetLoss(0.3), **options), where="1")


def kernels(target=None, where="0"):
    return rz.kernel(rz.L2Squared(target or rz.TargetLoss(0.3)), where=where)


def stepped(model, reg, delivery, update, step):
    """Take a step of training, and return the loss of the task."""
    update.zero_grad()
    loss = error_of(model, batch(step))
    (loss + reg.penalty() if delivery == "collect" else reg.scale_from(loss)).backward()
    update.step()
    reg.step(loss=loss) if delivery == "collect" else reg.step()
    return loss.item()


def trained(model, reg, steps, delivery="collect", first=0, update=None):
    """Train, and return the strengths after each step."""
    update = update or torch.optim.SGD(model.parameters(), lr=0.05)
    found = []
    for step in range(first, first + steps):
        stepped(model, reg, delivery, update, step)
        found.append(dict(reg.strengths))
    return found


def made(rules, delivery="collect", units=12):
    model = coder(units)
    return model, rz.Regularization(model, rules, delivery=delivery)
