"""Differences in time of large arrays are taken in pieces, to the same numbers."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

import regularizers as rz

# one read of an array, without a model
from regularizers.attach.reading._plan import penalise

# only a count of the differences shows that they were read in pieces
from regularizers.penalties.kernels import _differences, thresholds

SHAPES = {
    "time first": ((40, 3, 50), 0),
    "batch first": ((30, 20, 10), 1),
    "batch first, long": ((3, 300, 10), 1),
    "many units": ((7, 900), 0),
    "time last": ((20, 8, 30), 2),
    "two steps": ((2, 600), -2),
    "two steps, each larger than two pieces": ((2, 1000), -2),
    "two axes of samples": ((4, 5, 6, 20), -2),
}
LAYOUTS = {
    "one after the other": np.ascontiguousarray,
    "in another order": np.asfortranarray,
    "apart": lambda x: np.repeat(x, 2, axis=-1)[..., ::2],
}
INNER = {
    rz.L2Squared(0.3): (lambda d: 0.3 * (d**2).sum(), lambda d: 0.6 * d),
    rz.L1(0.3): (lambda d: 0.3 * np.abs(d).sum(), lambda d: 0.3 * np.sign(d)),
    rz.Huber(0.3, delta=0.5): (
        lambda d: 0.3 * np.where(np.abs(d) < 0.5, d**2 / 2, 0.5 * (np.abs(d) - 0.25)).sum(),
        lambda d: 0.3 * np.clip(d, -0.5, 0.5),
    ),
}


@pytest.fixture(autouse=True)
def counted(monkeypatch):
    """Make pieces small, and count the differences that are read."""
    monkeypatch.setattr(thresholds, "PIECE", 400)
    monkeypatch.setattr(thresholds, "LARGE", 400)
    monkeypatch.setattr(thresholds, "GRADIENT_AT_ONCE", 400)
    taken, differences = [], _differences._States.differences

    def counting(*args):
        found = differences(*args)
        taken.append(len(found))
        return found

    monkeypatch.setattr(_differences._States, "differences", counting)
    return taken


def expected(x, axis, inner):
    value, slope = INNER[inner]
    d = np.diff(x, axis=axis)
    pad = [(0, 0)] * x.ndim
    pad[axis] = (1, 1)
    return value(d), -np.diff(np.pad(slope(d), pad), axis=axis)


@pytest.mark.parametrize("inner", INNER, ids=repr)
@pytest.mark.parametrize(("shape", "axis"), SHAPES.values(), ids=list(SHAPES))
@pytest.mark.parametrize("library", ["numpy", "torch"])
@pytest.mark.parametrize("layout", LAYOUTS)
def test_value_gradient_and_apply(layout, library, shape, axis, inner, counted):
    x = np.random.default_rng(0).standard_normal(shape)
    value, slope = expected(x, axis, inner)
    batch_axis = next(k for k in range(x.ndim) if k != axis % x.ndim)
    penalty = rz.Temporal(type(inner)(**vars(inner) | {"batch_axis": batch_axis}), axis)
    array = LAYOUTS[layout](x) if library == "numpy" else torch.from_numpy(LAYOUTS[layout](x))
    assert_allclose(float(penalty(array)), value, rtol=1e-12)
    both, gradient = penalty.value_and_gradient(array)
    assert_allclose(float(both), value, rtol=1e-12)
    assert_allclose(np.asarray(gradient), slope, rtol=1e-12, atol=1e-14)
    grads = 0 * array + 1
    assert_allclose(float(penalty.apply(array, grads)), value, rtol=1e-12)
    assert_allclose(np.asarray(grads), 1 + slope, rtol=1e-12, atol=1e-14)
    assert_array_equal(np.asarray(array), x)
    assert sum(counted) == 3 * np.diff(x, axis=axis).size
    assert max(counted) <= 800


@pytest.mark.parametrize("inner", INNER, ids=repr)
@pytest.mark.parametrize(("shape", "axis"), SHAPES.values(), ids=list(SHAPES))
@pytest.mark.parametrize("layout", LAYOUTS)
def test_in_a_graph(layout, shape, axis, inner, counted):
    x = np.random.default_rng(0).standard_normal(shape)
    value, slope = expected(x, axis, inner)
    batch_axis = next(k for k in range(x.ndim) if k != axis % x.ndim)
    (term,) = rz.Temporal(inner, axis).terms
    leaf = torch.from_numpy(LAYOUTS[layout](x)).requires_grad_()
    result = 0.3 * penalise(leaf, term, batch_axis)
    result.backward()
    assert_allclose(result.item(), value, rtol=1e-12)
    assert_allclose(leaf.grad.numpy(), slope, rtol=1e-12, atol=1e-14)
    # for the gradient a block reads a difference more on either side
    assert 2 <= sum(counted) / np.diff(x, axis=axis).size <= 2.5
    assert max(counted) <= 1200


@pytest.mark.parametrize("inner", INNER, ids=repr)
@pytest.mark.parametrize(("shape", "axis"), SHAPES.values(), ids=list(SHAPES))
@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_is_rounded_once(dtype, shape, axis, inner, counted):
    half = torch.from_numpy(np.random.default_rng(0).standard_normal(shape)).to(dtype)
    value, slope = expected(half.double().numpy(), axis, inner)
    batch_axis = next(k for k in range(half.ndim) if k != axis % half.ndim)
    (term,) = rz.Temporal(inner, axis).terms
    leaf = half.requires_grad_()
    result = penalise(leaf, term, batch_axis)
    result.backward()
    assert_allclose(0.3 * result.item(), value, rtol=1e-5)
    wanted = torch.from_numpy(slope / 0.3).float().to(dtype)
    assert leaf.grad.dtype == dtype
    torch.testing.assert_close(leaf.grad, wanted, rtol=torch.finfo(dtype).eps, atol=1e-6)
    assert (leaf.grad == wanted).float().mean() > 0.99
    assert counted


def test_differentiated_twice(counted):
    leaf = torch.randn(40, 30, dtype=torch.float64, requires_grad=True)
    (term,) = rz.TAR(1.0, time_axis=0).terms
    (gradient,) = torch.autograd.grad(penalise(leaf, term, 1), leaf, create_graph=True)
    (second,) = torch.autograd.grad(gradient[5].sum(), leaf)
    wanted = torch.zeros(40, 30, dtype=torch.float64)
    wanted[4:7] = torch.tensor([-2.0, 4.0, -2.0])[:, None] / (39 * 30)
    torch.testing.assert_close(second, wanted)


def test_what_has_no_pieces_is_read_at_once(counted):
    x = np.random.default_rng(0).standard_normal((40, 30))
    tar = rz.Temporal(rz.L2Squared(1.0, reduce="mean", batch_axis=1), 0)
    mean = np.mean(np.diff(x, axis=0) ** 2)
    valid = np.ones((40, 30), bool)
    assert_allclose(float(tar(x, mask=valid)), mean, rtol=1e-12)
    assert float(tar(np.ones((1, 500)))) == 0
    assert float(tar(np.ones((5, 0)))) == 0
    assert counted == []
