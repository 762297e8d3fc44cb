"""Arrays too large for the cache are read piece by piece, to the same numbers."""

import numpy as np
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal

import regularizers as rz

# one read of an array, without a model
from regularizers.attach.reading._plan import penalise

# only a count of the pieces shows that an array was read in pieces
from regularizers.penalties.kernels import _kernel, is_large, lie_plainly, thresholds

PIECE = 2**12
SHAPE = (5, PIECE // 2 + 6)
"""Two whole pieces and a part of one."""

FORMULAS = {
    rz.L1(0.3): lambda x: (0.3 * np.abs(x).sum(), 0.3 * np.sign(x)),
    rz.L2Squared(0.3): lambda x: (0.3 * (x**2).sum(), 0.6 * x),
    rz.L1(0.3, reduce="mean"): lambda x: (0.3 * np.abs(x).mean(), 0.3 * np.sign(x) / x.size),
    rz.L2Squared(0.3, reduce="batch_mean"): lambda x: (0.3 * (x**2).sum() / 5, 0.12 * x),
    rz.L1L2(0.3, 0.2): lambda x: (
        (0.3 * np.abs(x) + 0.2 * x**2).sum(),
        0.3 * np.sign(x) + 0.4 * x,
    ),
    rz.Huber(0.3, delta=0.5): lambda x: (
        0.3 * np.where(np.abs(x) < 0.5, x**2 / 2, 0.5 * (np.abs(x) - 0.25)).sum(),
        0.3 * np.clip(x, -0.5, 0.5),
    ),
    rz.Lp(0.3, p=1.5): lambda x: (
        0.3 * (np.abs(x) ** 1.5).sum(),
        0.45 * np.sign(x) * np.sqrt(np.abs(x)),
    ),
}
PENALTIES = pytest.mark.parametrize("penalty", FORMULAS, ids=repr)


def data(dtype=np.float64):
    x = np.random.default_rng(0).standard_normal(SHAPE)
    x[:, ::7] = 0
    return x.astype(dtype)


def made(library, x):
    return x.copy() if library == "numpy" else torch.from_numpy(x.copy())


@pytest.fixture(autouse=True)
def small_pieces(monkeypatch):
    monkeypatch.setattr(thresholds, "PIECE", PIECE)
    monkeypatch.setattr(thresholds, "LARGE", PIECE)
    monkeypatch.setattr(thresholds, "GRADIENT_AT_ONCE", PIECE)


@pytest.fixture
def counted(monkeypatch):
    """Count the pieces that are read."""
    taken, wide_pieces = [], _kernel.wide_pieces

    def counting(*arrays):
        for piece in wide_pieces(*arrays):
            taken.append(len(piece[0]))
            yield piece

    monkeypatch.setattr(_kernel, "wide_pieces", counting)
    return taken


@PENALTIES
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_value_gradient_and_apply(penalty, library, counted):
    x = data()
    value, slope = FORMULAS[penalty](x)
    array = made(library, x)
    assert_allclose(float(penalty(array)), value, rtol=1e-12)
    both, gradient = penalty.value_and_gradient(array)
    assert_allclose(float(both), value, rtol=1e-12)
    assert_allclose(np.asarray(gradient), slope, rtol=1e-12, atol=1e-15)
    grads = made(library, np.ones(SHAPE))
    assert_allclose(float(penalty.apply(array, grads)), value, rtol=1e-12)
    assert_allclose(np.asarray(grads), 1 + slope, rtol=1e-12, atol=1e-15)
    assert_array_equal(np.asarray(array), x)
    assert max(counted) == PIECE


@PENALTIES
def test_in_a_graph(penalty, counted):
    x = data()
    value, slope = FORMULAS[penalty](x)
    for read in (penalty, lambda a: sum([penalise(a, t, 0) * t.strength for t in penalty.terms])):
        leaf = torch.from_numpy(x).requires_grad_()
        result = read(leaf)
        result.backward()
        assert_allclose(result.item(), value, rtol=1e-12)
        assert_allclose(leaf.grad.numpy(), slope, rtol=1e-12, atol=1e-15)
    assert counted  # by the second


@PENALTIES
def test_differentiated_twice(penalty):
    x = data()[:2]
    assert x.size > PIECE
    leaf = torch.from_numpy(x).requires_grad_()
    value = sum([penalise(leaf, term, 0) * term.strength for term in penalty.terms])
    (gradient,) = torch.autograd.grad(value, leaf, create_graph=True)
    # of L1 alone it is constant
    assert gradient.requires_grad == (type(penalty) is not rz.L1)
    direction = torch.full_like(leaf, 0.1)
    moved_by = (gradient * direction).sum() + 0 * leaf.sum()
    (second,) = torch.autograd.grad(moved_by, leaf)
    eps = 1e-6
    moved = [penalty.gradient(x + sign * eps * 0.1) for sign in (1, -1)]
    expected = (moved[0] - moved[1]) / (2 * eps)
    smooth = np.abs(np.abs(x) - 0.5) > 1e-3
    smooth &= np.abs(x) > 1e-3
    assert_allclose(second.numpy()[smooth], expected[smooth], rtol=1e-4, atol=1e-8)


@pytest.mark.parametrize("penalty", [rz.L1(0.3), rz.L2Squared(0.3), rz.Huber(0.3)], ids=repr)
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_widened_piece_by_piece(penalty, dtype):
    x = torch.from_numpy(data()).to(dtype)
    # read in float64 from the same numbers
    value, slope = penalty.value_and_gradient(x.double())
    grads = torch.zeros(SHAPE)
    assert penalty.apply(x, grads).dtype == torch.float32
    torch.testing.assert_close(penalty(x), value.float(), rtol=1e-5, atol=0)
    torch.testing.assert_close(grads, slope.float(), rtol=1e-6, atol=1e-7)
    leaf = x.clone().requires_grad_()
    penalise(leaf, penalty, 0).backward()
    torch.testing.assert_close(leaf.grad, (slope / 0.3).to(dtype), rtol=1e-2, atol=1e-3)


def test_into_a_gradient_of_another_type():
    x = data(np.float32)
    grads = np.zeros(SHAPE, np.float64)
    rz.L2Squared(0.5).apply(x, grads)
    assert_allclose(grads, x, rtol=1e-6)


@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_nan_is_seen_in_the_value_and_stays_in_its_place(library):
    x = data()
    x[3, 100] = np.nan
    for penalty in FORMULAS:
        array, grads = made(library, x), made(library, np.zeros(SHAPE))
        assert np.isnan(float(penalty.apply(array, grads)))
        assert_array_equal(np.argwhere(np.isnan(np.asarray(grads))), [[3, 100]])


@pytest.mark.parametrize(
    "penalty", [p for p in FORMULAS if getattr(p, "reduce", None) != "batch_mean"], ids=repr
)
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_axes_may_lie_in_any_order(penalty, library, counted):
    x = data().reshape(5, 2, -1).transpose(1, 2, 0)
    value, slope = FORMULAS[penalty](x)
    array = x if library == "numpy" else torch.from_numpy(x)
    grads = np.ones_like(x) if library == "numpy" else torch.ones_like(array)
    assert_allclose(float(penalty.apply(array, grads)), value, rtol=1e-12)
    assert_allclose(np.asarray(grads), 1 + slope, rtol=1e-12, atol=1e-15)
    assert max(counted) == PIECE
    if library == "torch":
        leaf = array.clone().requires_grad_()
        assert not leaf.is_contiguous()
        sum([penalise(leaf, t, 0) * t.strength for t in penalty.terms]).backward()
        assert_allclose(leaf.grad.numpy(), slope, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("penalty", [p for p in FORMULAS if "batch_mean" not in repr(p)], ids=repr)
@pytest.mark.parametrize(
    "view",
    [
        lambda x: x[:, 1:],
        lambda x: x[:, ::2],
        lambda x: x.reshape(10, -1).T[1:],
        lambda x: x.reshape(5, 2, -1).swapaxes(0, 2)[:, :, 1:],
        lambda x: x.reshape(-1)[::2],
        lambda x: x[:, 1:].reshape(-1)[None, :][[0, 0]].T[::2],
    ],
)
@pytest.mark.parametrize("library", ["numpy", "torch"])
def test_elements_may_lie_apart(penalty, view, library, counted):
    x = view(data())
    value, slope = FORMULAS[penalty](x)
    array = x if library == "numpy" else torch.from_numpy(x)
    grads = made(library, np.ones(x.shape))
    assert_allclose(float(penalty(array)), value, rtol=1e-12)
    assert_allclose(float(penalty.apply(array, grads)), value, rtol=1e-12)
    assert_allclose(np.asarray(grads), 1 + slope, rtol=1e-12, atol=1e-15)
    assert max(counted) <= PIECE
    assert sum(counted) == x.size * 2 * len(penalty.terms)


@pytest.mark.parametrize("penalty", [rz.L1(0.3), rz.L2Squared(0.3), rz.Huber(0.3)], ids=repr)
@pytest.mark.parametrize("axes", [(0, 1, 2), (2, 0, 1), (1, 2, 0)])
def test_a_part_of_an_output_in_a_graph(penalty, axes):
    whole = torch.from_numpy(data()).reshape(5, 2, -1).permute(axes).clone().requires_grad_()
    part = (2 * whole)[..., 1:]
    assert not part.is_contiguous()
    penalise(part, penalty, 0).backward()
    expected = np.zeros(whole.shape)
    expected[..., 1:] = 2 * penalty.gradient(np.ascontiguousarray(part.detach().numpy())) / 0.3
    assert_allclose(whole.grad.numpy(), expected, rtol=1e-12, atol=1e-15)


def test_what_is_written_lies_in_one_order_with_what_is_read(counted):
    x, grads = np.ascontiguousarray(data().T), np.zeros(SHAPE).T
    rz.L1(1.0).apply(x, grads)
    assert_array_equal(grads, np.sign(x))
    apart = np.zeros((5, 2 * SHAPE[1]))[:, ::2]
    rz.L1(1.0).apply(data(), apart)
    assert_array_equal(apart, np.sign(data()))
    assert counted == []


def test_a_mask_is_read_at_once(counted):
    x = data()
    mask = np.array([True, False, True, True, False])
    assert_allclose(float(rz.L1(1.0)(x, mask=mask)), np.abs(x[mask]).sum(), rtol=1e-12)
    assert counted == []


def test_what_is_recorded_or_elsewhere_is_read_at_once():
    assert not is_large(np.zeros(PIECE))
    assert is_large(np.zeros(PIECE + 1))
    assert lie_plainly(torch.zeros(2))
    assert not lie_plainly(torch.zeros(2, requires_grad=True))
    assert not lie_plainly(torch.zeros(2, device="meta"))


def test_a_failed_call_leaves_the_gradient_alone():
    grads = np.ones(SHAPE)
    with pytest.raises(rz.RegularizersError):
        rz.L1(1.0, batch_axis=5).apply(data(), grads)
    assert (grads == 1).all()


@pytest.mark.parametrize("penalty", [rz.L1(0.3), rz.L2Squared(0.3), rz.Huber(0.3)], ids=repr)
@pytest.mark.parametrize("size", [100, PIECE + 1])
def test_autocast_does_not_lower_its_precision(penalty, size):
    x = torch.full((size,), 1e4)  # whose square float16 does not hold
    expected, slope = penalty.value_and_gradient(x.double())
    with torch.autocast("cpu", torch.float16):
        grads = torch.zeros(size)
        leaf = x.clone().requires_grad_()
        values = [penalty(x), penalty.apply(x, grads), 0.3 * penalise(leaf, penalty, 0)]
    for value in values:
        torch.testing.assert_close(value, expected.float(), rtol=1e-5, atol=0)
    values[2].backward()
    torch.testing.assert_close(grads, slope.float(), rtol=1e-6, atol=0)
    torch.testing.assert_close(leaf.grad, slope.float(), rtol=1e-6, atol=0)


def test_more_than_double_precision_is_kept():
    x = np.full(PIECE + 1, np.longdouble(1) + np.finfo(np.longdouble).eps)
    value = rz.L1(1.0)(x)
    assert value.dtype == np.longdouble
    assert value > PIECE + 1


def test_a_square_of_the_sum_is_differentiated_twice():
    x = data()[:2]
    leaf = torch.from_numpy(x).requires_grad_()
    squared = penalise(leaf, rz.L1(1.0), 0) ** 2
    (gradient,) = torch.autograd.grad(squared, leaf, create_graph=True)
    (second,) = torch.autograd.grad(gradient[0].sum(), leaf)
    assert_allclose(second.numpy(), 2 * np.sign(x) * np.sign(x[0]).sum(), rtol=1e-12)


def test_room_that_was_made_elsewhere_can_be_written(monkeypatch):
    monkeypatch.setattr(thresholds, "PIECE", 123)  # of which no room was made yet
    x = torch.randn(1000)
    with torch.inference_mode(), torch.device("meta"):
        first = rz.L1(1.0)(x)
    grads = torch.zeros(1000)
    torch.testing.assert_close(rz.L1(1.0).apply(x, grads), first.clone())
    torch.testing.assert_close(grads, x.sign())
