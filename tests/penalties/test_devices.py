"""Penalties over devices of JAX and under vmap, against hand-written formulas of the whole."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import regularizers as rz

jax = pytest.importorskip("jax")
jnp = jax.numpy

X = jnp.array([[1.0, -2.0, 0.5], [3.0, 0.5, 1.0]])


@pytest.mark.parametrize("devices", [2, 4])
def test_several_devices_have_the_penalty_and_the_gradient_of_one(devices):
    finished = subprocess.run(
        [sys.executable, "-W", "error", Path(__file__).parent / "on_devices.py", str(devices)],
        capture_output=True,
        text=True,
        timeout=300,
        env={
            **os.environ,
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": f"--xla_force_host_platform_device_count={devices}",
        },
    )
    assert "all exact" in finished.stdout, finished.stdout + finished.stderr


def test_in_float32_squares_are_joined_in_float32():
    joined = jax.vmap(lambda x: rz.L2Norm(1.0)(x, axis_name="parts"), axis_name="parts")
    assert joined(X) == pytest.approx([np.linalg.norm(X)] * 2, rel=1e-6)


def test_without_a_name_each_device_has_a_penalty_of_its_own():
    apart = jax.vmap(rz.L2Norm(1.0), axis_name="parts")(X)
    assert apart == pytest.approx(np.linalg.norm(X, axis=1), rel=1e-6)


def test_a_mean_over_samples_that_are_mapped_over_is_joined():
    penalty = rz.L1(1.0, reduce="batch_mean", batch_axis=())
    means = jax.vmap(lambda x: penalty(x, axis_name="samples"), axis_name="samples")(X)
    assert means.tolist() == [4.0, 4.0]  # of 3.5 and 4.5


@pytest.mark.parametrize(
    "penalty", [rz.FromFunction(1.0, lambda xp, x: xp.max(x)), rz.Spectral(1.0)]
)
def test_statistics_that_do_not_add_up_are_refused(penalty):
    mapped = jax.vmap(lambda x: penalty(x, axis_name="parts"), axis_name="parts")
    with pytest.raises(rz.RegimeError, match=r"axis_name: .*all_gather\(x, 'parts', tiled"):
        mapped(jnp.stack([X, X]))


def test_an_axis_that_is_not_there_is_said():
    with pytest.raises(
        rz.ConfigurationError, match=r"axis_name: .* around this call, got 'missing'"
    ):
        rz.L1(1.0)(X, axis_name="missing")


def test_axes_of_other_libraries_have_no_names():
    with pytest.raises(rz.ArrayTypeError, match=r"got ndarray; .* process_group=\)"):
        rz.L1(1.0)(np.ones(3), axis_name="devices")


PER_SAMPLE = {
    "transformed": lambda f: jax.vmap(f),
    "gradient of each": lambda f: jax.vmap(jax.grad(f)),
    "compiled": lambda f: jax.jit(jax.vmap(f)),
    "gradient of the sum": lambda f: jax.grad(lambda x: jnp.sum(jax.vmap(f)(x))),
    "forward mode": lambda f: jax.vmap(lambda x: jax.jvp(f, (x,), (x,))),
}


@pytest.mark.parametrize("way", PER_SAMPLE.values(), ids=PER_SAMPLE)
@pytest.mark.parametrize(
    "penalty",
    [
        rz.L1(1.0, reduce="batch_mean"),
        rz.KLSparsity(1.0, 0.1),
        rz.Decorrelation(1.0),
        rz.L2Squared(1.0) + rz.Budget(rz.L1(1.0, reduce="batch_mean"), 1.0),
        rz.FromFunction(1.0, lambda xp, x: xp.sum(x * x), additive="samples"),
    ],
    ids=lambda penalty: type(penalty).__name__,
)
def test_units_are_not_taken_for_samples_under_vmap(penalty, way):
    with pytest.raises(rz.ShapeError, match=r"shape \(3,\), .* say batch_axis=\(\) if x is one"):
        way(penalty)(X)


def test_a_sample_that_is_said_to_be_one_has_a_penalty_of_its_own():
    penalty = rz.L1(1.0, reduce="batch_mean", batch_axis=())
    assert jax.vmap(penalty)(X).tolist() == [3.5, 4.5]
    assert jax.vmap(penalty.gradient)(X).tolist() == [[1, -1, 1], [1, 1, 1]]


def test_a_mapped_ensemble_says_where_its_samples_are():
    penalty = rz.L1(1.0, reduce="batch_mean", batch_axis=0)
    assert jax.vmap(penalty)(jnp.stack([X, 2 * X])).tolist() == [4.0, 8.0]


def test_sums_and_means_need_no_axis_under_vmap():
    assert jax.vmap(rz.L1(1.0))(X).tolist() == [3.5, 4.5]
    assert jax.vmap(rz.L2Squared(1.0, reduce="mean"))(X).tolist() == pytest.approx(
        [1.75, 10.25 / 3]
    )
    assert jax.vmap(rz.GroupLasso(1.0, axis=1))(X[:, :, None]).shape == (2,)
