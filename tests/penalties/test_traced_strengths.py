"""Strengths that JAX traces, against the same penalties with numbers, and against hand-written."""

import math

import pytest

import regularizers as rz

jax = pytest.importorskip("jax")
jnp = jax.numpy

X = [[1.0, -2.0], [3.0, 0.5]]  # Σ|x| = 6.5, Σx² = 14.25


def test_a_traced_strength_multiplies_and_is_differentiated():
    def penalty(strength):
        return rz.L1(strength)(jnp.array(X))

    assert float(jax.jit(penalty)(2.0)) == 13
    assert float(jax.grad(penalty)(2.0)) == 6.5
    assert jax.vmap(penalty)(jnp.arange(3.0)).tolist() == [0, 6.5, 13]


def test_the_analytic_gradient_has_a_traced_strength_too():
    slope = jax.jit(lambda strength: rz.L2Squared(strength).gradient(jnp.array(X)))
    assert slope(0.25).tolist() == [[0.5, -1], [1.5, 0.25]]


def test_penalties_with_traced_strengths_scale_and_add():
    def penalty(s):
        both = s * rz.L1(1.0) + 2 * rz.L2Squared(s) + rz.L1L2(s, s) * s
        return (both + rz.Budget(rz.L1(s), 1.5) * s + rz.TAR(s, 1) * s)(jnp.array(X))

    # 3·6.5 + 6·14.25 + 9·(6.5 + 14.25) + 9·(6.5 − 1.5) + 9·mean(3², 2.5²)
    assert float(jax.jit(penalty)(3.0)) == 3 * 6.5 + 6 * 14.25 + 9 * 20.75 + 9 * 5 + 9 * 7.625


def test_a_proximal_step_has_a_traced_strength_and_a_traced_step():
    def shrunk(strength, step):
        return rz.L1(strength).prox(jnp.array(X), step)

    # the threshold is 0.75
    assert jax.jit(shrunk)(1.5, 0.5).tolist() == [[0.25, -1.25], [2.25, 0]]


def test_an_array_of_jax_with_a_value_is_a_number():
    assert rz.L1(jnp.float32(0.5)) == rz.L1(0.5)
    assert rz.L1(jnp.asarray(2)) == rz.L1(2.0)
    with pytest.raises(rz.StrengthError, match=r"zero or more, got -1\.0"):
        rz.L1(jnp.asarray(-1.0))


@pytest.mark.parametrize("value", [jnp.ones(2), jnp.asarray(True), jnp.asarray(1j)])
def test_another_array_of_jax_is_refused(value):
    with pytest.raises(rz.StrengthTypeError, match="strength: expected a number"):
        rz.L1(value)
    with pytest.raises(rz.StrengthTypeError, match="strength: expected a number"):
        jax.jit(lambda s: rz.L1(s)(jnp.array(X)))(value)


def test_a_penalty_at_a_step_has_numbers():
    warmed = rz.L1(rz.LinearWarmup(0.5, steps=100)) + rz.L1L2(0.1, rz.Constant(0.2)) * 2
    assert warmed.at(50) == rz.L1(0.25) + rz.L1(0.2) + rz.L2Squared(0.4)
    assert rz.TAR(rz.Constant(0.5), 1).at(7)(jnp.array(X)) == 0.5 * 7.625
    with pytest.raises(rz.StrengthTypeError, match="only in a Regularization"):
        rz.L1(rz.TargetActive(3)).at(0)


def test_a_schedule_that_reads_a_traced_step_is_refused():
    for schedule in (lambda step: 0.1 if step < 3 else 0.2, lambda step: math.cos(step)):
        penalty = rz.L1(schedule)
        assert penalty.at(0)(jnp.array(X)) > 0
        with pytest.raises(rz.StrengthTypeError, match=r"can trace, .* write jax\.numpy\.where"):
            jax.jit(lambda step, p=penalty: p.at(step)(jnp.array(X)))(1)


def test_a_function_that_returns_an_array_is_a_schedule():
    penalty = rz.L1(lambda step: jnp.minimum(step / 4, 1.0))
    assert penalty.at(2) == rz.L1(0.5)
    assert float(jax.jit(lambda step: penalty.at(step)(jnp.array(X)))(2)) == 3.25
    # under jit the function is traced when the penalty is written
    written = jax.jit(lambda step: rz.L1(lambda t: jnp.minimum(t / 4, 1.0)).at(step)(jnp.array(X)))
    assert float(written(2)) == 3.25


def test_a_type_error_at_a_number_is_left_as_it_is():
    def broken(step):
        if step > 1:
            raise TypeError("of the user")
        return 0.1

    with pytest.raises(TypeError, match="of the user"):
        rz.L1(broken).at(2)
