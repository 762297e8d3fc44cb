"""Keras 3 is the other implementation: the same numbers, layer by layer."""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose

from penalties.arrays import numbers
from regularizers import L1, L1L2, KLSparsity, L2Squared, Orthogonal, Penalty

PAIRS = [
    (keras.regularizers.L1(0.01), L1(0.01, reduce="batch_mean")),
    (keras.regularizers.L2(0.02), L2Squared(0.02, reduce="batch_mean")),
    (keras.regularizers.L1L2(0.01, 0.02), L1L2(0.01, 0.02, reduce="batch_mean")),
]
WEIGHT_PAIRS = [
    (keras.regularizers.L1(0.01), L1(0.01)),
    (keras.regularizers.L2(0.02), L2Squared(0.02)),
    (keras.regularizers.L1L2(0.01, 0.02), L1L2(0.01, 0.02)),
]
LAYER_PARTS = ["kernel", "bias"]


class KullbackLeibler(keras.regularizers.Regularizer):
    """The formula of CS294A, as a user of Keras writes it."""

    def __init__(self, weight, target):
        self.weight = weight
        self.target = target

    def __call__(self, x):
        mean = keras.ops.mean(x, axis=0)
        on = self.target * keras.ops.log(self.target / mean)
        off = (1 - self.target) * keras.ops.log((1 - self.target) / (1 - mean))
        return self.weight * keras.ops.sum(on + off)


def inputs(batch):
    return torch.from_numpy(np.random.default_rng(7).normal(size=(batch, 6)).astype(np.float32))


def dense(**regularizers):
    keras.utils.set_random_seed(3)
    layer = keras.layers.Dense(5, activation="tanh", bias_initializer="normal", **regularizers)
    layer.build((None, 6))
    return layer


def test_keras_runs_on_torch():
    assert keras.backend.backend() == "torch"


def called(value: object) -> str:
    return repr(value) if isinstance(value, Penalty) else type(value).__name__


@pytest.mark.parametrize(("theirs", "ours"), WEIGHT_PAIRS, ids=called)
@pytest.mark.parametrize("part", LAYER_PARTS)
def test_regularized_weights(theirs, ours, part):
    layer = dense(**{f"{part}_regularizer": theirs})
    weight = getattr(layer, part).value.detach()
    (loss,) = layer.losses

    assert float(ours(weight)) == pytest.approx(loss.item(), rel=1e-6)
    assert loss.item() > 0


@pytest.mark.parametrize(("theirs", "ours"), WEIGHT_PAIRS, ids=called)
@pytest.mark.parametrize("part", LAYER_PARTS)
def test_gradients_of_regularized_weights(theirs, ours, part):
    layer = dense(**{f"{part}_regularizer": theirs})
    weight = getattr(layer, part).value
    (expected,) = torch.autograd.grad(layer.losses[0], weight)

    assert_allclose(numbers(ours.gradient(weight)), numbers(expected), rtol=1e-6)


@pytest.mark.parametrize(("theirs", "ours"), PAIRS, ids=called)
@pytest.mark.parametrize("batch", [32, 128])
def test_regularized_activity_is_our_batch_mean(theirs, ours, batch):
    layer = dense(activity_regularizer=theirs)
    output = layer(inputs(batch))
    (loss,) = layer.losses

    assert float(ours(output.detach())) == pytest.approx(loss.item(), rel=1e-6)
    assert loss.item() > 0


@pytest.mark.parametrize(("theirs", "ours"), PAIRS, ids=called)
@pytest.mark.parametrize("batch", [32, 128])
def test_gradients_of_regularized_activity(theirs, ours, batch):
    layer = dense(activity_regularizer=theirs)
    output = layer(inputs(batch))
    (expected,) = torch.autograd.grad(layer.losses[0], output)

    assert_allclose(numbers(ours.gradient(output)), numbers(expected), rtol=1e-6)


@pytest.mark.parametrize("batch", [32, 128])
def test_all_three_at_once(batch):
    layer = dense(
        kernel_regularizer=keras.regularizers.L2(0.02),
        bias_regularizer=keras.regularizers.L1(0.01),
        activity_regularizer=keras.regularizers.L1L2(0.01, 0.02),
    )
    output = layer(inputs(batch)).detach()
    kernel, bias = layer.kernel.value.detach(), layer.bias.value.detach()
    activity = L1L2(0.01, 0.02, reduce="batch_mean")

    ours = L2Squared(0.02)(kernel) + L1(0.01)(bias) + activity(output)
    assert ours.item() == pytest.approx(sum(loss.item() for loss in layer.losses), rel=1e-6)


@pytest.mark.parametrize("batch", [32, 128])
@pytest.mark.parametrize("reduce", [None, "sum", "batch_mean"])
def test_kullback_leibler_called_directly(batch, reduce):
    codings = torch.sigmoid(inputs(batch)).requires_grad_()
    loss = KullbackLeibler(5e-3, 0.1)(codings)
    (expected,) = torch.autograd.grad(loss, codings)
    ours = KLSparsity(5e-3, target=0.1, reduce=reduce)

    assert ours(codings).item() == pytest.approx(loss.item(), rel=1e-5)
    assert_allclose(numbers(ours.gradient(codings)), numbers(expected), rtol=1e-5)


@pytest.mark.parametrize(("mode", "axis"), [("rows", 0), ("columns", 1)])
@pytest.mark.parametrize("shape", [(6, 5), (5, 6), (2, 3)], ids=str)
def test_orthogonality(mode, axis, shape):
    theirs = keras.regularizers.OrthogonalRegularizer(0.7, mode)
    generator = torch.Generator().manual_seed(5)
    kernel = torch.randn(shape, generator=generator, requires_grad=True)
    loss = theirs(kernel)
    (expected,) = torch.autograd.grad(loss, kernel)
    ours = Orthogonal(0.7, axis, normalized=True)

    assert ours(kernel).item() == pytest.approx(loss.item(), rel=1e-5)
    assert_allclose(numbers(ours.gradient(kernel)), numbers(expected), rtol=1e-4, atol=1e-7)


def test_orthogonality_of_a_dense_kernel_is_of_the_other_axis_of_a_linear_weight():
    layer = dense(kernel_regularizer=keras.regularizers.OrthogonalRegularizer(0.7, "columns"))
    weight = layer.kernel.value.detach().T

    assert Orthogonal(0.7, axis=0, normalized=True)(weight).item() == pytest.approx(
        layer.losses[0].item(), rel=1e-5
    )
