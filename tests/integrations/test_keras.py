"""Keras: its losses and trained weights against a loop by hand in float64, on three backends."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

os.environ["KERAS_BACKEND"] = "torch"  # of this process; the program is told its own

import keras
import numpy as np
import pytest
import torch
from torch import Tensor

import regularizers as rz
from regularizers.errors import (
    ArrayTypeError,
    ConfigurationError,
    StrengthTypeError,
)
from regularizers.integrations.keras import (
    ActivityPenalty,
    Constraint,
    Regularizer,
)

ACTIVITY = torch.ones(2, 3)
PROGRAM = Path(__file__).with_name("keras_program.py")
BATCH = 8
GIVEN = np.random.default_rng(5)
WEIGHTS = {"w1": (4, 5), "b1": (5,), "w2": (5, 3), "b2": (3,)}
DATA = {name: GIVEN.normal(size=shape).astype(np.float32) for name, shape in WEIGHTS.items()} | {
    "x": GIVEN.normal(size=(48, 4)).astype(np.float32),
    "y": GIVEN.normal(size=(48, 3)).astype(np.float32),
    "series": GIVEN.normal(size=(6, 7, 4)).astype(np.float32),
}


@pytest.fixture(scope="module", params=["torch", "jax", "tensorflow"])
def backend(request):
    if importlib.util.find_spec(request.param) is None:
        pytest.skip(f"{request.param} is in an environment of its own")
    return request.param


@pytest.fixture(scope="module")
def found(backend, tmp_path_factory):
    """What the program found on a backend, in a process of its own."""
    folder = tmp_path_factory.mktemp(backend)
    np.savez(folder / "given.npz", **DATA)
    finished = subprocess.run(
        [sys.executable, str(PROGRAM), str(folder)],
        capture_output=True,
        text=True,
        check=False,
        timeout=900,
        env={
            **os.environ,
            "KERAS_BACKEND": backend,
            "JAX_PLATFORMS": "cpu",
            "XLA_FLAGS": "--xla_force_host_platform_device_count=2",
        },
    )
    assert finished.returncode == 0, finished.stderr
    return json.loads((folder / "found.json").read_text())


def sparse(h: Tensor) -> Tensor:
    """0.05 L1 + 0.04 L2Norm + 0.03 KLSparsity, of one batch, written out."""
    mean = h.mean(dim=0)
    divergence = 0.1 * torch.log(0.1 / mean) + 0.9 * torch.log(0.9 / (1 - mean))
    each = 0.05 * h.abs().sum(dim=1) + 0.04 * h.square().sum(dim=1).sqrt()
    return each.mean() + 0.03 * divergence.sum()


def a_sum(h: Tensor) -> Tensor:
    return 0.02 * h.abs().sum() + 0.5 * h.square().mean()


def by_hand(activity=sparse, accumulated=1, longest=None):
    """Two epochs of the network of the program; the gradient is the mean over micro-batches."""
    x, y = (torch.from_numpy(DATA[name]).double() for name in ("x", "y"))
    weights = [torch.from_numpy(DATA[n]).double().requires_grad_() for n in WEIGHTS]
    w1, b1, w2, b2 = weights
    totals = [torch.zeros_like(w) for w in weights]
    starts = [*range(0, 48, BATCH)] * 2
    for number, start in enumerate(starts, 1):
        h = torch.sigmoid(x[start : start + BATCH] @ w1 + b1)
        loss = (h @ w2 + b2 - y[start : start + BATCH]).square().mean() + activity(h)
        loss = loss + 0.03 * w1.square().sum() + 0.02 * w1.square().sum(dim=0).sqrt().sum()
        loss = loss + 0.02 * b1.abs().sum()
        gradients = torch.autograd.grad(loss, weights)
        totals = [t + g / accumulated for t, g in zip(totals, gradients, strict=True)]
        if number % accumulated:
            continue
        with torch.no_grad():
            for weight, total in zip(weights, totals, strict=True):
                weight -= 0.1 * total
                total.zero_()
            if longest is not None:
                norms = w1.square().sum(dim=0).sqrt()
                w1 *= torch.where(norms > longest, longest / norms, torch.ones_like(norms))
    return [w.detach().numpy() for w in weights]


def assert_near(weights, wanted, tolerance=2e-6):
    for found, expected in zip(weights, wanted, strict=True):
        np.testing.assert_allclose(np.array(found), expected, rtol=0, atol=tolerance)


def test_the_oracle_tells_penalties_apart():
    without = by_hand(activity=lambda h: 0.0 * h.sum())
    for other in (by_hand(), by_hand(activity=a_sum), by_hand(longest=0.6)):
        assert max(np.abs(a - b).max() for a, b in zip(without, other, strict=True)) > 1e-2


def test_training_is_that_by_hand(found):
    assert_near(found["plain"], by_hand())


def test_accumulated_training_is_that_by_hand(found):
    assert_near(found["accumulated 2"], by_hand(accumulated=2))
    assert_near(found["accumulated 4"], by_hand(activity=a_sum, accumulated=4))


def test_constrained_training_is_that_by_hand(found):
    assert np.linalg.norm(DATA["w1"], axis=0).max() > 1
    assert_near(found["constrained"], by_hand(longest=0.6))
    assert np.linalg.norm(found["constrained"][0], axis=0).max() <= 0.6 * (1 + 1e-6)


def test_resumed_training_is_uninterrupted_training(found):
    assert found["resumed"] == found["constrained"]


def test_in_parallel_or_with_a_loss_scale_training_is_that_by_hand(found, backend):
    if backend == "jax":
        assert_near(found["in parallel"], by_hand())
    else:
        assert_near(found["loss scale"], by_hand())
        assert_near(found["a sum"], by_hand(activity=a_sum))


def test_losses_of_other_layers(found, backend):
    layers = found["layers"]
    assert {"called twice", "padding, in a layer", "half precision"} < layers.keys()
    assert backend == "jax" or {"LSTM", "Conv1D", "Bidirectional", "empty batch"} < layers.keys()
    for layer, (losses, wanted) in layers.items():
        assert losses == pytest.approx(wanted, rel=2e-6, abs=1e-12), layer


def test_a_penalty_of_weights_at_an_activity_raises_before_the_first_step(found):
    said = found["a weight's at an activity"]
    assert said.startswith("ConfigurationError")
    assert "for weights: it is not additive" in said


def test_a_repr_says_the_reduction():
    unstated = "of weights reduce='sum', of activities reduce='batch_mean'"
    assert repr(Regularizer(rz.L1(0.1))) == f"Regularizer(L1(0.1), {unstated})"
    assert repr(Regularizer(rz.L1(0.1, reduce="sum"))) == "Regularizer(L1(0.1, reduce='sum'))"
    assert repr(Regularizer(rz.Orthogonal(0.1))) == "Regularizer(Orthogonal(0.1, reduce='sum'))"
    assert repr(ActivityPenalty(rz.AR(2.0))) == "ActivityPenalty(L2Squared(2.0, reduce='mean'))"
    assert repr(Constraint(rz.NonNegative())) == "Constraint(NonNegative())"


@pytest.mark.parametrize("strength", [rz.LinearWarmup(0.1, steps=3), rz.TargetActive(2.0)])
@pytest.mark.parametrize("part", [Regularizer, ActivityPenalty])
def test_strengths_that_change_are_refused(part, strength):
    with pytest.raises(StrengthTypeError, match=r"a number, got .*take a number, or train in Py"):
        part(rz.L1(strength))


def test_a_schedule_for_a_weight_is_refused():
    with pytest.raises(StrengthTypeError, match=r"LinearWarmup.*Keras tells a regularizer of no"):
        Regularizer(rz.L1(rz.LinearWarmup(0.1, steps=3)))


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Regularizer(keras.regularizers.L1(0.1)), "expected a penalty such as"),
        (lambda: Constraint(rz.L1(0.1)), "expected a constraint such as"),
        (lambda: Regularizer(rz.Orthogonal(0.1))(ACTIVITY), "for weights: it is not additive"),
        (
            lambda: Regularizer(rz.GroupLasso(0.1, axis="output", with_bias=True)),
            "no bias with the kernel; leave with_bias out",
        ),
        (lambda: Regularizer(rz.L0(0.1)), "got L0.*which counts gates"),
        (lambda: Regularizer(rz.GroupLasso(0.1, axis="output"))(ACTIVITY), "number of an axis"),
    ],
)
def test_what_keras_cannot_have_is_refused(make, message):
    with pytest.raises(ConfigurationError, match=message):
        make()


def test_a_backend_without_the_array_standard_is_refused(monkeypatch):
    monkeypatch.setattr(keras.backend, "backend", lambda: "openvino")
    for make in (Regularizer, ActivityPenalty):
        with pytest.raises(ArrayTypeError, match=r"Keras runs on openvino.*KERAS_BACKEND=torch"):
            make(rz.L1(0.1))
    with pytest.raises(ArrayTypeError, match="Keras runs on openvino"):
        Constraint(rz.NonNegative())


def test_a_penalty_without_a_regularizer_around_it_names_it():
    layer = keras.layers.Dense(3, kernel_regularizer=rz.L1(0.1))
    layer.build((None, 4))
    with pytest.raises(ArrayTypeError, match=r"Variable of Keras; .*keras\.Regularizer\(penalty\)"):
        _ = layer.losses


def test_an_array_is_read_as_the_output_of_a_layer_whose_batch_keras_divides_by():
    x = torch.tensor([[1.0, -2.0], [0.5, 3.0], [0.0, 1.5]])
    assert Regularizer(rz.L1(0.1))(x).item() == pytest.approx(0.8)  # 0.1 · 8 / 3, times 3
    assert Regularizer(rz.L1(0.1, reduce="sum"))(x).item() == pytest.approx(2.4)


def test_an_output_of_integers_is_refused():
    class Ranks(keras.layers.Layer):
        def call(self, x):
            return keras.ops.argsort(x)

    layer = Ranks(activity_regularizer=Regularizer(rz.L1(0.1)))
    with pytest.raises(ArrayTypeError, match="real floating type"):
        layer(torch.rand(2, 3))


@pytest.mark.parametrize("axis", [0, 1, -1, "input", "output"])
def test_roles_are_those_of_inputs_and_units(axis):
    layer = keras.layers.Dense(3, kernel_regularizer=Regularizer(rz.GroupLasso(0.1, axis=axis)))
    layer.build((None, 5))
    kernel = layer.kernel.value.detach().numpy()
    within = 1 if axis in (0, "input") else 0
    norms = np.linalg.norm(kernel, axis=within)
    assert layer.losses[0].item() == pytest.approx(0.1 * norms.sum(), rel=1e-6)
    unit = Constraint(rz.UnitNorm(axis=axis))(layer.kernel).detach().numpy()
    np.testing.assert_allclose(np.linalg.norm(unit, axis=within), 1, rtol=3e-7)


def test_roles_of_a_filter_are_refused():
    layer = keras.layers.Conv2D(2, 3)
    layer.build((None, 8, 8, 1))
    with pytest.raises(ConfigurationError, match=r"shape \(3, 3, 1, 2\).*axis=3 numbers filters"):
        Regularizer(rz.GroupLasso(0.1, axis="output"))(layer.kernel)
    with pytest.raises(ConfigurationError, match=r"shape \(3, 3, 1, 2\)"):
        Constraint(rz.UnitNorm(axis="output"))(layer.kernel)


def test_the_role_of_an_axis_within_a_budget_is_refused():
    layer = keras.layers.Dense(3)
    layer.build((None, 5))
    with pytest.raises(ConfigurationError, match="expected the number of an axis"):
        Regularizer(rz.Budget(rz.GroupLasso(0.1, axis="output"), 0.2))(layer.kernel)
    budget = Regularizer(rz.Budget(rz.GroupLasso(0.1, axis=1), 0.2))
    norms = np.linalg.norm(layer.kernel.value.detach().numpy(), axis=0)
    assert budget(layer.kernel).item() == pytest.approx(0.1 * (norms.sum() - 0.2), rel=1e-6)


def squares(xp, x):
    return xp.sum(x * x)


def test_functions_are_saved_by_name_and_found_among_custom_objects():
    config = Regularizer(rz.FromFunction(0.1, squares)).get_config()
    assert config == {"penalty": "FromFunction(0.1, squares)"}
    with pytest.raises(ConfigurationError, match=r"custom_objects=\{'squares': squares\}"):
        Regularizer.from_config(config)
    with keras.saving.custom_object_scope({"squares": squares}):
        assert Regularizer.from_config(config).penalty.function is squares


def test_a_function_without_a_name_cannot_be_saved():
    regularizer = Regularizer(rz.FromFunction(0.1, lambda xp, x: xp.sum(x)))
    with pytest.raises(ConfigurationError, match="give functions a name by def"):
        regularizer.get_config()
