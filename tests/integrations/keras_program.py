"""Trains small Keras models on the backend of KERAS_BACKEND, and prints what came out as JSON.

It is given the folder of the data: the inputs, targets and initial weights, which the test made.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np

import regularizers as rz
from regularizers.integrations.keras import (
    ActivityPenalty,
    Constraint,
    Regularizer,
)

FOLDER = Path(sys.argv[1])
GIVEN = np.load(FOLDER / "given.npz")
WEIGHTS = [GIVEN[name] for name in ("w1", "b1", "w2", "b2")]
BACKEND = keras.backend.backend()

UNSTATED = "of weights reduce='sum', of activities reduce='batch_mean'"
SPARSE = rz.L1(0.05) + rz.L2Norm(0.04) + rz.KLSparsity(0.03, target=0.1)
SUM = rz.L1(0.02, reduce="sum") + rz.AR(0.5)
DECAY = rz.L2Squared(0.03) + rz.GroupLasso(0.02, axis="output")


def array(x: Any) -> Any:
    return np.asarray(keras.ops.convert_to_numpy(x))


def losses(layer: Any) -> list[float]:
    return [float(array(loss)) for loss in layer.losses]


def network(
    activity: rz.Penalty | None = SPARSE,
    constraint: rz.Constraint | None = None,
    accumulated: int | None = None,
    scaled: bool = False,
    **options: Any,
) -> Any:
    """Return a network with one hidden layer, its optimizer and its penalties."""
    hidden = keras.layers.Dense(
        5,
        activation="sigmoid",
        kernel_regularizer=Regularizer(DECAY),
        bias_regularizer=Regularizer(rz.L1(0.02)),
        activity_regularizer=None if activity is None else Regularizer(activity),
        kernel_constraint=None if constraint is None else Constraint(constraint),
    )
    model = keras.Sequential([keras.Input((4,)), hidden, keras.layers.Dense(3)])
    model.set_weights(WEIGHTS)
    optimizer = keras.optimizers.SGD(0.1, gradient_accumulation_steps=accumulated)
    if scaled:
        optimizer = keras.optimizers.LossScaleOptimizer(optimizer, initial_scale=1024.0)
    model.compile(optimizer, keras.losses.MeanSquaredError(), **options)
    return model


def trained(model: Any, epochs: int = 1) -> list[Any]:
    options = {"batch_size": 8, "epochs": epochs, "shuffle": False, "verbose": 0}
    model.fit(GIVEN["x"], GIVEN["y"], **options)
    return [w.tolist() for w in model.get_weights()]


def resumed() -> list[Any]:
    model = network(constraint=rz.MaxNorm(0.6, axis="output"))
    trained(model)
    model.save(FOLDER / "model.keras")
    again = keras.models.load_model(FOLDER / "model.keras")
    cloned = keras.models.clone_model(again)
    for one in (again, cloned):
        layer = one.layers[0]
        texts = [
            repr(part)
            for part in (
                layer.kernel_regularizer,
                layer.bias_regularizer,
                layer.activity_regularizer,
                layer.kernel_constraint,
            )
        ]
        assert texts == [
            "Regularizer(L2Squared(0.03, reduce='sum') + GroupLasso(0.02, 'output', reduce='sum'))",
            f"Regularizer(L1(0.02), {UNSTATED})",
            f"Regularizer(L1(0.05) + L2Norm(0.04) + KLSparsity(0.03, 0.1), {UNSTATED})",
            "Constraint(MaxNorm(0.6, 'output'))",
        ], texts
    return trained(again)


def layers() -> dict[str, Any]:
    """Return the losses of other layers, and what they are to be."""
    found: dict[str, Any] = {}
    series = GIVEN["series"]

    def sparse() -> Regularizer:
        return Regularizer(rz.L1(0.1))

    def size(*outputs: Any) -> list[float]:
        return [0.1 * float(np.abs(array(y)).sum()) / len(series) for y in outputs]

    twice = keras.layers.Dense(
        4, activity_regularizer=sparse(), kernel_regularizer=Regularizer(rz.L1(0.1))
    )
    inputs = keras.Input((4,))
    model = keras.Model(inputs, twice(twice(inputs)))
    model(GIVEN["x"])
    first = GIVEN["x"] @ array(twice.kernel)
    second = first @ array(twice.kernel)
    kernel = 0.1 * float(np.abs(array(twice.kernel)).sum())
    sizes = [0.1 * float(np.abs(y).sum()) / len(y) for y in (first, second)]
    found["called twice"] = losses(model), [*sizes, kernel]

    words = np.array([[3, 1, 2, 0], [5, 0, 0, 0], [0, 0, 0, 0]])
    penalties = [ActivityPenalty(rz.L1(0.1)), ActivityPenalty(rz.TAR(1.0, time_axis=1))]
    plain = keras.layers.LSTM(5, return_sequences=True, activity_regularizer=sparse())
    model = keras.Sequential([keras.layers.Embedding(9, 4, mask_zero=True), plain, *penalties])
    states, valid = array(model(words)), words != 0
    steps = (states[:, 1:] - states[:, :-1])[valid[:, 1:] & valid[:, :-1]]
    found["padding, in a layer"] = (
        [loss for layer in penalties for loss in losses(layer)],
        [0.1 * float(np.abs(states[valid]).sum()) / 2, float((steps**2).mean())],
    )
    found["padding, in a regularizer"] = losses(plain), [0.1 * float(np.abs(states).sum()) / 3]
    config = penalties[1].get_config()
    assert config["penalty"] == "Temporal(L2Squared(1.0, reduce='mean'), time_axis=1)", config
    again = ActivityPenalty.from_config(config)
    assert again.penalty.terms == penalties[1].penalty.terms
    assert again.name == penalties[1].name

    half = keras.layers.Dense(
        200, dtype="mixed_float16", activity_regularizer=Regularizer(rz.L2Squared(1.0))
    )
    loud = (100 * GIVEN["x"]).astype(np.float32)
    output = array(half(loud)).astype(np.float64)
    found["half precision"] = losses(half), [float((output**2).sum() / len(loud))]
    assert (output**2).sum() > np.finfo(np.float16).max

    if BACKEND == "jax":  # op by op is slow there
        return found

    lstm = keras.layers.LSTM(
        5,
        return_sequences=True,
        return_state=True,
        activity_regularizer=sparse(),
        recurrent_regularizer=Regularizer(rz.L2Squared(0.1)),
    )
    outputs = lstm(series)
    recurrent = 0.1 * float((array(lstm.cell.recurrent_kernel) ** 2).sum())
    found["LSTM"] = losses(lstm), [*size(*outputs), recurrent]

    conv = keras.layers.Conv1D(
        3, 2, activity_regularizer=sparse(), kernel_regularizer=Regularizer(rz.GroupLasso(0.1, 2))
    )
    output = conv(series)
    groups = 0.1 * float(np.sqrt((array(conv.kernel) ** 2).sum((0, 1))).sum())
    found["Conv1D"] = losses(conv), [*size(output), groups]

    none = keras.layers.Dense(4, activity_regularizer=sparse())
    none(series[:0])
    found["empty batch"] = losses(none), [0.0]

    both = keras.layers.Bidirectional(
        keras.layers.LSTM(3, return_sequences=True, activity_regularizer=sparse())
    )
    output = array(both(series))
    found["Bidirectional"] = losses(both), size(output[..., :3], output[..., 3:])
    return found


def refusal(action: Callable[[], object]) -> str:
    """Return the class and the text of what an action raises."""
    try:
        action()
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return "nothing"


def results() -> dict[str, Any]:
    activity = network(activity=None)
    activity.layers[0].activity_regularizer = Regularizer(rz.Orthogonal(0.1))
    found = {
        "plain": trained(network(), 2),
        "accumulated 2": trained(network(accumulated=2), 2),
        "accumulated 4": trained(network(activity=SUM, accumulated=4), 2),
        "constrained": trained(network(constraint=rz.MaxNorm(0.6, axis="output")), 2),
        "resumed": resumed(),
        "layers": layers(),
        "a weight's at an activity": refusal(lambda: trained(activity)),
    }
    if BACKEND == "jax":
        found["in parallel"] = in_parallel()
    else:
        found["a sum"] = trained(network(activity=SUM), 2)
        found["loss scale"] = trained(network(scaled=True), 2)
    return found


def in_parallel() -> list[Any]:
    """Return the weights after training on two devices, three steps an execution."""
    devices = keras.distribution.list_devices()
    assert len(devices) == 2, devices
    keras.distribution.set_distribution(keras.distribution.DataParallel(devices=devices))
    return trained(network(steps_per_execution=3), 2)


if __name__ == "__main__":
    (FOLDER / "found.json").write_text(json.dumps(results()))
