"""Run by itself on several devices: the penalty of a batch in parts, against that of the whole.

The whole is computed by formulas written here in jax.numpy, in float64.
"""

import dataclasses
import functools
import sys

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import Mesh, PartitionSpec

import regularizers as rz

jax.config.update("jax_enable_x64", True)

DEVICES = int(sys.argv[1])
SAMPLES, WIDTH = 4 * DEVICES, 3


def kl(x):
    mean = x.mean(0)
    return jnp.sum(0.1 * jnp.log(0.1 / mean) + 0.9 * jnp.log(0.9 / (1 - mean)))


def covariances(x):
    c = jnp.cov(x.T, bias=True)
    return (jnp.sum(c * c) - jnp.sum(jnp.diag(c) ** 2)) / 2


def norms_of_units(x):
    return jnp.sum(jnp.sqrt(jnp.sum(x * x, 0)))


PENALTIES = {
    "KLSparsity": (rz.KLSparsity(0.7, 0.1), lambda x: 0.7 * kl(x)),
    "L2Norm": (rz.L2Norm(0.7), lambda x: 0.7 * jnp.sqrt(jnp.sum(x * x))),
    "Decorrelation": (rz.Decorrelation(0.7), lambda x: 0.7 * covariances(x)),
    "Hoyer": (rz.Hoyer(0.7), lambda x: 0.7 * jnp.sum(jnp.abs(x)) ** 2 / jnp.sum(x * x)),
    "GroupLasso": (rz.GroupLasso(0.7, axis=1), lambda x: 0.7 * norms_of_units(x)),
    "L1 sum": (rz.L1(0.7), lambda x: 0.7 * jnp.sum(jnp.abs(x))),
    "L1 batch mean": (rz.L1(0.7, reduce="batch_mean"), lambda x: 0.7 * jnp.abs(x).sum(1).mean()),
    "L2Norm batch mean": (
        rz.L2Norm(0.7, reduce="batch_mean"),
        lambda x: 0.7 * jnp.sqrt(jnp.sum(x * x, 1)).mean(),
    ),
    "Budget": (
        rz.Budget(rz.L1(0.7, reduce="batch_mean"), 0.5),
        lambda x: 0.7 * jnp.maximum(jnp.abs(x).sum(1).mean() - 0.5, 0),
    ),
    "TAR": (rz.TAR(0.7, 1), lambda x: 0.7 * jnp.mean((x[:, 1:] - x[:, :-1]) ** 2)),
    "a sum": (
        rz.L1(0.7) + rz.KLSparsity(0.3, 0.1),
        lambda x: 0.7 * jnp.sum(jnp.abs(x)) + 0.3 * kl(x),
    ),
}


def activations(weight, batch):
    return jax.nn.sigmoid(batch @ weight)


def gradients(loss, weight, *arguments):
    """Return the loss with each penalty, and its gradient."""
    return {
        name: jax.value_and_grad(loss)(weight, *arguments, *both)
        for name, both in PENALTIES.items()
    }


def loss_of_the_whole(weight, batch, chosen, penalty, formula):
    x = activations(weight, batch)
    return jnp.mean(x**3) + formula(x[chosen])


def loss_on_a_device(weight, part, valid, penalty, formula):
    """Return the loss of a part of the batch, of which users take the mean over devices."""
    x = activations(weight, part)
    return jnp.mean(x**3) + penalty(x, mask=valid, axis_name="devices")


def mean_loss(*arguments):
    return jax.lax.pmean(loss_on_a_device(*arguments), "devices")


def loss_under_vmap(weight, part, valid, penalty, formula):
    return loss_on_a_device(weight, part, valid, with_samples_first(penalty), formula)


def with_samples_first(penalty):
    """Say what a penalty cannot know under vmap: that axis 0 numbers samples."""
    if isinstance(penalty, rz.penalties.Sum):
        return sum(map(with_samples_first, penalty.parts))
    has_axis = hasattr(penalty, "batch_axis")
    return dataclasses.replace(penalty, batch_axis=0) if has_axis else penalty


def by_pmap(weight, batch, valid):
    def step(part, valid):
        return jax.lax.pmean(gradients(loss_on_a_device, weight, part, valid), "devices")

    return of_each(jax.pmap(step, "devices", in_axes=axes(valid))(*in_parts(batch, valid)))


def by_vmap(weight, batch, valid):
    def step(part, valid):
        return jax.lax.pmean(gradients(loss_under_vmap, weight, part, valid), "devices")

    mapped = jax.vmap(step, axis_name="devices", in_axes=axes(valid))
    return of_each(jax.jit(mapped)(*in_parts(batch, valid)))


def axes(valid):
    return 0, None if valid is None else 0


def in_parts(*arrays):
    size = SAMPLES // DEVICES
    return [x if x is None else x.reshape(DEVICES, size, *x.shape[1:]) for x in arrays]


def of_each(found):
    return [jax.tree.map(lambda one: one[device], found) for device in range(DEVICES)]  # noqa: B023


def inside_shard_map(weight, batch, valid):
    step = functools.partial(gradients, mean_loss)
    return [jax.jit(sharded(step, valid))(weight, batch, valid)]


def around_shard_map(weight, batch, valid):
    def loss(weight, batch, valid, *both):
        return sharded(lambda *part: mean_loss(*part, *both), valid)(weight, batch, valid)

    return [jax.jit(functools.partial(gradients, loss))(weight, batch, valid)]


def sharded(function, valid):
    mesh = Mesh(np.array(jax.devices()), ("devices",))
    split, same = PartitionSpec("devices"), PartitionSpec()
    splits = (same, split, same if valid is None else split)
    return jax.shard_map(function, mesh=mesh, in_specs=splits, out_specs=same)


WAYS = {
    2: [(by_pmap, False), (inside_shard_map, True), (by_vmap, True)],
    4: [(around_shard_map, False), (by_pmap, True)],
}
"""The ways to map over devices by their number, each with or without a mask: tracing takes time."""


def main():
    assert len(jax.devices()) == DEVICES
    weight = jax.random.normal(jax.random.key(0), (5, WIDTH))
    batch = jax.random.normal(jax.random.key(1), (SAMPLES, 5))
    # unequally many on each device: none is valid on the last
    valid = jnp.arange(SAMPLES) % 3 != 1
    valid = valid.at[-SAMPLES // DEVICES :].set(False)
    for way, masked in WAYS[DEVICES]:
        chosen = np.flatnonzero(valid) if masked else slice(None)
        whole = jax.jit(lambda *a, chosen=chosen: gradients(loss_of_the_whole, *a, chosen))
        wanted = whole(weight, batch)
        for found in way(weight, batch, valid if masked else None):
            for name in PENALTIES:
                worst = distance(found[name], wanted[name])
                sys.stdout.write(f"{name}, {way.__name__}, {masked}: {worst:.1e}\n")
                assert worst < 1e-14 * max(1.0, float(wanted[name][0])), (name, way, masked)
    sys.stdout.write("all exact\n")


def distance(found, wanted):
    return max(float(jnp.max(jnp.abs(a - b))) for a, b in zip(found, wanted, strict=True))


if __name__ == "__main__":
    main()
