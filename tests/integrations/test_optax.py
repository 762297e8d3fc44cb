"""Transformations of optax, against losses and steps written by hand in float64."""

import functools
import itertools
import pickle

import pytest

import regularizers as rz

jax = pytest.importorskip("jax")
optax = pytest.importorskip("optax")
jnp = jax.numpy

from regularizers.integrations import optax as rz_optax  # noqa: E402 -- where optax is there

STEPS, RATE = 12, 0.05


@pytest.fixture(autouse=True)
def _in_float64():
    with jax.enable_x64(True):
        yield


def problem():
    """Return weights, and batches of eight samples of a task."""
    keys = jax.random.split(jax.random.key(0), 5)
    weights = {
        "hidden": {
            "kernel": jax.random.normal(keys[0], (4, 5)),
            "bias": 0.1 * jax.random.normal(keys[1], (5,)),
        },
        "head": {"kernel": jax.random.normal(keys[2], (5, 1))},
    }
    inputs = jax.random.normal(keys[3], (STEPS, 8, 4))
    return weights, list(zip(inputs, jax.random.normal(keys[4], (STEPS, 8, 1)), strict=True))


def loss(weights, x, y):
    hidden = jnp.tanh(x @ weights["hidden"]["kernel"] + weights["hidden"]["bias"])
    return jnp.mean((hidden @ weights["head"]["kernel"] - y) ** 2)


def trained(optimizer, loss=loss, parts=1, steps=STEPS):
    """Train on each batch, in `parts` of it one after the other; return the weights."""
    weights, batches = problem()
    state = optimizer.init(weights)

    @jax.jit
    def step(weights, state, x, y):
        updates, state = optimizer.update(jax.grad(loss)(weights, x, y), state, weights)
        return optax.apply_updates(weights, updates), state

    for x, y in batches[:steps]:
        for part in zip(jnp.split(x, parts), jnp.split(y, parts), strict=True):
            weights, state = step(weights, state, *part)
    return weights


def worst(found, wanted):
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True)
    return max(float(jnp.max(jnp.abs(a - b))) for a, b in pairs)


def kernels(weights):
    return jax.tree.map(lambda w: w.ndim > 1, weights)


def penalised(weights, x, y):
    """The loss of the kernels' 0.02·Σ|w| + 0.01·Σw² + 0.03·‖w‖, written out."""
    total = loss(weights, x, y)
    for kernel in (weights["hidden"]["kernel"], weights["head"]["kernel"]):
        total += 0.02 * jnp.sum(jnp.abs(kernel)) + 0.01 * jnp.sum(kernel**2)
        total += 0.03 * jnp.sqrt(jnp.sum(kernel**2))
    return total


PENALTY = rz.L1(0.02) + rz.L2Squared(0.01) + rz.L2Norm(0.03)
OPTIMIZERS = {
    "sgd": lambda: optax.sgd(RATE),
    "momentum": lambda: optax.sgd(RATE, 0.9, nesterov=True),
    "adamw": lambda: optax.adamw(RATE, weight_decay=0.1),
}


@functools.cache
def by_hand(name):
    """Return the weights with the penalty in the loss, which do differ from those without."""
    with_penalty = trained(OPTIMIZERS[name](), penalised)
    assert worst(trained(OPTIMIZERS[name]()), with_penalty) > 1e-3
    return with_penalty


@pytest.mark.parametrize("accumulated", [1, 2, 4])
@pytest.mark.parametrize("name", OPTIMIZERS)
def test_a_penalty_is_a_term_of_the_loss_whatever_is_accumulated(name, accumulated):
    ours = optax.chain(rz_optax.add_penalty(PENALTY, mask=kernels), OPTIMIZERS[name]())
    steps = optax.MultiSteps(ours, accumulated, accumulator_dtype=jnp.float64)
    assert worst(trained(steps, parts=accumulated), by_hand(name)) < 1e-13


def test_weight_decay_of_optax_is_twice_the_strength_of_squares():
    theirs = optax.chain(optax.add_decayed_weights(0.3, kernels), optax.adam(RATE))
    ours = optax.chain(rz_optax.add_penalty(rz.L2Squared(0.15), kernels), optax.adam(RATE))
    assert worst(trained(ours), trained(theirs)) < 1e-14


def test_a_mask_may_be_a_tree():
    tree = {"hidden": {"kernel": True, "bias": False}, "head": {"kernel": True}}
    optimizer = optax.chain(rz_optax.add_penalty(PENALTY, mask=tree), optax.sgd(RATE))
    assert worst(trained(optimizer), by_hand("sgd")) < 1e-13


SCHEDULES = [
    rz.LinearWarmup(0.1, steps=5),
    rz.Cosine(0.1, 0.02, steps=7),
    rz.Piecewise({0: 0.1, 3: 0.02, 8: 0.05}),
    rz.Piecewise({0: 0.1, 3: 0.02, 8: 0.05}, interpolate="linear"),
    rz.LinearWarmup(0.1, steps=4).then(rz.Cosine(0.1, 0.0, steps=5), at=4) * 2,
    optax.exponential_decay(0.1, 3, 0.5),
    lambda step: 0.1 / (1 + step),
]


@pytest.mark.parametrize("schedule", SCHEDULES)
def test_a_strength_is_that_of_the_step_of_the_optimizer(schedule):
    at = getattr(schedule, "at", schedule)
    weights, batches = problem()
    for step, (x, y) in enumerate(batches):
        grads = jax.grad(loss)(weights, x, y)
        s = float(at(step))
        weights = jax.tree.map(lambda w, g, s=s: w - RATE * (g + s * jnp.sign(w)), weights, grads)
    ours = optax.chain(rz_optax.add_penalty(rz.L1(schedule)), optax.sgd(RATE))
    steps = optax.MultiSteps(ours, 2, accumulator_dtype=jnp.float64)
    assert worst(trained(steps, parts=2), weights) < 1e-13


def test_a_strength_may_be_changed_from_outside_without_a_new_compilation():
    @optax.inject_hyperparams
    def made(strength):
        return optax.chain(rz_optax.add_penalty(rz.L1(strength)), optax.sgd(1.0))

    optimizer, weights = made(strength=0.5), {"w": jnp.array([2.0, -3.0])}
    state, compiled = optimizer.init(weights), []

    @jax.jit
    def step(state):
        compiled.append(1)
        return optimizer.update({"w": jnp.zeros(2)}, state, weights)

    updates, state = step(state)
    assert updates["w"].tolist() == [-0.5, 0.5]
    state.hyperparams["strength"] *= 0.5
    assert step(state)[0]["w"].tolist() == [-0.25, 0.25]
    assert len(compiled) == 1


def test_a_strength_may_be_differentiated_through_a_step():
    weights = {"w": jnp.array([2.0, -3.0])}

    def after(strength):
        optimizer = optax.chain(rz_optax.add_penalty(rz.L1(strength)), optax.sgd(0.1))
        updates, _ = optimizer.update({"w": jnp.zeros(2)}, optimizer.init(weights), weights)
        return jnp.sum(optax.apply_updates(weights, updates)["w"] ** 2)

    # (2 − 0.1 s)² + (−3 + 0.1 s)²
    assert float(jax.grad(after)(1.0)) == pytest.approx(2 * 1.9 * -0.1 + 2 * -2.9 * 0.1)


def soft(w, threshold):
    return jnp.sign(w) * jnp.maximum(jnp.abs(w) - threshold, 0)


def halved(step):
    return jnp.where(step < 6, 0.0625, 0.03125)  # exact in float32 too, in which optax counts


@pytest.mark.parametrize(("rate", "accumulated"), [(RATE, 1), (halved, 2), (RATE, 4)])
def test_a_proximal_step_is_that_of_the_gradient_step(rate, accumulated):
    weights, batches = problem()
    for step, (x, y) in enumerate(batches):
        tau = float(rate(step)) if callable(rate) else rate
        grads = jax.grad(loss)(weights, x, y)
        weights = jax.tree.map(lambda w, g, t=tau: soft(w - t * g, 2.0 * t), weights, grads)
    ours = optax.chain(optax.sgd(rate), rz_optax.proximal(rz.L1(2.0), rate))
    steps = optax.MultiSteps(ours, accumulated, accumulator_dtype=jnp.float64)
    found = trained(steps, parts=accumulated)
    assert worst(found, weights) < 1e-13
    zeros = [int(jnp.sum(w == 0)) for w in jax.tree.leaves(found)]
    assert sum(zeros) > 5
    assert zeros == [int(jnp.sum(w == 0)) for w in jax.tree.leaves(weights)]


def test_a_proximal_step_stands_inside_of_what_accumulates():
    # outside it would act at every part of a batch, and nothing tells it
    inside = optax.chain(optax.sgd(RATE), rz_optax.proximal(rz.L1(2.0), RATE))
    wanted = trained(inside, steps=3)
    steps = optax.MultiSteps(inside, 2, accumulator_dtype=jnp.float64)
    assert worst(trained(steps, parts=2, steps=3), wanted) < 1e-13
    multi = optax.MultiSteps(optax.sgd(RATE), 2).gradient_transformation()
    outside = optax.chain(multi, rz_optax.proximal(rz.L1(2.0), RATE))
    assert worst(trained(outside, parts=2, steps=3), wanted) > 0.1


def least_squares(count=2000):
    """Return a problem, and the gradient of ‖Xw − y‖²/2n, which is worked out by hand."""
    x = jax.random.normal(jax.random.key(1), (40, 6))
    y = x @ jnp.array([1.0, 0, -2, 0, 0, 0.5]) + 0.1 * jax.random.normal(jax.random.key(2), (40,))

    def descended(optimizer):
        def step(carry, _):
            w, state = carry
            updates, state = optimizer.update(x.T @ (x @ w - y) / 40, state, w)
            return (optax.apply_updates(w, updates), state), None

        start = jnp.zeros(6)
        return jax.lax.scan(step, (start, optimizer.init(start)), None, count)[0][0]

    def excess(w, strength):
        """How far the conditions of the Lasso are from being met."""
        slope = x.T @ (x @ w - y) / 40
        inner = jnp.where(w == 0, jnp.maximum(jnp.abs(slope) - strength, 0), 0)
        return float(jnp.max(jnp.where(w == 0, inner, jnp.abs(slope + strength * jnp.sign(w)))))

    return descended, excess


def test_a_proximal_step_finds_the_lasso_with_and_without_momentum():
    descended, excess = least_squares()
    plain = optax.chain(optax.sgd(0.1), rz_optax.proximal(rz.L1(0.2), 0.1))
    assert excess(descended(plain), 0.2) < 1e-12
    heavy = optax.chain(optax.sgd(0.02, 0.8), rz_optax.proximal(rz.L1(0.2), 0.02 / (1 - 0.8)))
    assert excess(descended(heavy), 0.2) < 1e-12
    assert int(jnp.sum(descended(heavy) == 0)) == 3


def test_a_proximal_step_after_adam_is_of_another_rule():
    # as its docstring says; a penalty before Adam is that of the loss
    descended, excess = least_squares()
    shrunk = optax.chain(optax.adam(1e-3), rz_optax.proximal(rz.L1(0.2), 1e-3))
    assert excess(descended(shrunk), 0.2) > 0.1


def test_with_momentum_of_another_step_it_is_wrong():
    descended, excess = least_squares()
    heavy = optax.chain(optax.sgd(0.02, 0.8), rz_optax.proximal(rz.L1(0.2), 0.02))
    assert excess(descended(heavy), 0.2) > 0.1


@pytest.mark.parametrize(
    "constraint",
    [rz.UnitNorm(axis=1), rz.MaxNorm(0.5, axis=1), rz.NonNegative(), rz.Bounds(-0.1, 0.1)],
    ids=repr,
)
def test_weights_lie_within_a_constraint_after_a_step(constraint):
    chain = optax.chain(optax.adam(0.3), rz_optax.project(constraint, mask=kernels))
    weights = trained(optax.MultiSteps(chain, 2), parts=2, steps=3)
    for layer in ("hidden", "head"):
        kernel = weights[layer]["kernel"]
        assert worst(constraint.project(kernel), kernel) < 3e-16
        assert worst(constraint.project(problem()[0][layer]["kernel"]), kernel) > 1e-3


def test_projected_descent_is_that_of_a_hand_written_loop():
    weights, batches = problem()
    for x, y in batches:
        grads = jax.grad(loss)(weights, x, y)
        weights = jax.tree.map(lambda w, g: jnp.maximum(w - RATE * g, 0), weights, grads)
    ours = trained(optax.chain(optax.sgd(RATE), rz_optax.project(rz.NonNegative())))
    assert worst(ours, weights) < 1e-15


def test_the_optimizer_sees_no_radial_part():
    kernel, slope = jnp.array([[3.0, 4.0], [0.0, 2.0]]), jnp.array([[1.0, 2.0], [5.0, 7.0]])
    unit = rz.UnitNorm(axis=0)
    seen, _ = rz_optax.tangential(unit).update(slope, rz_optax.StepCount(jnp.int32(0)), kernel)
    # g − (g·w / ‖w‖²) w: of the first row 11/25 of it, of the second 14/4
    assert worst(seen, jnp.array([[1 - 33 / 25, 2 - 44 / 25], [5.0, 0.0]])) < 1e-15
    whole, _ = rz_optax.tangential(rz.NonNegative()).update(slope, rz_optax.StepCount(0), kernel)
    assert worst(whole, slope) == 0


def test_a_unit_norm_is_descended_on_the_sphere():
    weights, batches = problem()
    weights["hidden"]["kernel"] /= jnp.linalg.norm(weights["hidden"]["kernel"], axis=0)
    only = {"hidden": {"kernel": True, "bias": False}, "head": {"kernel": False}}
    unit = rz.UnitNorm(axis=1)
    optimizer = optax.chain(
        rz_optax.tangential(unit, only), optax.sgd(RATE, 0.9), rz_optax.project(unit, only)
    )
    state, momentum = optimizer.init(weights), jax.tree.map(jnp.zeros_like, weights)
    wanted = weights
    for x, y in batches:
        grads = jax.grad(loss)(weights, x, y)
        updates, state = optimizer.update(grads, state, weights)
        weights = optax.apply_updates(weights, updates)

        grads, w = jax.grad(loss)(wanted, x, y), wanted["hidden"]["kernel"]
        g = grads["hidden"]["kernel"]
        grads["hidden"]["kernel"] = g - w * jnp.sum(g * w, 0) / jnp.sum(w * w, 0)
        momentum = jax.tree.map(lambda m, g: 0.9 * m + g, momentum, grads)
        wanted = jax.tree.map(lambda w, m: w - RATE * m, wanted, momentum)
        wanted["hidden"]["kernel"] /= jnp.linalg.norm(wanted["hidden"]["kernel"], axis=0)
    assert worst(weights, wanted) < 1e-13


def test_a_state_that_was_saved_goes_on_as_if_nothing_was():
    optimizer = optax.MultiSteps(
        optax.chain(
            rz_optax.add_penalty(rz.L2Squared(rz.LinearWarmup(0.3, steps=9)), kernels),
            optax.sgd(optax.linear_schedule(0.1, 0.01, 9)),
            rz_optax.proximal(
                rz.L1(rz.Cosine(0.5, 0.1, steps=9)), optax.linear_schedule(0.1, 0.01, 9)
            ),
            rz_optax.project(rz.Bounds(-1.0, 1.0)),
        ),
        2,
        accumulator_dtype=jnp.float64,
    )
    weights, batches = problem()
    halves = [(x[i : i + 4], y[i : i + 4]) for (x, y), i in itertools.product(batches, (0, 4))]
    state, update = optimizer.init(weights), jax.jit(optimizer.update)
    for number, (x, y) in enumerate(halves):
        if number in (3, 8):  # amid an accumulation, and between two
            weights, state = pickle.loads(pickle.dumps(jax.device_get((weights, state))))
        updates, state = update(jax.grad(loss)(weights, x, y), state, weights)
        weights = optax.apply_updates(weights, updates)
    assert worst(weights, trained(optimizer, parts=2)) < 1e-14


@pytest.mark.parametrize("dtype", [jnp.bfloat16, jnp.float16, jnp.float32, jnp.float64])
@pytest.mark.parametrize("constraint", [rz.Bounds(-0.01, 0.01), rz.NonNegative()], ids=repr)
def test_no_rounding_leaves_an_interval(constraint, dtype):
    weight, update = (jax.random.normal(jax.random.key(seed), (2000,)) for seed in (1, 2))
    weight, update = (0.02 * weight).astype(dtype), (0.02 * update).astype(dtype)
    optimizer = rz_optax.project(constraint)
    updates, _ = optimizer.update(update, optimizer.init(weight), weight)
    moved = optax.apply_updates(weight, updates)
    assert jnp.all(constraint.project(moved) == moved)
    assert jnp.any(moved != weight + update)
    wanted = constraint.project(weight + update)
    assert worst(moved.astype(float), wanted.astype(float)) < 0.05 * jnp.finfo(dtype).eps


def test_half_precision_keeps_its_type_and_gets_to_zero():
    weights = {"w": jnp.array([0.5, -0.001, 2.0], jnp.bfloat16)}
    optimizer = optax.chain(
        rz_optax.add_penalty(rz.L1(0.5)), optax.sgd(0.125), rz_optax.proximal(rz.L1(0.5), 0.125)
    )
    updates, _ = optimizer.update(
        {"w": jnp.zeros(3, jnp.bfloat16)}, optimizer.init(weights), weights
    )
    assert updates["w"].dtype == jnp.bfloat16
    assert optax.apply_updates(weights, updates)["w"].tolist() == [0.375, 0.0, 1.875]


def test_a_count_has_its_place_where_trees_of_weights_are_mapped():
    optimizer = optax.chain(rz_optax.add_penalty(rz.L1(0.1), kernels), optax.adam(RATE))
    state = optimizer.init(problem()[0])
    moved = optax.tree_utils.tree_map_params(optimizer, lambda w: w + 1, state)
    assert worst(moved[1][0].mu, jax.tree.map(jnp.ones_like, problem()[0])) == 0


def test_what_cannot_be_is_refused_when_it_is_written():
    with pytest.raises(
        rz.ConfigurationError, match=r"expected a penalty such as L1\(1e-3\), got 0\.1"
    ):
        rz_optax.add_penalty(0.1)
    with pytest.raises(rz.ConfigurationError, match="expected a penalty of weights, got L0"):
        rz_optax.add_penalty(rz.L0(0.1))
    with pytest.raises(rz.StrengthTypeError, match=r"TargetZeros.* here use a schedule"):
        rz_optax.proximal(rz.L1(rz.TargetZeros(fraction=0.5)), 0.1)
    with pytest.raises(rz.ConfigurationError, match=r"Huber.* which has no proximal form"):
        rz_optax.proximal(rz.Huber(0.1, 1.0), 0.1)
    for place in (rz_optax.project, rz_optax.tangential):
        with pytest.raises(
            rz.ConfigurationError, match=r"a constraint such as UnitNorm\(0\), got L1"
        ):
            place(rz.L1(0.1))


def test_a_mask_that_leaves_all_out_is_refused_before_the_first_step():
    optimizer = rz_optax.add_penalty(rz.L1(0.1), mask=lambda w: jax.tree.map(lambda _: False, w))
    with pytest.raises(rz.SelectionError, match="mask: expected True for a weight or more"):
        optimizer.init(problem()[0])


def test_an_update_without_weights_is_refused():
    optimizer = rz_optax.add_penalty(rz.L1(0.1))
    weights = problem()[0]
    with pytest.raises(
        rz.ConfigurationError, match=r"write optimizer\.update\(grads, state, params\)"
    ):
        optimizer.update(weights, optimizer.init(weights))


def test_an_array_that_does_not_fit_is_named():
    weights = {"count": jnp.zeros(2, jnp.int32), "w": jnp.ones(2)}
    optimizer = rz_optax.add_penalty(rz.L1(0.1))
    with pytest.raises(rz.ArrayTypeError, match=r"^count: x: .*; mask= leaves a weight out"):
        optimizer.update(weights, optimizer.init(weights), weights)
    optimizer = rz_optax.project(rz.UnitNorm(axis="output"))
    with pytest.raises(rz.ConfigurationError, match=r"^w: axis: expected the number of an axis"):
        optimizer.update({"w": jnp.ones(2)}, optimizer.init(weights), {"w": jnp.ones(2)})


def test_a_negative_learning_rate_is_refused():
    weights = {"w": jnp.ones(2)}
    optimizer = rz_optax.proximal(rz.L1(0.1), -0.1)
    with pytest.raises(rz.ConfigurationError, match=r"^w: step: expected a finite number"):
        optimizer.update(weights, optimizer.init(weights), weights)
