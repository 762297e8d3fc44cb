"""Penalties of what Flax NNX modules sow themselves, against losses by hand in float64."""

import numpy as np
import pytest

import regularizers as rz
from regularizers.errors import OutputError

jax = pytest.importorskip("jax")
nnx = pytest.importorskip("flax.nnx")
jnp = jax.numpy

from regularizers.integrations.flax import penalty_of  # noqa: E402 -- where Flax is


@pytest.fixture(autouse=True)
def _in_float64():
    with jax.enable_x64(True):
        yield


class Block(nnx.Module):
    def __init__(self, rngs):
        self.lin = nnx.Linear(4, 4, rngs=rngs, param_dtype=jnp.float64, use_bias=False)

    def __call__(self, x):
        codes = nnx.sigmoid(self.lin(x))
        self.sow(nnx.Intermediate, "codes", codes)
        self.sow(nnx.Intermediate, "pair", (x, codes))
        return codes


class Model(nnx.Module):
    def __init__(self):
        rngs = nnx.Rngs(0)
        self.blocks = nnx.List([Block(rngs) for _ in range(2)])

    def __call__(self, x):
        x = self.blocks[1](self.blocks[0](self.blocks[0](x)))  # the first is called twice
        self.sow(nnx.Intermediate, "last", x)
        return x


RULES = [
    rz.activity(rz.L1(0.3), where="blocks.*.codes"),
    rz.activity(rz.KLSparsity(0.2, target=0.1), where="blocks.1.codes"),
    rz.activity(rz.L2Squared(0.1, reduce="sum"), where="last"),
    rz.kernel(rz.L2Squared(0.05)),
]


def data():
    return jax.random.normal(jax.random.key(1), (6, 4))


def loss_and_gradient_by_hand(model, x):
    """Return the loss, and its gradient with respect to both kernels, in NumPy."""
    kernels = [np.asarray(block.lin.kernel.get_value()) for block in model.blocks]
    order, states = [0, 0, 1], [np.asarray(x)]
    for layer in order:
        states.append(1 / (1 + np.exp(-states[-1] @ kernels[layer])))
    rho = states[3].mean(0)
    loss = states[3].mean() + 0.3 * sum(s.sum(1).mean() for s in states[1:])
    loss += 0.2 * (0.1 * np.log(0.1 / rho) + 0.9 * np.log(0.9 / (1 - rho))).sum()
    loss += 0.1 * (states[3] ** 2).sum() + 0.05 * sum((k**2).sum() for k in kernels)
    gradients = [0.1 * k for k in kernels]
    slope = np.full(states[3].shape, 1 / states[3].size) + 0.2 * states[3]
    slope = slope + 0.2 / len(x) * (0.9 / (1 - rho) - 0.1 / rho)
    for call in (2, 1, 0):
        out = states[call + 1]
        inside = (slope + 0.3 / len(x)) * out * (1 - out)  # of codes, all above 0
        gradients[order[call]] = gradients[order[call]] + states[call].T @ inside
        slope = inside @ kernels[order[call]].T
    return loss, gradients


def assert_as_by_hand(loss, grads, model):
    wanted, gradients = loss_and_gradient_by_hand(model, data())
    assert float(loss) == pytest.approx(wanted, rel=1e-14)
    for block, gradient in zip(grads["blocks"].values(), gradients, strict=True):
        np.testing.assert_allclose(block["lin"]["kernel"].get_value(), gradient, rtol=0, atol=1e-14)


@pytest.mark.parametrize("transform", [nnx.jit, lambda function: function])
def test_captured_values_count_as_by_hand(transform):
    @transform
    @nnx.value_and_grad
    def step(model):
        y, sown = nnx.capture(model, nnx.Intermediate)(data())
        return jnp.mean(y) + penalty_of(model, RULES, sown=sown)

    model = Model()
    assert_as_by_hand(*step(model), model)


@pytest.mark.filterwarnings("ignore:Using 'Module.sow:DeprecationWarning")
@pytest.mark.parametrize("transform", [nnx.jit, lambda function: function])
def test_values_that_a_model_holds_count_as_by_hand_and_are_taken_out(transform):
    @transform
    @nnx.value_and_grad
    def step(model):
        return jnp.mean(model(data())) + penalty_of(model, RULES)

    model = Model()
    for _ in range(2):  # a second step does not count the first again
        assert_as_by_hand(*step(model), model)
    assert not nnx.to_flat_state(nnx.state(model, nnx.Intermediate))


def sown_by(model):
    return nnx.capture(model, nnx.Intermediate)(data())[1]


def test_a_module_stands_for_all_that_it_sows_and_a_part_is_selected():
    model = Model()
    codes = sown_by(model)["blocks"][1]["codes"].get_value()[0]
    wanted = pytest.approx(float(jnp.sum(codes)) / 6, rel=1e-14)
    for where in ("blocks.1.pair", "blocks.1.p*"):
        rule = rz.activity(rz.L1(1.0), where=where, select=1)
        assert float(penalty_of(model, [rule], sown=sown_by(model))) == wanted
    with pytest.raises(OutputError, match=r"blocks\.1\.pair: expected an array.*select="):
        penalty_of(model, [rz.activity(rz.L1(1.0), where="blocks.1")], sown=sown_by(model))


def test_a_sum_that_a_model_sows_is_one_value():
    class Adding(nnx.Module):
        def __call__(self, x):
            options = {"init_fn": lambda: 0, "reduce_fn": lambda total, x: total + x}
            for part in (x, 2 * x):
                self.sow(nnx.Intermediate, "total", part, **options)
            return x

    _, sown = nnx.capture(Adding(), nnx.Intermediate)(jnp.ones((4, 2)))
    assert float(penalty_of(Adding(), [rz.activity(rz.L1(1.0), where="total")], sown=sown)) == 6


def test_a_rule_that_matches_nothing_sown_names_what_there_is():
    model, rule = Model(), rz.activity(rz.L1(1.0), where="blocks.2.codes")
    with pytest.raises(rz.SelectionError, match=r"sown, only blocks\.0\.codes, .*last"):
        penalty_of(model, [rule], sown=sown_by(model))
    with pytest.raises(rz.SelectionError, match=r"nothing that was sown; .*penalised\(model, rul"):
        penalty_of(model, [rule])
    optional = rz.activity(rz.L1(1.0), where="blocks.2.codes", optional=True)
    assert float(penalty_of(model, [optional], sown=sown_by(model))) == 0
