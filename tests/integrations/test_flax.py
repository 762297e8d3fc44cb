"""Penalties of Flax NNX modules, against losses written by hand in float64."""

import pytest

import regularizers as rz

jax = pytest.importorskip("jax")
nnx = pytest.importorskip("flax.nnx")
optax = pytest.importorskip("optax")
jnp = jax.numpy

from regularizers.integrations.flax import penalised, penalty_of  # noqa: E402 -- where Flax is
from regularizers.integrations.optax import add_penalty  # noqa: E402

STEPS, RATE = 6, 0.05


@pytest.fixture(autouse=True)
def _in_float64():
    with jax.enable_x64(True):
        yield


class Block(nnx.Module):
    def __init__(self, rngs, way="plain"):
        random = nnx.initializers.normal()  # no bias is 0, where |x| has many slopes
        self.lin = nnx.Linear(4, 4, rngs=rngs, param_dtype=jnp.float64, bias_init=random)
        self.norm = nnx.LayerNorm(4, rngs=rngs, param_dtype=jnp.float64)
        self.way = way

    def __call__(self, x):
        def inside(lin, x):
            return nnx.tanh(lin(x))

        ways = {"plain": inside, "jit": nnx.jit(inside), "remat": nnx.remat(inside)}
        return nnx.sigmoid(self.norm(ways[self.way](self.lin, x)))


class Model(nnx.Module):
    def __init__(self, rngs, way="plain"):
        self.blocks = nnx.List([Block(rngs, way) for _ in range(2)])
        self.embed = nnx.Embed(3, 4, rngs=rngs, param_dtype=jnp.float64)
        self.head = nnx.Linear(4, 1, rngs=rngs, param_dtype=jnp.float64)
        self.tied = self.head

    def __call__(self, x):
        for block in self.blocks:
            x = block(x)
        return self.head(x + self.embed(jnp.zeros(len(x), int)))


def normalised(x, norm):
    x = x - x.mean(-1, keepdims=True)
    x = x / jnp.sqrt(jnp.mean(x * x, -1, keepdims=True) + 1e-6)
    return x * norm["scale"] + norm["bias"]


def coded(output, block):
    return jax.nn.sigmoid(normalised(jnp.tanh(output), block["norm"]))


def kl(codes):
    mean = codes.mean(0)
    return jnp.sum(0.3 * jnp.log(0.3 / mean) + 0.7 * jnp.log(0.7 / (1 - mean)))


def by_hand(weights, x):
    """Return the output of the model and of its two layers `lin`, in jax.numpy alone."""
    outputs = []
    for block in weights["blocks"].values():
        outputs.append(x @ block["lin"]["kernel"] + block["lin"]["bias"])
        x = coded(outputs[-1], block)
    head = weights["head"]
    return (x + weights["embed"]["embedding"][0]) @ head["kernel"] + head["bias"], outputs


RULES = [
    rz.activity(rz.L1(0.03), where="blocks.*.lin"),
    rz.activity(rz.KLSparsity(0.02, 0.3), where="blocks.1"),
    rz.kernel(rz.L2Squared(0.05)),
    rz.kernel(rz.L2Norm(0.04), where="blocks.1"),
    rz.bias(rz.L1(0.06), where="blocks.*.lin"),
]


def loss_by_hand(weights, x, y):
    found, outputs = by_hand(weights, x)
    blocks = list(weights["blocks"].values())
    loss = jnp.mean((found - y) ** 2)
    loss += 0.03 * sum(jnp.abs(one).sum(1).mean() for one in outputs)
    loss += 0.02 * kl(coded(outputs[1], blocks[1]))
    kernels = [block["lin"]["kernel"] for block in blocks]
    loss += 0.05 * sum(jnp.sum(kernel**2) for kernel in [*kernels, weights["head"]["kernel"]])
    loss += 0.04 * jnp.sqrt(jnp.sum(kernels[1] ** 2))
    return loss + 0.06 * sum(jnp.sum(jnp.abs(block["lin"]["bias"])) for block in blocks)


def batches(samples=8):
    x = jax.random.normal(jax.random.key(1), (STEPS, samples, 4))
    return list(zip(x, jnp.sin(x.sum(-1, keepdims=True)), strict=True))


def pure(model):
    """Return the weights as nested dicts of arrays."""
    return nnx.to_pure_dict(nnx.state(model, nnx.Param))


def worst(found, wanted):
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True)
    return max(float(jnp.max(jnp.abs(a - b))) for a, b in pairs)


@pytest.mark.parametrize("way", ["plain", "jit", "remat"])
def test_the_loss_and_the_gradient_are_those_of_the_hand_written_loss(way):
    model = Model(nnx.Rngs(0), way)
    x, y = batches()[0]

    @nnx.jit
    @nnx.value_and_grad
    def step(model):
        found, penalty = penalised(model, RULES)(x)
        return jnp.mean((found - y) ** 2) + penalty

    loss, grads = step(model)
    wanted = jax.value_and_grad(loss_by_hand)(pure(model), x, y)
    assert float(loss) == pytest.approx(float(wanted[0]), rel=1e-14)
    assert worst(nnx.to_pure_dict(grads), wanted[1]) < 1e-13


def descended(loss):
    weights, gradient = pure(Model(nnx.Rngs(0))), jax.jit(jax.grad(loss))
    for x, y in batches():
        weights = jax.tree.map(lambda w, g: w - RATE * g, weights, gradient(weights, x, y))
    return weights


def trained(steps, rules, parts):
    """Return a model after a step of nnx.Optimizer for each part of the batches."""
    model = Model(nnx.Rngs(0))
    optimizer = nnx.Optimizer(model, steps, wrt=nnx.Param)

    @nnx.jit
    def step(model, optimizer, x, y):
        def loss(model):
            found, penalty = penalised(model, rules)(x)
            return jnp.mean((found - y) ** 2) + penalty

        optimizer.update(model, nnx.grad(loss)(model))

    for x, y in parts:
        step(model, optimizer, x, y)
    return model


def test_training_is_that_of_the_hand_written_loss():
    model = trained(optax.sgd(RATE), RULES, batches())
    assert worst(pure(model), descended(loss_by_hand)) < 1e-13


ADDITIVE = [RULES[0], *RULES[2:]]


def additive_by_hand(weights, x, y):
    """The loss less the statistic of the batch, which is not that of its parts."""
    codes = coded(by_hand(weights, x)[1][1], weights["blocks"][1])
    return loss_by_hand(weights, x, y) - 0.02 * kl(codes)


@pytest.mark.parametrize("accumulated", [2, 4])
def test_accumulated_parts_of_a_batch_are_the_batch(accumulated):
    steps = optax.MultiSteps(optax.sgd(RATE), accumulated, accumulator_dtype=jnp.float64)
    parts = [
        part
        for x, y in batches()
        for part in zip(jnp.split(x, accumulated), jnp.split(y, accumulated), strict=True)
    ]
    model = trained(steps, ADDITIVE, parts)
    assert worst(pure(model), descended(additive_by_hand)) < 1e-13


def test_layers_that_are_scanned_are_each_penalised_over_their_samples():
    class Scanned(nnx.Module):
        def __init__(self, rngs):
            @nnx.split_rngs(splits=3)
            @nnx.vmap(in_axes=(0,), out_axes=0)
            def made(rngs):
                return nnx.Linear(4, 4, rngs=rngs, param_dtype=jnp.float64)

            self.layers = made(rngs)

        def __call__(self, x):
            @nnx.scan(in_axes=(nnx.Carry, 0), out_axes=nnx.Carry)
            def through(x, layer):
                return nnx.tanh(layer(x))

            return through(x, self.layers)

    model, x = Scanned(nnx.Rngs(0)), jax.random.normal(jax.random.key(1), (5, 4))
    rules = [rz.activity(rz.L1(0.1), where="layers")]

    def total(model):
        y, penalty = penalised(model, rules)(x)
        return jnp.sum(y) + penalty

    def hand(weights):
        h, penalty = x, 0.0
        for kernel, bias in zip(
            weights["layers"]["kernel"], weights["layers"]["bias"], strict=True
        ):
            out = h @ kernel + bias
            h, penalty = jnp.tanh(out), penalty + 0.1 * jnp.abs(out).sum(1).mean()
        return jnp.sum(h) + penalty

    loss, grads = nnx.value_and_grad(total)(model)
    wanted, wanted_grads = jax.value_and_grad(hand)(pure(model))
    assert float(loss) == pytest.approx(float(wanted), rel=1e-14)
    assert worst(nnx.to_pure_dict(grads), wanted_grads) < 1e-13


def small():
    return nnx.Sequential(
        nnx.Linear(2, 3, kernel_init=nnx.initializers.ones, rngs=nnx.Rngs(0)),
        nnx.relu,
        nnx.Linear(3, 1, kernel_init=nnx.initializers.ones, rngs=nnx.Rngs(1)),
    )


def test_several_calls_of_a_module_add_up():
    class Twice(nnx.Module):
        def __init__(self):
            self.layer = nnx.Linear(2, 2, kernel_init=nnx.initializers.ones, rngs=nnx.Rngs(0))

        def __call__(self, x):
            return self.layer(self.layer(x))

    _, penalty = penalised(Twice(), [rz.activity(rz.L1(1.0), where="layer")])(jnp.ones((3, 2)))
    assert float(penalty) == 2 * 2 + 2 * 4


def test_what_a_subclass_calls_by_super_counts_once():
    class Doubled(nnx.Linear):
        def __call__(self, x):
            return 2 * super().__call__(x)

    class Silent(nnx.Linear):
        pass

    kind = {"kernel_init": nnx.initializers.ones, "rngs": nnx.Rngs(0)}
    model = nnx.Sequential(nnx.Linear(2, 2, **kind), Doubled(2, 2, **kind), Silent(2, 2, **kind))
    rules = [rz.activity(rz.L1(1.0), where=f"layers.{i}") for i in range(3)]
    sizes = [float(penalised(model, [rule])(jnp.ones((3, 2)))[1]) for rule in rules]
    assert sizes == [4, 16, 32]
    assert (
        Doubled.__call__.__qualname__
        == "test_what_a_subclass_calls_by_super_counts_once.<locals>.Doubled.__call__"
    )
    assert float(penalised(model, rules)(jnp.ones((3, 2)))[1]) == 52


def test_a_method_of_a_module_is_a_forward_too():
    class Encoding(nnx.Module):
        def __init__(self):
            self.layer = nnx.Linear(2, 2, kernel_init=nnx.initializers.ones, rngs=nnx.Rngs(0))

        def encode(self, x, *, factor):
            return factor * self.layer(x)

    model = Encoding()
    rules = [rz.activity(rz.L1(1.0), where=nnx.Linear), rz.kernel(rz.L1(0.5))]
    y, penalty = penalised(model.encode, rules)(jnp.ones((3, 2)), factor=3)
    assert y.tolist() == [[6, 6]] * 3
    assert float(penalty) == 4 + 2


def test_types_of_modules_are_as_before_even_after_an_exception():
    model = small()
    before = (nnx.Linear.__call__, nnx.Sequential.__call__, nnx.graphdef(model))
    forward = penalised(model, [rz.activity(rz.L1(1.0), where="layers.0")])
    with pytest.raises(TypeError):
        forward(jnp.ones((3, 5)))
    assert (nnx.Linear.__call__, nnx.Sequential.__call__, nnx.graphdef(model)) == before
    assert float(forward(jnp.ones((3, 2)))[1]) == 6
    assert (nnx.Linear.__call__, nnx.Sequential.__call__, nnx.graphdef(model)) == before


def test_another_penalty_is_not_taken_for_the_one_that_was_compiled_within():
    class Compiled(nnx.Module):
        def __init__(self):
            self.layer = nnx.Linear(2, 2, kernel_init=nnx.initializers.ones, rngs=nnx.Rngs(0))

        def __call__(self, x):
            return run(self.layer, x)

    run = nnx.jit(lambda layer, x: layer(x))
    model = Compiled()
    found = [
        float(penalised(model, [rz.activity(penalty, where="layer")])(jnp.ones((3, 2)))[1])
        for penalty in (rz.L1(1.0), rz.L1(2.0), rz.L2Squared(1.0), rz.L1(1.0, reduce="sum"))
    ]
    assert found == [4, 8, 8, 12]
    assert model(jnp.ones((3, 2))).shape == (3, 2)


def test_where_is_a_name_a_glob_a_type_a_module_a_predicate_or_several():
    model, x = small(), jnp.ones((3, 2))
    ways = ["layers.0", "layers.[0]", model.layers[0], lambda module, name: name == "layers.0"]
    for where in ways:
        rule = rz.activity(rz.L1(1.0), where=where)
        assert float(penalised(model, [rule])(x)[1]) == 6, where
        assert float(penalty_of(model, [rz.kernel(rz.L1(1.0), where=where)])) == 6, where
    for where in (nnx.Linear, "layers.*", ["layers.0", "layers.2"]):
        assert float(penalised(model, [rz.activity(rz.L1(1.0), where=where)])(x)[1]) == 12, where
        assert float(penalty_of(model, [rz.kernel(rz.L1(1.0), where=where)])) == 9, where
    assert float(penalised(model, [rz.activity(rz.L1(1.0), where="(root)")])(x)[1]) == 6
    for where in ("", "layers", "layers.0.kernel", "**.kernel"):
        wanted = 6 if where == "layers.0.kernel" else 9
        assert float(penalty_of(model, [rz.kernel(rz.L1(1.0), where=where)])) == wanted


def test_a_part_of_an_output_is_selected():
    cell = nnx.LSTMCell(2, 3, rngs=nnx.Rngs(0), param_dtype=jnp.float64)
    carry, x = cell.initialize_carry((4, 2), nnx.Rngs(1)), jnp.ones((4, 2))
    wanted = jnp.abs(cell(carry, x)[1]).sum(1).mean()
    for select in (1, lambda output: output[1]):
        rule = rz.activity(rz.L1(1.0), where="", select=select)
        assert float(penalised(cell, [rule])(carry, x)[1]) == pytest.approx(float(wanted))
    with pytest.raises(
        rz.OutputError, match=r"expected an array as output, got tuple; .*select=\)"
    ):
        penalised(cell, [rz.activity(rz.L1(1.0), where="")])(carry, x)


def test_ar_and_tar_are_of_states():
    model, x = nnx.Sequential(lambda x: x, nnx.Linear(2, 2, rngs=nnx.Rngs(0))), jnp.ones((2, 3, 2))
    states = model(x * jnp.arange(3.0)[:, None])
    rules = [rz.ar(2.0, where="layers.1"), rz.tar(1.0, where="layers.1", time_axis=1)]
    wanted = 2 * jnp.mean(states**2) + jnp.mean((states[:, 1:] - states[:, :-1]) ** 2)
    _, penalty = penalised(model, rules)(x * jnp.arange(3.0)[:, None])
    assert float(penalty) == pytest.approx(float(wanted), rel=1e-6)


def test_a_schedule_is_asked_at_the_step():
    model, schedule = small(), rz.LinearWarmup(1.0, steps=10)
    rules = [rz.kernel(rz.L1(schedule)), rz.activity(rz.L1(schedule), where="layers.0")]
    total = nnx.jit(lambda model, step: penalised(model, rules, step=step)(jnp.ones((3, 2)))[1])
    assert [float(total(model, step)) for step in (0, 5, 20)] == [0, 7.5, 15]
    with pytest.raises(rz.ConfigurationError, match="expected step=, at which a schedule is asked"):
        penalty_of(model, rules[:1])


def test_a_strength_may_be_traced():
    rules = [lambda s: rz.kernel(rz.L1(s)), lambda s: rz.activity(rz.L1(s), where="layers.0")]
    for made, slope in zip(rules, (9, 6), strict=True):
        total = lambda s, made=made: penalised(small(), [made(s)])(jnp.ones((3, 2)))[1]  # noqa: E731
        assert float(jax.jit(jax.grad(total))(2.0)) == slope


def test_roles_are_names_and_others_are_said():
    class Named(nnx.Module):
        def __init__(self):
            self.norm = nnx.BatchNorm(2, rngs=nnx.Rngs(0))
            self.embed = nnx.Embed(2, 2, rngs=nnx.Rngs(0))
            self.place = nnx.Param(jnp.ones((2, 2)))
            self.lin = nnx.Linear(2, 2, kernel_init=nnx.initializers.ones, rngs=nnx.Rngs(0))

    model = Named()
    with pytest.raises(rz.SelectionError, match=r'place: expected .* say it: roles={"place": "ker'):
        penalty_of(model, [rz.kernel(rz.L1(1.0))])
    assert float(penalty_of(model, [rz.kernel(rz.L1(1.0), where="lin")])) == 4
    for roles, wanted in (({"place": "kernel"}, 8), ({"*": "other"}, 4)):
        assert float(penalty_of(model, [rz.kernel(rz.L1(1.0))], roles=roles)) == wanted
    with pytest.raises(
        rz.SelectionError, match=r"no bias there, only norm\.bias \(norm\), norm\.scale"
    ):
        penalty_of(model, [rz.bias(rz.L1(1.0), where="norm")])
    with pytest.raises(rz.SelectionError, match=r"no kernel there, only embed\.embedding \(embedd"):
        penalty_of(model, [rz.kernel(rz.L1(1.0), where="embed")])


@pytest.mark.parametrize(
    ("rules", "error", "message"),
    [
        ([rz.kernel(rz.L1(1.0), where="layer.0")], rz.SelectionError, "nearest names: layers.0"),
        ([rz.activity(rz.L1(1.0), where="layer.0")], rz.SelectionError, "nearest names: layers.0"),
        ([rz.L1(1.0)], rz.ConfigurationError, "expected rules made by rz.activity"),
        ([rz.constraint(rz.UnitNorm(0), where="")], rz.ConfigurationError, "optax.project"),
        ([rz.kernel(rz.L1(1.0), proximal=True)], rz.ConfigurationError, "optax.proximal"),
        ([rz.kernel(rz.L1(1.0), towards="now")], rz.ConfigurationError, "towards= is not there"),
        ([rz.kernel(rz.L1(rz.TargetLoss(1.0)))], rz.StrengthTypeError, "only in a Regulariz"),
        (
            [rz.kernel(rz.GroupLasso(1.0, axis="output"))],
            rz.ConfigurationError,
            "layers.0.kernel: ",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_the_site(rules, error, message):
    with pytest.raises(error, match=message):
        penalised(small(), rules)(jnp.ones((3, 2)))


def test_a_function_is_no_module():
    with pytest.raises(
        rz.ConfigurationError, match=r"expected a module of Flax NNX .* got function"
    ):
        penalised(lambda x: x, [])


def test_what_a_forward_changes_stays_changed():
    model = nnx.Sequential(nnx.BatchNorm(2, rngs=nnx.Rngs(0)))
    x = jnp.array([[1.0, 2.0], [3.0, 6.0]], jnp.float32)
    _, penalty = penalised(model, [rz.activity(rz.L2Squared(1.0), where="layers.0")])(x)
    assert float(penalty) == pytest.approx(2, rel=1e-4)
    # momentum .99 of 0, and the mean of the batch
    assert model.layers[0].mean.get_value().tolist() == pytest.approx([0.02, 0.04])


def test_a_compiled_call_is_recorded():
    class Compiled(nnx.Linear):
        @nnx.jit
        def __call__(self, x):
            return 2 * super().__call__(x)

    model = Compiled(2, 2, kernel_init=nnx.initializers.ones, rngs=nnx.Rngs(0))
    rule = rz.activity(rz.L1(1.0), where="")
    assert float(penalised(model, [rule])(jnp.ones((3, 2)))[1]) == 8


def test_a_module_that_is_not_called_is_said():
    class Unused(nnx.Module):
        def __init__(self):
            self.layer = nnx.Linear(2, 2, rngs=nnx.Rngs(0))

        def __call__(self, x):
            return x

    rule = rz.activity(rz.L1(1.0), where="layer")
    with pytest.raises(rz.CollectionError, match="layer was not called; optional=True allows that"):
        penalised(Unused(), [rule])(jnp.ones((3, 2)))
    allowed = rz.activity(rz.L1(1.0), where="layer", optional=True)
    assert float(penalised(Unused(), [allowed])(jnp.ones((3, 2)))[1]) == 0


def test_a_sample_under_vmap_says_that_it_is_one():
    model, x = small(), jnp.array([[1.0, 1.0], [2.0, 2.0]])

    def each(rule):
        def one(model, sample):
            return penalised(model, [rule])(sample)[1]

        return nnx.vmap(one, in_axes=(None, 0))(model, x)

    with pytest.raises(
        rz.ShapeError, match=r"^layers\.0: .* say batch_axis=\(\) if x is one sample"
    ):
        each(rz.activity(rz.L1(1.0), where="layers.0"))
    said = rz.activity(rz.L1(1.0), where="layers.0", batch_axis=())
    assert each(said).tolist() == [6, 12]


def test_outputs_are_joined_over_a_named_axis():
    model, x = small(), jnp.arange(8.0).reshape(2, 2, 2)
    rule = rz.activity(rz.L2Norm(1.0, reduce="sum"), where="layers.0", batch_axis=0)

    def one(model, part):
        return penalised(model, [rule], axis_name="devices")(part)[1]

    joined = nnx.vmap(one, in_axes=(None, 0), axis_name="devices")(model, x)
    wanted = jnp.sqrt(3 * jnp.sum(x.sum(-1) ** 2))
    assert joined.tolist() == pytest.approx([float(wanted)] * 2)


def test_the_optimizer_of_flax_takes_our_transformations():
    model = small()
    chain = optax.chain(add_penalty(rz.L1(0.5)), optax.sgd(0.25))
    optimizer = nnx.Optimizer(model, chain, wrt=nnx.Param)
    nnx.jit(lambda model, optimizer: optimizer.update(model, nnx.grad(lambda m: 0.0)(model)))(
        model, optimizer
    )
    assert set(model.layers[0].kernel.get_value().reshape(-1).tolist()) == {0.875}
