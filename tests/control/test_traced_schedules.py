"""Schedules at a step that JAX traces, against the same schedules at the number of the step."""

import pytest

import regularizers as rz

jax = pytest.importorskip("jax")
jnp = jax.numpy

POINTS = {0: 0.1, 4: 0.2, 9: 0.05}
SCHEDULES = [
    rz.LinearWarmup(1e-3, steps=7, start=0.1),
    rz.Cosine(0.3, 0.1, steps=9),
    rz.Piecewise(POINTS),
    rz.Piecewise(POINTS, interpolate="linear"),
    rz.Piecewise({0: 0.3}),
    2 * rz.Cosine(0.3, 0.1, steps=9),
    rz.Cosine(0.3, 0.1, steps=9) * rz.LinearWarmup(1.0, steps=3) + rz.Constant(0.1),
    rz.LinearWarmup(1e-3, steps=5).then(rz.Cosine(1e-3, 0.0, steps=4), at=5),
    rz.Piecewise(POINTS).then(rz.Piecewise(POINTS), at=11),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_a_traced_step_gives_the_number_of_the_step(schedule):
    traced = jax.jit(lambda step: jnp.asarray(schedule.at(step)))
    with jax.enable_x64(True):
        for step in range(25):
            assert float(traced(step)) == pytest.approx(schedule.at(step), rel=1e-14, abs=1e-17)


@pytest.mark.parametrize("schedule", SCHEDULES, ids=repr)
def test_a_traced_step_in_float32_is_right_to_its_rounding(schedule):
    traced = jax.jit(lambda step: jnp.asarray(schedule.at(step)))
    for step in range(25):
        given = float(traced(jnp.int32(step)))
        assert given == pytest.approx(schedule.at(step), rel=1e-5, abs=1e-9)
