"""Keras on TensorFlow: values and gradients against formulas by hand in NumPy, in float64."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
import keras  # noqa: E402 -- where TensorFlow is

if keras.backend.backend() != "tensorflow":
    pytest.skip("set KERAS_BACKEND=tensorflow for this file", allow_module_level=True)

import regularizers as rz  # noqa: E402
from regularizers.errors import RegimeError  # noqa: E402
from regularizers.integrations.keras import (  # noqa: E402
    ActivityPenalty,
    Constraint,
    Regularizer,
)

REPLICAS = ["CPU:0", "CPU:1"]
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)
GIVEN = np.random.default_rng(0)
X = GIVEN.normal(size=(6, 5))
X[0], X[1, 1], X[2, 0] = 0, 0, 0.5  # a row of zeros, a zero, the edge of Huber
SERIES = GIVEN.normal(size=(4, 7, 3))
SERIES[1, 2] = SERIES[1, 1]
CODES = 1 / (1 + np.exp(-X))


def norms(x, axis, weight=1.0):
    n = np.sqrt((x**2).sum(axis=axis, keepdims=True))
    return weight * n.sum(), weight * np.divide(x, n, out=np.zeros_like(x), where=n > 0)


def huber(x, delta=0.5):
    far = np.abs(x) > delta
    value = np.where(far, delta * (np.abs(x) - delta / 2), x**2 / 2)
    return value.sum(), np.clip(x, -delta, delta)


def hoyer(x):
    size, squares = np.abs(x).sum(), (x**2).sum()
    return size**2 / squares, 2 * size / squares * (np.sign(x) - size / squares * x)


def kl(x, rho=0.1):
    mean = x.mean(0, keepdims=True)
    value = rho * np.log(rho / mean) + (1 - rho) * np.log((1 - rho) / (1 - mean))
    return value.sum(), ((1 - rho) / (1 - mean) - rho / mean) / len(x) + 0 * x


def entropy(x):
    q = np.exp(x) / np.exp(x).sum(1, keepdims=True)
    each = -(q * np.log(q)).sum(1, keepdims=True)
    return each.mean(), -q * (np.log(q) + each) / len(x)


def decorrelation(x):
    centred = x - x.mean(0)
    between = centred.T @ centred / len(x)
    between = between - np.diag(np.diag(between))
    return (between**2).sum() / 2, 2 * centred @ between / len(x)


def orthogonal(x):
    error = x.T @ x - np.eye(x.shape[1])
    return (error**2).sum(), 4 * x @ error


def spectral(x):
    left, values, right = np.linalg.svd(x)
    return values[0] ** 2 / 2, values[0] * np.outer(left[:, 0], right[0])


def changes(x, slope, size, count):
    steps = x[:, 1:] - x[:, :-1]
    gradient = np.zeros_like(x)
    gradient[:, 1:] += slope(steps) / count
    gradient[:, :-1] -= slope(steps) / count
    return size(steps).sum() / count, gradient


def fourth_powers(xp, x):
    return xp.sum(x**4)


ACTIVITIES = {
    "L1": (rz.L1(1.0, reduce="sum"), X, (np.abs(X).sum(), np.sign(X))),
    "L1, by default": (rz.L1(1.0), X, (np.abs(X).sum() / 6, np.sign(X) / 6)),
    "L2Squared": (rz.L2Squared(1.0, reduce="mean"), X, ((X**2).mean(), 2 * X / X.size)),
    "L1L2": (
        rz.L1L2(0.5, 0.2, reduce="sum"),
        X,
        ((abs(X) / 2 + X**2 / 5).sum(), np.sign(X) / 2 + 0.4 * X),
    ),
    "L2Norm": (rz.L2Norm(1.0), X, norms(X, 1, 1 / 6)),
    "Huber": (rz.Huber(1.0, delta=0.5, reduce="sum"), X, huber(X)),
    "Hoyer": (rz.Hoyer(1.0, reduce="sum"), X, hoyer(X)),
    "GroupLasso": (rz.GroupLasso(1.0, axis=1, reduce="sum"), X, norms(X, 0)),
    "GroupLasso, a mean": (
        rz.GroupLasso(1.0, axis=1, reduce="mean"),
        X,
        norms(X, 0, 1 / 5 / 6**0.5),
    ),
    "KLSparsity": (rz.KLSparsity(1.0, target=0.1), CODES, kl(CODES)),
    "Entropy": (rz.Entropy(1.0, reduce="mean"), X, entropy(X)),
    "LogSum": (
        rz.LogSum(1.0, epsilon=0.1, reduce="sum"),
        X,
        (np.log1p(abs(X) / 0.1).sum(), np.sign(X) / (0.1 + abs(X))),
    ),
    "Lp": (
        rz.Lp(1.0, p=1.5, reduce="sum"),
        X,
        ((abs(X) ** 1.5).sum(), 1.5 * np.sign(X) * abs(X) ** 0.5),
    ),
    "Decorrelation": (rz.Decorrelation(1.0), X, decorrelation(X)),
    "TAR": (
        rz.TAR(1.0, time_axis=1),
        SERIES,
        changes(SERIES, lambda d: 2 * d, lambda d: d**2, 4 * 6 * 3),
    ),
    "TotalVariation": (
        rz.TotalVariation(1.0, axes=1),
        SERIES,
        changes(SERIES, np.sign, np.abs, 4),
    ),
    "your own": (rz.FromFunction(1.0, fourth_powers), X, ((X**4).sum(), 4 * X**3)),
}
WEIGHTS = {
    "L1": (rz.L1(1.0), X, (np.abs(X).sum(), np.sign(X))),
    "L2Squared": (rz.L2Squared(1.0), X, ((X**2).sum(), 2 * X)),
    "GroupLasso": (rz.GroupLasso(1.0, axis="input"), X, norms(X, 1)),
    "Orthogonal": (rz.Orthogonal(1.0, axis=1), X, orthogonal(X)),
    "Spectral": (rz.Spectral(1.0), X, spectral(X)),
    "Spectral, two of a size": (
        rz.Spectral(1.0),
        np.diag([2.0, 1.0, 1.0]),
        spectral(np.diag([2.0, 1, 1])),
    ),
}


def eagerly(function, x):
    return function


def of_any_batch(function, x):
    return tf.function(function, input_signature=[tf.TensorSpec([None, *x.shape[1:]], x.dtype)])


def of_any_shape(function, x):
    return tf.function(function, input_signature=[tf.TensorSpec([None] * x.ndim, x.dtype)])


def by_xla(function, x):
    return tf.function(function, jit_compile=True)


@pytest.mark.parametrize("way", [eagerly, of_any_batch, of_any_shape, by_xla])
@pytest.mark.parametrize("name", ACTIVITIES)
def test_penalties_of_activities_are_those_by_hand(name, way):
    penalty, x, (value, gradient) = ACTIVITIES[name]
    regularizer = Regularizer(penalty)

    def differentiated(x):
        with tf.GradientTape() as tape:
            tape.watch(x)
            found = regularizer(x)
        return found, tape.gradient(found, x)

    found, slope = way(differentiated, x)(tf.constant(x))
    assert found.numpy() / len(x) == pytest.approx(value, rel=1e-13)  # Keras divides by the batch
    np.testing.assert_allclose(slope.numpy() / len(x), gradient, rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    "options", [None, {}, {"jit_compile": True}], ids=["eager", "graph", "XLA"]
)
@pytest.mark.parametrize("name", WEIGHTS)
def test_penalties_of_weights_are_those_by_hand(name, options):
    penalty, x, (value, gradient) = WEIGHTS[name]
    weight = keras.Variable(x, dtype="float64")
    regularizer = Regularizer(penalty)

    def differentiated():
        with tf.GradientTape() as tape:
            found = regularizer(weight)
        return found, tape.gradient(found, weight.value)

    way = differentiated if options is None else tf.function(differentiated, **options)
    found, slope = way()
    # the singular values of XLA are that exact
    near = 1e-6 if name.startswith("Spectral") and options else 1e-12
    assert found.numpy() == pytest.approx(value, rel=near)
    np.testing.assert_allclose(slope.numpy(), gradient, rtol=0, atol=near)


@pytest.mark.parametrize("lengths", [[7, 3], [None, None]])
def test_a_mask_counts_in_a_graph(lengths):
    layer = ActivityPenalty(rz.L1(1.0) + rz.TAR(1.0, time_axis=1))
    mask = np.arange(7) < np.array([7, 5, 1, 0])[:, None]

    @tf.function(
        input_signature=[
            tf.TensorSpec([None, lengths[0], lengths[1]], tf.float64),
            tf.TensorSpec([None, lengths[0]], tf.bool),
        ]
    )
    def penalised(x, mask):
        layer(x, mask=mask)
        return layer.losses[0]

    steps = (SERIES[:, 1:] - SERIES[:, :-1])[mask[:, 1:] & mask[:, :-1]]
    wanted = np.abs(SERIES[mask]).sum() / 3 + (steps**2).mean()
    assert penalised(SERIES, mask).numpy() == pytest.approx(wanted, rel=1e-6)


def test_a_layer_knows_its_output_where_no_length_is_known():
    inputs = keras.Input((None, 3))
    assert ActivityPenalty(rz.TAR(1.0, time_axis=1))(inputs).shape == (None, None, 3)


def test_types_stay_as_they_are():
    for dtype in ("float16", "bfloat16", "float32", "float64"):
        x = tf.cast(tf.constant(X), dtype)
        found = Regularizer(rz.GroupLasso(1.0, axis=1, reduce="mean"))(x)
        assert found.dtype.name == ("float64" if dtype == "float64" else "float32")
        assert Constraint(rz.UnitNorm(axis=1))(keras.Variable(x, dtype=dtype)).dtype == x.dtype


@pytest.mark.parametrize("axis", ["output", 1])
def test_a_constraint_is_the_projection_by_hand(axis):
    found = Constraint(rz.MaxNorm(1.0, axis=axis))(keras.Variable(X, dtype="float64"))
    length = np.linalg.norm(X, axis=0)
    np.testing.assert_allclose(found.numpy(), X / np.maximum(length, 1), rtol=1e-14)
    assert Constraint(rz.NonNegative())(keras.Variable(X)).numpy().min() == 0


def test_a_penalty_that_reads_values_is_refused_in_a_graph():
    def large(xp, x):
        return xp.sum(x * x) if xp.max(x) > 1 else xp.sum(x)

    regularizer = Regularizer(rz.FromFunction(1.0, large))
    wanted = np.square(X).sum() if X.max() > 1 else X.sum()
    assert regularizer(tf.constant(X)).numpy() / 6 == pytest.approx(wanted)
    with pytest.raises(RegimeError, match=r"which graphs of TensorFlow do not have; .*xp\.where"):
        tf.function(regularizer, autograph=False)(tf.constant(X))


def trained(penalty):
    keras.utils.set_random_seed(1)
    hidden = keras.layers.Dense(
        5,
        activation="sigmoid",
        activity_regularizer=Regularizer(penalty),
        kernel_regularizer=Regularizer(rz.L2Squared(0.05)),
    )
    model = keras.Sequential([keras.Input((5,)), hidden, keras.layers.Dense(3)])
    model.compile(keras.optimizers.SGD(0.1), "mse")
    x = np.random.default_rng(1).normal(size=(32, 5))
    model.fit(x, x[:, :3], batch_size=8, epochs=2, shuffle=False, verbose=0)
    return model.get_weights()


def test_two_replicas_are_one_process_or_refuse_a_penalty_of_the_whole_batch():
    penalty = rz.L1(0.3) + rz.L2Norm(0.2)
    alone = trained(penalty)
    with tf.distribute.MirroredStrategy(REPLICAS).scope():
        for found, wanted in zip(trained(penalty), alone, strict=True):
            np.testing.assert_allclose(found, wanted, rtol=0, atol=1e-6)
        # Keras raises it with its own words around it
        with pytest.raises(Exception, match="each process or replica has a part of the batch"):
            trained(rz.KLSparsity(0.1, target=0.1))
    assert np.abs(trained(rz.L1(0.0))[0] - alone[0]).max() > 1e-2
