"""Every conversion of docs/how-to/weight-decay.md: the other's number or weights, and ours."""

import os

os.environ["KERAS_BACKEND"] = "torch"

import keras
import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn.datasets import load_breast_cancer, load_diabetes
from sklearn.linear_model import ElasticNet, Lasso, LogisticRegression, Ridge
from torch import Tensor, nn

import regularizers as rz
from attach.helpers import batch, mlp


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        (keras.regularizers.L1(0.3), rz.L1(0.3)),
        (keras.regularizers.L2(0.3), rz.L2Squared(0.3)),
        (keras.regularizers.L1L2(0.3, 0.2), rz.L1L2(0.3, 0.2)),
        (
            keras.regularizers.OrthogonalRegularizer(0.3, mode="rows"),
            rz.Orthogonal(0.3, axis=1, normalized=True),
        ),
        (
            keras.regularizers.OrthogonalRegularizer(0.3, mode="columns"),
            rz.Orthogonal(0.3, axis=0, normalized=True),
        ),
    ],
)
def test_keras_kernel_regularizers(theirs, ours):
    layer = keras.layers.Dense(3, kernel_regularizer=theirs)
    layer.build((None, 5))
    linear = nn.Linear(5, 3)
    with torch.no_grad():
        linear.weight.copy_(layer.kernel.value.T)
    (loss,) = layer.losses
    reg = rz.Regularization(linear, [rz.kernel(ours)])
    assert reg.penalty().item() == pytest.approx(loss.item(), rel=1e-5)


def test_keras_decays_weights_as_adamw_does():
    start = np.array([1.0, -2.0], dtype=np.float32)
    variable = keras.Variable(start)
    decayed = keras.optimizers.Adam(learning_rate=0.1, weight_decay=0.3)
    decayed.apply([torch.zeros(2)], [variable])
    weight = nn.Parameter(torch.tensor(start))
    weight.grad = torch.zeros(2)
    torch.optim.AdamW([weight], lr=0.1, weight_decay=0.3).step()
    theirs = variable.value.detach().numpy()
    assert_allclose(theirs, weight.detach().numpy(), rtol=1e-6)
    assert_allclose(theirs, (1 - 0.1 * 0.3) * start, rtol=1e-6)


@pytest.mark.parametrize("kind", [torch.optim.SGD, torch.optim.Adam])
@pytest.mark.parametrize("within_the_step", [True, False])
def test_coupled_decay_of_pytorch(kind, within_the_step):
    model, other = mlp(), mlp()
    ours = kind(model.parameters(), lr=0.01)
    theirs = kind(other.parameters(), lr=0.01, weight_decay=0.3)
    reg = rz.Regularization(model, [rz.kernel(rz.L2Squared(0.15)), rz.bias(rz.L2Squared(0.15))])
    if within_the_step:
        reg.attach(ours)
    for seed in range(100):
        for net, optimizer in ((model, ours), (other, theirs)):
            optimizer.zero_grad()
            loss = net(batch(seed=seed)).square().mean()
            (loss + reg.penalty() if net is model else loss).backward()
            optimizer.step()
    for one, two in zip(model.parameters(), other.parameters(), strict=True):
        torch.testing.assert_close(one, two, rtol=1e-9, atol=1e-11)


def test_decoupled_decay_is_coupled_decay_for_plain_sgd_and_not_for_adam():
    weight, gradient = torch.tensor([1.0, -2.0]), torch.tensor([0.5, 3.0])

    def stepped(kind, **options) -> Tensor:
        parameter = nn.Parameter(weight.clone())
        parameter.grad = gradient.clone()
        kind([parameter], lr=0.1, **options).step()
        return parameter.detach()

    decoupled = (1 - 0.1 * 0.3) * weight - 0.1 * gradient
    torch.testing.assert_close(stepped(torch.optim.SGD, weight_decay=0.3), decoupled)
    adam, adamw = (
        stepped(kind, weight_decay=0.3) for kind in (torch.optim.Adam, torch.optim.AdamW)
    )
    assert not torch.allclose(adam, adamw)


def test_optax_adds_twice_the_strength_times_the_weight():
    # optax.add_decayed_weights(λ) adds λw to the gradient
    w = np.array([1.0, -2.0])
    assert_allclose(rz.L2Squared(0.3 / 2).gradient(w), 0.3 * w)


@pytest.fixture(scope="module")
def diabetes() -> tuple[np.ndarray, np.ndarray]:
    x, y = load_diabetes(return_X_y=True)
    return tuple((v - v.mean(axis=0)) / v.std(axis=0) for v in (x, y))


def minimised(x, y, loss, penalty: rz.Penalty, outputs: int = 1) -> np.ndarray:
    """Return the kernel of a linear layer where the loss and the smooth penalty are least."""
    layer = nn.Linear(x.shape[1], outputs).double()
    reg = rz.Regularization(layer, [rz.kernel(penalty)])
    optimizer = torch.optim.LBFGS(
        layer.parameters(),
        max_iter=500,
        tolerance_grad=1e-10,
        tolerance_change=1e-15,  # by default it stops early from one start in three
        line_search_fn="strong_wolfe",
    )
    x, y = torch.from_numpy(x), torch.from_numpy(y)

    def closure() -> Tensor:
        optimizer.zero_grad()
        value = loss(layer(x), y) + reg.penalty()
        value.backward()
        return value

    optimizer.step(closure)
    return layer.weight.detach().numpy()


def test_ridge(diabetes):
    x, y = diabetes
    ours = minimised(x, y[:, None], nn.functional.mse_loss, rz.L2Squared(7.0 / len(x)))
    assert_allclose(ours[0], Ridge(7.0).fit(x, y).coef_, atol=1e-4)


@pytest.mark.parametrize(
    ("theirs", "penalty"),
    [
        (Lasso(0.1), rz.L1(0.1)),
        (ElasticNet(0.1, l1_ratio=0.7), rz.L1L2(0.1 * 0.7, 0.1 * 0.3 / 2)),
    ],
)
def test_lasso_and_elastic_net_minimise_half_the_mean_squared_error(diabetes, theirs, penalty):
    x, y = diabetes
    theirs.set_params(tol=1e-12).fit(x, y)
    layer = nn.Linear(x.shape[1], 1).double()
    optimizer = torch.optim.SGD(layer.parameters(), lr=0.2)
    rz.Regularization(layer, [rz.kernel(penalty, proximal=True)]).attach(optimizer)
    for _ in range(500):
        optimizer.zero_grad()
        prediction = layer(torch.from_numpy(x)).squeeze(1)
        (0.5 * nn.functional.mse_loss(prediction, torch.from_numpy(y))).backward()
        optimizer.step()
    assert_allclose(layer.weight.detach()[0], theirs.coef_, atol=1e-4)


def test_logistic_regression():
    x, y = load_breast_cancer(return_X_y=True)
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    theirs = LogisticRegression(C=0.5, tol=1e-10, max_iter=10_000).fit(x, y).coef_
    ours = minimised(
        x,
        y[:, None].astype(np.float64),
        nn.functional.binary_cross_entropy_with_logits,
        rz.L2Squared(1 / (2 * 0.5 * len(x))),
    )
    assert_allclose(ours, theirs, atol=1e-4)
