"""Run by two processes of PyTorch, each with a half of the batch of a Keras model."""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

import regularizers as rz
from regularizers.errors import RegimeError
from regularizers.integrations.keras import ActivityPenalty, Regularizer
from two_processes import run


def batch():
    generator = np.random.default_rng(3)
    x, y = generator.normal(size=(8, 4)), generator.normal(size=(8, 3))
    return torch.tensor(x, dtype=torch.float32), torch.tensor(y, dtype=torch.float32)


def layer():
    keras.utils.set_random_seed(1)
    made = keras.layers.Dense(
        3,
        activity_regularizer=Regularizer(rz.L1(0.1) + rz.L2Norm(0.1)),
        kernel_regularizer=Regularizer(rz.L2Squared(0.1)),
    )
    made.build((None, 4))
    return made


def the_gradient_is_that_of_one_process():
    (x, y), made = batch(), layer()
    part = slice(4 * torch.distributed.get_rank(), 4 * torch.distributed.get_rank() + 4)
    parallel = DistributedDataParallel(made)
    output = parallel(x[part])
    ((output - y[part]).square().mean() + sum(made.losses)).backward()

    kernel = made.kernel.value.detach().clone().requires_grad_()
    whole = x @ kernel
    each = whole.abs().sum(dim=1) + whole.square().sum(dim=1).sqrt()
    penalties = 0.1 * each.mean() + 0.1 * kernel.square().sum()
    ((whole - y).square().mean() + penalties).backward()
    torch.testing.assert_close(made.kernel.value.grad, kernel.grad)


def a_penalty_of_the_whole_batch_raises():
    x, _ = batch()
    for penalty in (rz.KLSparsity(0.1, target=0.1), rz.L2Norm(0.1, reduce="sum")):
        with pytest.raises(RegimeError, match=r"each process or replica has a part.*DataPar"):
            keras.layers.Dense(3, activity_regularizer=Regularizer(penalty))(x)
        with pytest.raises(RegimeError, match=r"process_group='world'"):
            ActivityPenalty(penalty)(x)


CHECKS = [the_gradient_is_that_of_one_process, a_penalty_of_the_whole_batch_raises]

if __name__ == "__main__":
    run(CHECKS)
