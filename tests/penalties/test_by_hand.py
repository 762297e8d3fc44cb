"""Values and gradients that can be checked in the head."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose

from penalties.arrays import make, numbers
from regularizers import (
    L0,
    L1,
    L1L2,
    ActivityRegularization,
    Budget,
    GroupLasso,
    Hinge,
    Hoyer,
    Huber,
    KLSparsity,
    L2Norm,
    L2Squared,
    Laplacian,
    LogSum,
    Lp,
    Orthogonal,
    TotalVariation,
)

close = pytest.approx

VALUES = [
    (L1(0.1), [1.0, -2.0, 3.0], 0.6),
    (L1(0.1), [[1.0, 2.0], [-3.0, 4.0]], 1.0),
    (L2Norm(0.1), [3.0, 4.0], 0.5),
    (L2Norm(0.1), [0.0, 0.0], 0.0),
    (L2Squared(0.1), [1.0, 2.0, 3.0], 1.4),
    (L1L2(0.1, 0.2), [1.0, -2.0], 0.1 * 3 + 0.2 * 5),
    (ActivityRegularization.l1(0.1), [1.0, -2.0, 3.0], 0.6),
    (ActivityRegularization.l2(0.1), [3.0, 4.0], 0.5),
    (ActivityRegularization.l2_squared(0.1), [1.0, 2.0, 3.0], 1.4),
    (L1(0.1) + L2Squared(0.1), [1.0, 2.0, 3.0], 0.6 + 1.4),
    (KLSparsity(0.1, target=0.5), [[0.25], [0.25]], 0.1 * 0.5 * math.log(4 / 3)),
    (KLSparsity(0.1, target=0.5), [[0.25], [0.75]], 0.0),
    (Huber(0.1), [0.5, -1.0, 3.0], 0.1 * (0.125 + 0.5 + 2.5)),
    (Huber(0.1, delta=2.0), [1.0, -3.0], 0.1 * (0.5 + 4.0)),
    (Lp(0.1, 0.5), [4.0, -9.0, 0.0], 0.5),
    (Lp(0.1, 1), [1.0, -2.0, 3.0], 0.6),
    (Lp(0.1, 2), [1.0, -2.0, 3.0], 1.4),
    (Lp(0.1, 3), [1.0, -2.0], 0.9),
    (LogSum(0.1, 0.5), [0.5, -1.5, 0.0], 0.1 * (math.log(2) + math.log(4))),
    (LogSum(0.1, 1.0), [math.e - 1, 0.0], 0.1),
    (L0(0.1), [1.0, 0.0, 1.0], 0.2),
    (L0(0.1), [2.0, -1.0], 0.1),
    (Hinge(0.1, above=10.0), [12.0, 10.0, -50.0], 0.2),
    (Hinge(0.1, below=0.0), [12.0, 0.0, -5.0], 0.5),
    (Hinge(0.1, above=2.0, below=-1.0), [5.0, 2.0, 0.5, -1.0, -2.0], 0.4),
    (Hoyer(0.1), [5.0, 0.0, 0.0], 0.1),
    (Hoyer(0.1), [2.0, -2.0, 2.0], 0.3),
    (Hoyer(0.1), [3.0, -4.0], 0.1 * 49 / 25),
    (Hoyer(0.1), [0.0, 0.0], 0.0),
    (Hoyer(0.1, reduce="batch_mean"), [[3.0, -4.0], [0.0, 0.0]], 0.05 * 49 / 25),
    (Hoyer(0.1, reduce="mean"), [[3.0, -4.0], [0.0, 0.0]], 0.025 * 49 / 25),
    (TotalVariation(0.1, 1), [[1.0, 3.0, 2.0], [0.0, 0.0, 4.0]], 0.7),
    (TotalVariation(0.1, (0, 1), batch_axis=()), [[1.0, 3.0, 2.0], [0.0, 0.0, 4.0]], 1.3),
    (TotalVariation(0.1, 1, reduce="mean"), [[1.0, 3.0, 2.0], [0.0, 0.0, 4.0]], 0.175),
    (Laplacian(0.1, [[0, 2], [2, 0]], 0), [[1.0, 2.0], [3.0, -1.0]], 0.1 * 2 * (4 + 9)),
    (Laplacian(0.1, [[0, 2], [2, 0]], 1), [[1.0, 2.0], [3.0, -1.0]], 0.1 * 2 * (1 + 16)),
    (GroupLasso(0.1, axis=0), [[3.0, 4.0], [0.0, 0.0], [0.0, -2.0]], 0.7),
    (GroupLasso(0.1, axis=1), [[3.0, 5.0], [4.0, 12.0]], 1.8),
    (GroupLasso(0.1, axis=(0, 1)), [[3.0, -5.0], [4.0, 12.0]], 2.4),
    (GroupLasso(0.1, axis=()), [[2.0, 4.0], [-4.0, 8.0]], 1.0),
    (GroupLasso(0.1, axis=1), [[[3.0], [5.0]], [[4.0], [12.0]]], 1.8),
    (Orthogonal(0.1), [[1.0, 0.0], [0.0, -1.0]], 0.0),
    (Orthogonal(0.1), [[1.0, 2.0], [0.0, 1.0]], 0.1 * (16 + 2 * 4)),
    (Orthogonal(0.1, axis=1), [[1.0, 0.0], [2.0, 1.0]], 0.1 * (16 + 2 * 4)),
    (Orthogonal(0.1), [[1.0], [1.0], [0.0]], 0.1 * (2 + 1)),
    (Orthogonal(0.1, normalized=True), [[2.0, 0.0], [0.0, 3.0]], 0.0),
    (Orthogonal(0.1, normalized=True), [[3.0, 4.0], [-5.0, 0.0]], 0.06),
    (Orthogonal(0.1, normalized=True), [[3.0, 4.0], [-5.0, 0.0], [0.0, 0.0]], 0.02),
    (Orthogonal(0.1, normalized=True), [[3.0, 4.0]], 0.0),
    (Budget(L1(0.1), 5.0), [1.0, -2.0, 3.0], 0.1),
    (Budget(L1(0.1), 6.0), [1.0, -2.0, 3.0], 0.0),
    (Budget(L1(0.1), 7.0), [1.0, -2.0, 3.0], 0.0),
    (Budget(L1(0.1), 0.0), [1.0, -2.0, 3.0], 0.6),
    (Budget(L1(0.1, reduce="batch_mean"), 4.0), [[1.0, 2.0], [-3.0, 4.0]], 0.1),
    (Budget(L1(0.1, reduce="mean"), 2.0), [[1.0, 2.0], [-3.0, 4.0]], 0.05),
    (Budget(L2Norm(0.1), 4.0), [3.0, 4.0], 0.1),
    (Budget(L2Norm(0.1, reduce="batch_mean"), 1.5), [[3.0, 4.0], [0.0, 0.0]], 0.1),
    (Budget(KLSparsity(0.1, target=0.5), 0.1), [[0.25], [0.25]], 0.05 * math.log(4 / 3) - 0.01),
    (Budget(GroupLasso(0.1, axis=0), 3.0), [[3.0, 4.0], [0.0, 0.0], [0.0, -2.0]], 0.4),
    (Budget(Orthogonal(0.1), 20.0), [[1.0, 2.0], [0.0, 1.0]], 0.4),
    (Budget(Budget(L1(0.1), 1.0), 2.0), [1.0, -2.0, 3.0], 0.3),
]

GRADIENTS = [
    (L1(0.1), [1.0, -2.0, 0.0], [0.1, -0.1, 0.0]),
    (L2Norm(0.1), [3.0, 4.0], [0.06, 0.08]),
    (L2Norm(0.1), [0.0, 0.0], [0.0, 0.0]),
    (L2Squared(0.1), [2.0, 3.0], [0.4, 0.6]),
    (L1L2(0.1, 0.2), [1.0, -2.0, 0.0], [0.5, -0.9, 0.0]),
    (ActivityRegularization.l1(0.1), [1.0, -2.0, 0.0], [0.1, -0.1, 0.0]),
    (ActivityRegularization.l2(0.1), [3.0, 4.0], [0.06, 0.08]),
    (ActivityRegularization.l2_squared(0.1), [2.0, 3.0], [0.4, 0.6]),
    (L1(0.1) + L2Squared(0.1), [2.0, 3.0], [0.5, 0.7]),
    (KLSparsity(0.3, target=0.5), [[0.25], [0.25]], [[-0.2], [-0.2]]),
    (Huber(0.1), [0.5, -1.0, 3.0, 0.0], [0.05, -0.1, 0.1, 0.0]),
    (LogSum(0.1, 0.5), [0.5, -1.5, 0.0], [0.1, -0.05, 0.0]),
    (L0(0.1), [1.0, 0.0, 1.0], [0.1, 0.1, 0.1]),
    (Hinge(0.1, above=2.0, below=-1.0), [5.0, 2.0, 0.5, -1.0, -2.0], [0.1, 0, 0, 0, -0.1]),
    (Hoyer(0.1), [4.0, 2.0, 0.0], [-0.012, 0.024, 0.0]),
    (Hoyer(0.1), [0.0, 0.0], [0.0, 0.0]),
    (
        TotalVariation(0.1, 1),
        [[1.0, 3.0, 2.0], [0.0, 0.0, 4.0]],
        [[-0.1, 0.2, -0.1], [0, -0.1, 0.1]],
    ),
    (Laplacian(0.1, [[0, 2], [2, 0]], 0), [[1.0, 2.0], [3.0, -1.0]], [[-0.8, 1.2], [0.8, -1.2]]),
    (Huber(0.1, delta=2.0), [1.0, -3.0], [0.1, -0.2]),
    (Lp(0.1, 0.5), [4.0, -1.0, 0.0], [0.025, -0.05, 0.0]),
    (Lp(0.1, 1), [1.0, -2.0, 0.0], [0.1, -0.1, 0.0]),
    (Lp(0.1, 2), [2.0, -3.0, 0.0], [0.4, -0.6, 0.0]),
    (Lp(0.1, 3), [1.0, -2.0, 0.0], [0.3, -1.2, 0.0]),
    (GroupLasso(0.1, axis=0), [[3.0, 4.0], [0.0, 0.0]], [[0.06, 0.08], [0.0, 0.0]]),
    (GroupLasso(0.1, axis=1), [[3.0, 0.0], [4.0, 0.0]], [[0.06, 0.0], [0.08, 0.0]]),
    (Orthogonal(0.1), [[2.0, 0.0], [0.0, 1.0]], [[2.4, 0.0], [0.0, 0.0]]),
    (Orthogonal(0.1), [[1.0], [1.0]], [[0.4], [0.4]]),
    (
        Orthogonal(0.1, normalized=True),
        [[3.0, 4.0], [-5.0, 0.0], [0.0, 0.0]],
        [[0.1 / 3 * 0.128, 0.1 / 3 * -0.096], [0.0, 0.1 / 3 * -0.16], [0.0, 0.0]],
    ),
    (Budget(L1(0.1), 2.0), [1.0, -2.0, 0.0], [0.1, -0.1, 0.0]),
    (Budget(L1(0.1), 3.0), [1.0, -2.0, 0.0], [0.0, 0.0, 0.0]),
    (Budget(L1(0.1), 4.0), [1.0, -2.0, 0.0], [0.0, 0.0, 0.0]),
    (Budget(L1(0.1), 0.0), [0.0, 0.0], [0.0, 0.0]),
    (
        Budget(L1(0.1, reduce="batch_mean"), 4.0),
        [[1.0, 2.0], [-3.0, 4.0]],
        [[0.05, 0.05], [-0.05, 0.05]],
    ),
    (Budget(L2Norm(0.1), 4.0), [3.0, 4.0], [0.06, 0.08]),
    (Budget(KLSparsity(0.3, target=0.5), 0.1), [[0.25], [0.25]], [[-0.2], [-0.2]]),
    (Budget(KLSparsity(0.3, target=0.5), 0.2), [[0.25], [0.25]], [[0.0], [0.0]]),
    (Budget(GroupLasso(0.1, axis=0), 3.0), [[3.0, 4.0], [0.0, 0.0]], [[0.06, 0.08], [0.0, 0.0]]),
    (Budget(Orthogonal(0.1), 8.0), [[2.0, 0.0], [0.0, 1.0]], [[2.4, 0.0], [0.0, 0.0]]),
]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("penalty", "x", "value"), VALUES, ids=repr)
def test_the_value(xp, dtype, penalty, x, value):
    assert float(penalty(make(xp, x, dtype))) == close(value, rel=1e-6, abs=1e-12)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize(("penalty", "x", "gradient"), GRADIENTS, ids=repr)
def test_the_gradient(xp, dtype, penalty, x, gradient):
    assert_allclose(numbers(penalty.gradient(make(xp, x, dtype))), gradient, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize(("penalty", "x", "value"), VALUES, ids=repr)
def test_value_and_gradient_and_apply_return_the_same_value(xp, penalty, x, value):
    x = make(xp, x)

    assert float(penalty.value_and_gradient(x)[0]) == close(value, abs=1e-12)
    if xp.__name__ != "jax.numpy":
        assert float(penalty.apply(x, xp.zeros_like(x))) == close(value, abs=1e-12)


def test_the_norm_of_a_tiny_array_pulls_with_full_force(xp):
    tiny = make(xp, [1e-5, 0.0], "float32")

    assert_allclose(numbers(L2Norm(0.1).gradient(tiny)), [0.1, 0.0], rtol=1e-6, atol=0)


@pytest.mark.parametrize(("penalty", "x", "gradient"), GRADIENTS, ids=repr)
def test_apply_adds_to_what_the_gradient_holds(penalty, x, gradient):
    x, grads = np.asarray(x), np.full(np.shape(x), 10.0)

    penalty.apply(x, grads)
    assert_allclose(grads, 10 + np.asarray(gradient))
    penalty.apply(x, grads)
    assert_allclose(grads, 10 + 2 * np.asarray(gradient))


@pytest.mark.parametrize(
    "doubled",
    [2 * L1(0.1), L1(0.1) * 2, np.float64(2) * L1(0.1), L1(0.1) * np.float32(2), L1(0.2)],
    ids=["2 * p", "p * 2", "float64(2) * p", "p * float32(2)", "0.2"],
)
def test_scaling_multiplies_the_strength(xp, doubled):
    assert float(doubled(make(xp, [1.0, -2.0, 3.0]))) == close(1.2)
    assert_allclose(numbers(doubled.gradient(make(xp, [5.0, -5.0]))), [0.2, -0.2])


def test_scaling_a_sum_scales_each_part(xp):
    tripled = 3 * (L1(0.1) + L2Squared(0.2))

    assert float(tripled(make(xp, [1.0, -2.0]))) == close(3 * (0.3 + 1.0))


def test_scaling_both_norms_of_the_elastic_net(xp):
    assert float((2 * L1L2(0.1, 0.2))(make(xp, [1.0, -2.0]))) == close(2 * (0.3 + 1.0))


def test_the_builtin_sum_adds_penalties(xp):
    added = sum([L1(0.1), L2Squared(0.1), L2Norm(0.1)])

    assert float(added(make(xp, [3.0, 4.0]))) == close(0.7 + 2.5 + 0.5)
    assert_allclose(numbers(added.gradient(make(xp, [3.0, 4.0]))), [0.1 + 0.66, 0.1 + 0.88])
