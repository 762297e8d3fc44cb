"""A Keras model on PyTorch is a module of PyTorch: weights are exact, activities say the cure."""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import pytest
import torch
from torch import nn

import regularizers as rz
from regularizers.errors import SelectionError


def written():
    inputs = keras.Input((6,), dtype="int32")
    h = keras.layers.Embedding(10, 4)(inputs)
    h = keras.layers.LSTM(5, return_sequences=True)(h)
    h = keras.layers.MultiHeadAttention(2, 3)(h, h)
    h = keras.layers.Flatten()(keras.layers.LayerNormalization()(h))
    return keras.Model(inputs, keras.layers.Dense(2, name="x_bias")(h))


@pytest.mark.parametrize("role", ["kernel", "bias"])
def test_weights_of_a_keras_model_are_those_of_their_role(role):
    model = written()
    reg = rz.Regularization(model, [getattr(rz, role)(rz.L2Squared(0.1))])
    for variable in model.trainable_variables:  # biases begin at 0
        variable.assign(variable + 0.5)
    named = [v for v in model.trainable_variables if v.path.endswith(role)]
    assert len(named) == (7 if role == "kernel" else 6)
    wanted = 0.1 * sum(v.value.detach().double().square().sum() for v in named)
    penalty = reg.penalty()
    assert penalty.item() == pytest.approx(wanted.item(), rel=1e-6)
    gradients = torch.autograd.grad(penalty, [v.value for v in named])
    for variable, gradient in zip(named, gradients, strict=True):
        torch.testing.assert_close(gradient, 0.2 * variable.value.detach())


def test_a_weight_of_a_sequential_counts_once_though_keras_holds_it_twice():
    model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(0.1))])
    kernel = model.layers[0].kernel.value
    penalty = reg.penalty()
    assert penalty.item() == pytest.approx(0.1 * kernel.detach().double().square().sum().item())
    (gradient,) = torch.autograd.grad(penalty, [kernel])
    torch.testing.assert_close(gradient, 0.2 * kernel.detach())


def test_weight_decay_leaves_biases_of_keras_out():
    model = written()
    groups = {g["name"]: g["params"] for g in rz.weight_decay_groups(model, 0.1)}
    decayed = {id(p) for p in groups["decay"]}
    for variable in model.trainable_variables:
        decays = variable.path.endswith(("kernel", "embeddings"))
        assert (id(variable.value) in decayed) == decays, variable.path


@pytest.mark.parametrize("where", ["x_bias", "**", "", keras.layers.Dense, lambda m, n: True])
def test_an_activity_of_a_keras_model_names_the_cure(where):
    cure = r"Keras, which calls no hook.*activity_regularizer=.*keras\.Regularizer"
    with pytest.raises(SelectionError, match=cure):
        rz.Regularization(written(), [rz.activity(rz.L1(0.1), where=where)])
    with pytest.raises(SelectionError, match=cure):
        rz.Monitor(written(), where=where)


def test_a_keras_layer_within_a_model_of_pytorch():
    layer = keras.layers.Dense(3)
    layer.build((None, 4))
    model = nn.Sequential(nn.Linear(4, 4), layer)
    reg = rz.Regularization(model, [rz.activity(rz.L1(0.1), where="0")])
    x = torch.rand(5, 4)
    model(x)
    assert reg.penalty().item() == pytest.approx(0.1 * model[0](x).abs().sum().item() / 5)
    with pytest.raises(SelectionError, match=r"where='1' matches a layer of Keras"):
        rz.Regularization(model, [rz.activity(rz.L1(0.1), where="1")])
