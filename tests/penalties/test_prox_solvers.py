"""Proximal gradient descent, written here in three lines, reaches what solvers reach."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.datasets import load_diabetes
from sklearn.linear_model import ElasticNet, Lasso

from regularizers import L1, L1L2, GroupLasso


@pytest.fixture(scope="module")
def diabetes():
    """Return standardised features and a standardised target."""
    features, target = load_diabetes(return_X_y=True)
    return tuple((v - v.mean(axis=0)) / v.std(axis=0) for v in (features, target))


def fitted(penalty, features, target, weights):
    """Return the weights at which ‖features · weights − target‖²/2n plus the penalty is least."""
    step = len(features) / np.linalg.norm(features, 2) ** 2
    for _ in range(5000):
        slope = features.T @ (features @ weights - target) / len(features)
        weights = penalty.prox(weights - step * slope, step)
    return weights


@pytest.mark.parametrize("strength", [0.01, 0.05, 0.2])
def test_l1_reaches_the_lasso(diabetes, strength):
    features, target = diabetes
    expected = Lasso(strength, fit_intercept=False, tol=1e-12).fit(features, target).coef_
    weights = fitted(L1(strength), features, target, np.zeros(10))

    assert (expected == 0).any()
    assert_array_equal(weights == 0, expected == 0)
    assert_allclose(weights, expected, atol=1e-3)


@pytest.mark.parametrize("strength", [0.05, 0.2])
@pytest.mark.parametrize("share", [0.3, 0.8])
def test_l1l2_reaches_the_elastic_net(diabetes, strength, share):
    features, target = diabetes
    net = ElasticNet(strength, l1_ratio=share, fit_intercept=False, tol=1e-12, max_iter=100_000)
    expected = net.fit(features, target).coef_
    penalty = L1L2(strength * share, 0.5 * strength * (1 - share))
    weights = fitted(penalty, features, target, np.zeros(10))

    assert_array_equal(weights == 0, expected == 0)
    assert_allclose(weights, expected, atol=1e-3)


@pytest.mark.parametrize("strength", [0.05, 0.5, 5.0])
def test_groups_of_orthonormal_features_have_a_closed_form(strength):
    """Yuan and Lin, equation 2.4, with no weight of the size: β_g = (1 − s/‖z_g‖)₊ z_g."""
    generator = np.random.default_rng(0)
    features = np.linalg.qr(generator.normal(size=(40, 6)))[0] * 40**0.5
    target = features @ generator.normal(size=(6, 3)) * [1.0, 0.3, 0.05]
    weights = fitted(GroupLasso(strength, axis=1), features, target, np.zeros((6, 3)))
    z = features.T @ target / 40
    expected = np.maximum(1 - strength / np.linalg.norm(z, axis=0), 0) * z

    assert_array_equal(weights == 0, expected == 0)
    assert_allclose(weights, expected, atol=1e-10)


def test_the_weight_by_size_of_yuan_and_lin_is_a_factor():
    kernel = np.arange(12.0).reshape(3, 4)
    weighted = 0.5 * sum(4**0.5 * np.linalg.norm(row) for row in kernel)

    assert float(GroupLasso(0.5 * 4**0.5, axis=0)(kernel)) == pytest.approx(weighted)
