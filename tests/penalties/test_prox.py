"""The proximal step is where the penalty plus the distance is least, and its zeros are exact."""

from math import inf, nan

import jax
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import brentq, minimize

from penalties.arrays import make, numbers
from penalties.cases import REDUCTIONS
from regularizers import (
    L0,
    L1,
    L1L2,
    ActivityRegularization,
    GroupLasso,
    Hinge,
    Hoyer,
    Huber,
    KLSparsity,
    L2Norm,
    L2Squared,
    LogSum,
    Lp,
    Orthogonal,
)
from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError
from regularizers.penalties import proximal

with_profile = settings.get_profile("penalties")


def shrinking(**options):
    """Return one penalty of each form, and sums of them."""
    return [
        L1(0.5, **options),
        L2Squared(0.25, **options),
        L1L2(0.5, 0.25, **options),
        L2Norm(0.75, **options),
        GroupLasso(0.5, 0, **options),
        GroupLasso(0.5, -1, **options),
        ActivityRegularization(0.5, "l2", **options),
        GroupLasso(0.5, -1, **options) + L1(0.25, **options) + L2Squared(0.5),
        L2Squared(0.25) + L2Norm(0.5, **options) + L1(0.125) + L1L2(0.25, 0.5),
    ]


SHRINKING = [*shrinking(), *[p for reduce in REDUCTIONS for p in shrinking(reduce=reduce)]]
every_form = pytest.mark.parametrize("penalty", SHRINKING, ids=repr)

X = np.array([[0.9, -0.2, 1.7, -1.4], [-0.6, 0.1, -0.3, 2.2], [0.05, -0.04, 0.3, -0.1]])
SPREAD = np.array([[0.5, 1.0, 0.25, 2.0], [1.5, 0.1, 3.0, 0.75], [1.0, 2.0, 0.5, 0.3]])
steps = pytest.mark.parametrize("step", [0.7, SPREAD], ids=["one step", "elementwise"])


def cost(penalty, w, x, step):
    return float(penalty(w)) + float(((w - x) ** 2 / (2 * step)).sum())


@every_form
@steps
def test_no_point_near_or_far_costs_less(penalty, step):
    shrunk = penalty.prox(X, step)
    least = cost(penalty, shrunk, X, step)
    generator = np.random.default_rng(0)
    for size in [1e-6, 1e-4, 1e-2, 1.0]:
        for _ in range(25):
            elsewhere = shrunk + size * generator.normal(size=X.shape) * (shrunk != 0)
            assert cost(penalty, elsewhere, X, step) >= least - 1e-14
            elsewhere = shrunk + size * generator.normal(size=X.shape)
            assert cost(penalty, elsewhere, X, step) >= least - 1e-14


@every_form
@steps
def test_a_numerical_solver_finds_nothing_better(penalty, step):
    least = cost(penalty, penalty.prox(X, step), X, step)
    found = minimize(
        lambda w: cost(penalty, w.reshape(X.shape), X, step),
        X.ravel() / 2,
        method="Powell",
        options={"xtol": 1e-8, "ftol": 1e-12, "maxfev": 200_000, "maxiter": 2000},
    ).fun

    assert least <= found + 1e-10
    assert least == pytest.approx(found, abs=1e-3)


@pytest.mark.parametrize("step", [0.1, 0.5, 2.0])
def test_l1_against_its_definition_on_a_grid(step):
    grid = np.linspace(-4, 4, 8001)
    for x in [-3.0, -0.5, -0.05, 0.0, 0.2, 1.0, 2.5]:
        costs = 0.8 * np.abs(grid) + (grid - x) ** 2 / (2 * step)
        shrunk = L1(0.8).prox(np.array([x]), step)
        assert_allclose(shrunk, [grid[costs.argmin()]], atol=1e-3)


BY_HAND = [
    (L1(0.5), 2.0, [3.0, -1.5, 0.5, -1.0], [2.0, -0.5, 0.0, 0.0]),
    (L2Squared(0.5), 2.0, [3.0, -1.5], [1.0, -0.5]),
    (L1L2(1.0, 0.5), 1.0, [3.0, -1.0], [1.0, 0.0]),
    (L2Norm(5.0), 0.5, [3.0, 4.0], [1.5, 2.0]),
    (L2Norm(5.0), 1.0, [3.0, 4.0], [0.0, 0.0]),
    (L2Norm(5.0, reduce="mean"), 2.0**-0.5, [3.0, 4.0], [1.5, 2.0]),
    (GroupLasso(2.5, 0), 1.0, [[3.0, 4.0], [1.0, 2.0]], [[1.5, 2.0], [0.0, 0.0]]),
    (GroupLasso(5.0, 0, reduce="batch_mean"), 1.0, [[3.0, 4.0], [1.0, 2.0]], [[1.5, 2], [0, 0]]),
    (GroupLasso(5.0, 1), 0.5, [[3.0, 1.0], [4.0, 2.0]], [[1.5, 0.0], [2.0, 0.0]]),
    (GroupLasso(10 * 2**0.5, 1, reduce="mean"), 0.5, [[3.0, 1], [4.0, 2]], [[1.5, 0], [2.0, 0]]),
    (GroupLasso(2.5, 0) + L1(1.0), 1.0, [[4.0, -5.0]], [[1.5, -2.0]]),
    (L1(1.0, reduce="batch_mean"), 1.0, [[3.0], [-0.5]], [[2.5], [0.0]]),
    (L1(1.0, reduce="mean"), 4.0, [[3.0, -1.5], [0.5, -1.0]], [[2.0, -0.5], [0.0, 0.0]]),
]


@pytest.mark.parametrize(("penalty", "step", "x", "shrunk"), BY_HAND, ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_by_hand(xp, dtype, penalty, step, x, shrunk):
    x = make(xp, x, dtype)
    result = penalty.prox(x, step)

    assert result.dtype == x.dtype
    assert_allclose(numbers(result), shrunk, rtol=1e-6, atol=1e-6)
    everywhere = penalty.prox(x, xp.full(x.shape, step, dtype=x.dtype))
    assert_allclose(numbers(everywhere), shrunk, rtol=1e-6, atol=1e-6)
    assert_array_equal(numbers(result) == 0, numbers(everywhere) == 0)


@every_form
@steps
def test_every_library_shrinks_alike(xp, penalty, step):
    x = make(xp, X)
    on_library = step if isinstance(step, float) else make(xp, step)
    before = numbers(x)
    shrunk = penalty.prox(x, on_library)
    expected = penalty.prox(X, step)

    assert_allclose(numbers(shrunk), expected, rtol=1e-13, atol=1e-15)
    assert_array_equal(numbers(shrunk) == 0, expected == 0)
    assert_array_equal(numbers(x), before)


@every_form
@steps
def test_jax_compiles_it(penalty, step):
    with jax.enable_x64(True):
        shrunk = jax.jit(penalty.prox)(jax.numpy.asarray(X), jax.numpy.asarray(step))

    assert_allclose(numbers(shrunk), penalty.prox(X, step), rtol=1e-13, atol=1e-15)


@every_form
@steps
@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_half_precision_is_rounded_once(penalty, step, dtype):
    x = torch.tensor(X).to(getattr(torch, dtype))
    exact = penalty.prox(numbers(x), step)
    shrunk = penalty.prox(x, step if isinstance(step, float) else torch.tensor(step))

    assert shrunk.dtype == x.dtype
    assert_allclose(numbers(shrunk), exact, rtol=2.0**-8, atol=1e-5)


@pytest.mark.parametrize("shape", [(4,), (3, 1), (1, 4), (), (1,)], ids=str)
@pytest.mark.parametrize("penalty", SHRINKING[:9], ids=repr)
def test_a_step_broadcasts(penalty, shape):
    step = np.random.default_rng(1).uniform(0.1, 2, size=shape)
    everywhere = np.broadcast_to(step, X.shape).copy()

    assert_allclose(penalty.prox(X, step), penalty.prox(X, everywhere), rtol=1e-13, atol=1e-15)


@every_form
def test_a_step_of_zero_changes_nothing(penalty):
    assert_array_equal(penalty.prox(X, 0), X)
    assert_allclose(penalty.prox(X, np.zeros(X.shape)), X, rtol=1e-15)


@every_form
def test_zeros_have_no_sign(penalty):
    for step in (1e3, np.full(X.shape, 1e3) * SPREAD):
        shrunk = penalty.prox(-np.abs(X), step)
        assert not np.signbit(shrunk[shrunk == 0]).any()


@every_form
def test_an_empty_array_and_one_without_dimensions(xp, penalty):
    for shape in [(0,), (0, 3), (3, 0), ()]:
        x = make(xp, np.full(shape, 3.0), "float32")

        assert tuple(penalty.prox(x, 0.1).shape) == shape
        assert penalty.prox(x, xp.zeros(shape)).dtype == x.dtype, shape


@pytest.mark.parametrize("penalty", SHRINKING[:9], ids=repr)
@steps
def test_nan_is_seen(penalty, step):
    x = X.copy()
    x[0, 0] = nan
    with np.errstate(invalid="ignore"):
        assert np.isnan(penalty.prox(x, step)[0, 0])


def by_bisection(v, thresholds):
    """Return the block of the definition, by a search of its norm."""

    def excess(size):
        with np.errstate(over="ignore"):
            return np.square(v / (size + thresholds)).sum() - 1

    low, high = 1e-300, np.linalg.norm(v) * 1.001
    if not excess(low) > 0:
        return np.zeros_like(v)
    size = brentq(excess, low, high, xtol=1e-300, rtol=1e-15, maxiter=9999)
    return v * size / (size + thresholds)


@pytest.mark.parametrize("decades", [0.0, 1.0, 4.0, 8.0])
@pytest.mark.parametrize("size", [1, 2, 10, 300])
@pytest.mark.parametrize("excess", [0.5, 1.0001, 1.5, 10.0, 1e4])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_blocks_whose_steps_spread_over_decades(decades, size, excess, dtype):
    generator = np.random.default_rng(int(decades) + size)
    v = generator.normal(size=(40, size)).astype(dtype)
    spread = 10 ** generator.uniform(-decades, decades, size=v.shape)
    # the sum of (v / t)², whose excess over 1 says whether the block stays, is made what is asked
    spread *= np.linalg.norm(v / spread, axis=1, keepdims=True) / excess
    spread = spread.astype(dtype)
    shrunk = GroupLasso(1.0, 0).prox(v, spread)
    expected = np.stack(
        [by_bisection(*both) for both in zip(v.astype("f8"), spread.astype("f8"), strict=True)]
    )

    close = 2e-6 if dtype == "float32" else 1e-12
    norms = np.linalg.norm(v, axis=1, keepdims=True)
    assert_allclose(shrunk / norms, expected / norms, atol=close)
    assert (excess > 1) == shrunk.any()


@pytest.mark.parametrize(
    ("x", "steps"),
    [
        ([1.0, 2.0, 0.0], [0.0, 1e5, 0.0]),
        ([1.0, 2.0, 3.0], [0.0, 0.0, 0.0]),
        ([0.0, 0.0, 0.0], [0.0, 0.0, 0.0]),
        ([0.0, 0.0, 0.0], [0.0, 1.0, 1e5]),
        ([3.0, 4.0, 5.0], [1e5, 1e5, 1e5]),
        ([3.0, 4.0, 1e-30], [1e5, 1e5, 1e-30]),
        ([1e-30, 1e-30, 0.0], [1e-30, 1e5, 1e5]),
        ([1e-30, 1.0, 2.0], [1e-32, 1e5, 1e5]),
    ],
)
def test_blocks_with_steps_of_zero_and_huge_ones(x, steps):
    x, steps = np.array([x]), np.array([steps])

    expected = by_bisection(x[0], steps[0])
    assert_allclose(GroupLasso(1.0, 0).prox(x, steps), [expected], rtol=1e-6)
    assert_allclose((GroupLasso(1.0, 0) + L1(1.0)).prox(x, 0.0 * steps), x)


@pytest.mark.parametrize("decades", [4, 8, 12, 16])
@pytest.mark.parametrize("size", [2, 3, 5, 10])
@pytest.mark.parametrize("ratio", [0.6, 0.9, 1.0, 1.2])
def test_blocks_with_as_much_to_shrink_in_every_decade(decades, size, ratio):
    """The hardest there are: f bends as often as there are elements."""
    steps = 10.0 ** np.linspace(-decades, 0, size)
    expected = by_bisection(ratio * steps, steps)
    shrunk = GroupLasso(1.0, 0).prox(ratio * steps[None], steps[None])

    assert_allclose(shrunk, [expected], atol=1e-11 * np.linalg.norm(steps))


@pytest.mark.parametrize("size", [1e-38, 1e-30, 1e20, 1e36])
def test_blocks_of_every_size(size):
    x, steps = (X * size).astype("float32"), (SPREAD * size).astype("float32")
    expected = GroupLasso(0.5, 0).prox(X, SPREAD)

    assert_allclose(GroupLasso(0.5, 0).prox(x, steps) / size, expected, rtol=1e-5, atol=1e-6)
    one = GroupLasso(0.5, 0).prox(x, float(size))
    assert_allclose(one / size, GroupLasso(0.5, 0).prox(X, 1.0), rtol=1e-5, atol=1e-6)


def matrices(elements):
    return st.lists(elements, min_size=6, max_size=6).map(lambda v: np.reshape(v, (2, 3)))


ARRAYS = matrices(st.floats(-8, 8, width=32))
STEPS = st.one_of(st.floats(0.01, 8), matrices(st.floats(0.01, 8)))


@settings(with_profile, max_examples=200)
@given(st.sampled_from(SHRINKING), ARRAYS, ARRAYS, STEPS)
def test_it_is_firmly_nonexpansive(penalty, x, y, step):
    """‖Px − Py‖² ≤ ⟨Px − Py, x − y⟩ in the metric of the steps."""
    difference = penalty.prox(x, step) - penalty.prox(y, step)

    assert (difference**2 / step).sum() <= (difference * (x - y) / step).sum() + 1e-9


@settings(with_profile, max_examples=200)
@given(st.sampled_from([L1(0.5), GroupLasso(0.5, 0), L2Norm(0.5)]), ARRAYS, st.floats(0.01, 8))
def test_the_rest_is_the_projection_of_moreau(penalty, x, step):
    """(x − Px)/τ is the point nearest to x/τ whose dual norm is at most s."""
    rest = (x - penalty.prox(x, step)) / step
    axes = {L1: (), GroupLasso: 1, L2Norm: None}[type(penalty)]
    size = np.abs(x / step) if axes == () else np.linalg.norm(x / step, axis=axes, keepdims=True)

    with np.errstate(divide="ignore", invalid="ignore"):
        projected = np.where(size > 0.5, x / step * 0.5 / size, x / step)
    assert_allclose(rest, projected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("step", [-1, -1e-9, nan, inf, -inf, np.float32(-1)], ids=repr)
@pytest.mark.parametrize("penalty", [L1(0.1), GroupLasso(0.1, 0)], ids=repr)
def test_a_step_that_is_negative_or_not_finite(penalty, step):
    match = r"step: expected a finite number, zero or more, got .*; it is the size of a step down"
    with pytest.raises(ConfigurationError, match=match):
        penalty.prox(X, step)


@pytest.mark.parametrize("step", [True, None, "0.1", [0.1], 1j], ids=repr)
def test_a_step_that_is_neither_number_nor_array(step):
    with pytest.raises(ArrayTypeError, match="step: expected an array of a floating type"):
        L1(0.1).prox(X, step)


def test_a_step_of_another_library():
    with pytest.raises(ArrayTypeError, match=r"step: expected .* library of x .*, got Tensor"):
        L1(0.1).prox(X, torch.ones(3, 4))


@pytest.mark.parametrize("shape", [(3,), (4, 3), (1, 3, 4), (2, 4)], ids=str)
def test_a_step_that_does_not_broadcast(shape):
    with pytest.raises(ShapeError, match=r"step: expected a shape that broadcasts to \(3, 4\)"):
        L1(0.1).prox(X, np.ones(shape))


@pytest.mark.parametrize(
    "penalty",
    [
        *[KLSparsity(0.1, 0.5), Orthogonal(0.1), Huber(0.1), Lp(0.1, 0.5), L1(0.1) + Huber(0.1)],
        *[LogSum(0.1, 1.0), Hinge(0.1, above=1.0), Hoyer(0.1), L0(0.1)],
    ],
    ids=repr,
)
def test_a_penalty_without_a_proximal_form(penalty):
    match = (
        r"proximal step: expected L1, L2Squared, L1L2, L2Norm, GroupLasso, .*, "
        r"got (KLSparsity|Orthogonal|Huber|Lp|LogSum|Hinge|Hoyer|L0)\(.*; use its gradient"
    )
    with pytest.raises(ConfigurationError, match=match):
        penalty.prox(X, 0.1)


@pytest.mark.parametrize(
    "penalty", [L2Norm(0.1) + GroupLasso(0.2, 0), GroupLasso(0.1, 0) + L1(1.0) + GroupLasso(0.2, 1)]
)
def test_two_penalties_of_blocks(penalty):
    match = r"at most one of L2Norm and GroupLasso in a sum, got .*\) and GroupLasso\(0.2, "
    with pytest.raises(ConfigurationError, match=match):
        penalty.prox(X, 0.1)


@pytest.mark.parametrize("axis", [2, -3, (0, 5)])
def test_an_axis_the_array_has_not(axis):
    with pytest.raises(ShapeError, match="axis: expected axes of an array of 2 dimensions"):
        GroupLasso(0.1, axis).prox(X, 0.1)


def test_the_strengths_given_take_the_place_of_their_own():
    terms = [(L1(7.0), 0.25), (L2Squared(7.0), 0.5), (GroupLasso(7.0, 0), 0.75)]
    expected = (L1(0.25) + L2Squared(0.5) + GroupLasso(0.75, 0)).prox(X, SPREAD)

    assert_allclose(proximal(np, X, SPREAD, terms), expected)


def test_a_number_as_a_step_may_lie_on_another_device():
    x = torch.ones(3, device="meta")

    assert L1(0.1).prox(x, torch.tensor(0.1)).device == x.device
