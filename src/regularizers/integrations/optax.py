"""Penalties, proximal steps and constraints as transformations of optax.

    optax.chain(add_penalty(rz.L2Squared(1e-4)), optax.adam(1e-3))

Strengths may be schedules of the step. `optax.MultiSteps` goes around the whole chain.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, NamedTuple, TypeAlias

from regularizers.constraints import Constraint
from regularizers.errors import (
    ConfigurationError,
    RegularizersError,
    SelectionError,
    StrengthTypeError,
)
from regularizers.integrations._frameworks import check_framework
from regularizers.penalties import Penalty, Schedule, Strength, check_proximal

check_framework("optax", "0.2.8")

import jax  # noqa: E402 -- loaded where the versions are right
import optax  # noqa: E402

__all__ = ["StepCount", "add_penalty", "project", "proximal", "tangential"]

Mask: TypeAlias = Any
"""True for the weights that count: a tree as theirs, or a function of them."""


class StepCount(NamedTuple):
    """The state of these transformations, the number of steps taken; schedules are read at it.

    Attributes:
        count: an int32 array without axes.

    Example:
        >>> import jax.numpy as jnp
        >>> import regularizers as rz
        >>> from regularizers.integrations.optax import add_penalty
        >>> weights = {"kernel": jnp.ones(2)}
        >>> transformation = add_penalty(rz.L1(0.5))
        >>> state = transformation.init(weights)
        >>> _, state = transformation.update(weights, state, weights)
        >>> int(state.count)
        1
    """

    count: Any


def add_penalty(penalty: Penalty, mask: Mask = None) -> optax.GradientTransformation:
    """Add the gradient of a penalty of each weight to the updates; it stands before the optimizer.

    It is `optax.add_decayed_weights` for any penalty, where that stands first in the chain: λ there
    is `L2Squared(λ / 2)` here. After `scale_by_adam`, as in `optax.adamw`, that is decoupled.

    Args:
        penalty: of each array of weights; its strength is a number or a function of the step.
        mask: as in `optax.add_decayed_weights`. None: every array.

    Raises:
        ConfigurationError: no penalty, or one of gates.
        StrengthTypeError: a strength has a target, which a step of an optimizer cannot measure.
        SelectionError: `init`, if the mask is False for every weight.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> import regularizers as rz
        >>> from regularizers.integrations.optax import add_penalty
        >>> weights, grads = {"kernel": jnp.array([2.0, -3.0])}, {"kernel": jnp.zeros(2)}
        >>> optimizer = optax.chain(add_penalty(rz.L1(0.5)), optax.sgd(1.0))
        >>> optimizer.update(grads, optimizer.init(weights), weights)[0]["kernel"].tolist()
        [-0.5, 0.5]
    """
    _check(penalty)

    def added(update: Any, weight: Any, count: Any) -> Any:
        return update + penalty.at(_wide(count)).gradient(weight).astype(update.dtype)

    return _transformation(added, mask)


def proximal(
    penalty: Penalty, learning_rate: float | Callable[[Any], Any], mask: Mask = None
) -> optax.GradientTransformation:
    """Turn updates u of weights p into prox(p + u) − p: weights become exactly 0.

    It stands after the optimizer, inside `optax.MultiSteps`. It minimises loss plus penalty where
    a step is `learning_rate` times the gradient, as of `optax.sgd`; with momentum μ say
    learning_rate / (1 − μ). Adam's steps differ for each weight, so the minimum after Adam is one
    of another sum: use `add_penalty` there. optax shows neither to a transformation.

    Args:
        penalty: one that has a proximal step, as in `Penalty.prox`; as in `add_penalty`.
        learning_rate: of the optimizer; a number or a schedule.
        mask: as in `add_penalty`.

    Raises:
        ConfigurationError: as `add_penalty`; or no exact proximal step.
        StrengthTypeError, SelectionError: as `add_penalty`.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> import regularizers as rz
        >>> from regularizers.integrations.optax import proximal
        >>> weights, grads = {"kernel": jnp.array([2.0, -0.25])}, {"kernel": jnp.zeros(2)}
        >>> optimizer = optax.chain(optax.sgd(0.5), proximal(rz.L1(1.0), 0.5))
        >>> updates, _ = optimizer.update(grads, optimizer.init(weights), weights)
        >>> optax.apply_updates(weights, updates)["kernel"].tolist()
        [1.5, 0.0]
    """
    _check(penalty)
    check_proximal(penalty.terms)

    def shrunk(update: Any, weight: Any, count: Any) -> Any:
        rate: Any = learning_rate.at if isinstance(learning_rate, Schedule) else learning_rate
        step = jax.numpy.asarray(rate(count), float) if callable(rate) else rate
        if isinstance(step, jax.Array):
            step = step.astype(float)
        return _moved(penalty.at(_wide(count)).prox, step)(update, weight)

    return _transformation(shrunk, mask)


def project(constraint: Constraint, mask: Mask = None) -> optax.GradientTransformation:
    """Turn updates u of weights p into P(p + u) − p: p + u lies within the constraint.

    It stands after the optimizer; `tangential` stands before it.

    Args:
        constraint: of each array of weights.
        mask: as in `add_penalty`.

    Raises:
        ConfigurationError: no constraint.
        SelectionError: as `add_penalty`.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> import regularizers as rz
        >>> from regularizers.integrations.optax import project
        >>> weights, grads = {"kernel": jnp.array([0.5, 2.0])}, {"kernel": jnp.ones(2)}
        >>> optimizer = optax.chain(optax.sgd(1.0), project(rz.NonNegative()))
        >>> updates, _ = optimizer.update(grads, optimizer.init(weights), weights)
        >>> optax.apply_updates(weights, updates)["kernel"].tolist()
        [0.0, 1.0]
    """
    _check_constraint(constraint)

    def projected(update: Any, weight: Any, count: Any) -> Any:
        change = _moved(constraint.project)(update, weight)
        # the sum is rounded: where that leaves the constraint, the next number is on its other side
        reached = _applied(change, weight)
        projected = constraint.project(reached)
        inwards = jax.numpy.where(projected > reached, math.inf, -math.inf).astype(change.dtype)
        inside = jax.numpy.nextafter(change, inwards)
        return jax.numpy.where(projected == reached, change, inside)

    return _transformation(projected, mask)


def tangential(constraint: Constraint, mask: Mask = None) -> optax.GradientTransformation:
    """Leave the optimizer the part of the gradient that a constraint does not undo.

    For `UnitNorm` that is the gradient less its radial part, which would only fill moments. Other
    constraints leave it whole. It stands before the optimizer, and `project` after it.

    Args:
        constraint: as in `project`.
        mask: as in `add_penalty`.

    Raises:
        ConfigurationError, SelectionError: as `project`.

    Example:
        >>> import jax.numpy as jnp, optax
        >>> import regularizers as rz
        >>> from regularizers.integrations.optax import project, tangential
        >>> weights = {"kernel": jnp.array([[0.6, 0.8]])}
        >>> grads = {"kernel": jnp.array([[1.0, 0.0]])}
        >>> tangent = tangential(rz.UnitNorm(0))
        >>> update = tangent.update(grads, tangent.init(weights), weights)[0]["kernel"]
        >>> [round(x, 2) for x in update[0].tolist()]  # at a right angle to the weights
        [0.64, -0.48]
        >>> optimizer = optax.chain(tangent, optax.adam(1e-2), project(rz.UnitNorm(0)))
    """
    _check_constraint(constraint)
    return _transformation(lambda u, weight, _: constraint.tangential(u, weight), mask)


def _transformation(
    change: Callable[[Any, Any, Any], Any], mask: Mask
) -> optax.GradientTransformation:
    """Return the transformation that changes the update of each weight at a step."""

    def init(weights: Any) -> StepCount:
        arrays = jax.tree.leaves(weights, is_leaf=_is_masked)
        if arrays and all(map(_is_masked, arrays)):
            raise SelectionError("mask: expected True for a weight or more, got False for all")
        return StepCount(jax.numpy.zeros([], jax.numpy.int32))

    def update(updates: Any, state: StepCount, weights: Any = None) -> tuple[Any, StepCount]:
        if weights is None:
            raise ConfigurationError(
                "update: expected the weights, which penalties and constraints are of; write "
                "optimizer.update(grads, state, params)"
            )

        def changed(path: Any, update: Any, weight: Any) -> Any:
            try:
                return change(update, weight, state.count)
            except RegularizersError as error:
                where = jax.tree_util.keystr(path, simple=True, separator=".")
                raise type(error)(f"{where}: {error}; mask= leaves a weight out") from None

        changes = jax.tree_util.tree_map_with_path(changed, updates, weights)
        return changes, StepCount(optax.safe_increment(state.count))

    transformation = optax.GradientTransformation(init, update)
    return transformation if mask is None else optax.masked(transformation, mask)


def _is_masked(node: Any) -> bool:
    return isinstance(node, optax.MaskedNode)


def _wide(count: Any) -> Any:
    # in 64 bits, where JAX has them, a schedule is computed in float64
    return jax.numpy.asarray(count, int)


def _moved(place: Callable[..., Any], *arguments: Any) -> Callable[[Any, Any], Any]:
    def moved(update: Any, weight: Any) -> Any:
        placed = place(_applied(update, weight), *arguments)
        return (placed - weight).astype(update.dtype)

    return moved


def _applied(update: Any, weight: Any) -> Any:
    """Return what `optax.apply_updates` makes of a weight."""
    return (weight + update).astype(weight.dtype)


def _check(penalty: Penalty) -> None:
    if not isinstance(penalty, Penalty):
        raise ConfigurationError(f"expected a penalty such as L1(1e-3), got {penalty!r}")
    for term in penalty.terms:
        if term.for_gates_only:
            raise ConfigurationError(f"expected a penalty of weights, got {term!r} of gates")
        if isinstance(term.strength, Strength) and not isinstance(term.strength, Schedule):
            raise StrengthTypeError(
                f"expected a strength that is a number or a function of the step, got {term!r}, "
                f"whose target is of measurements that a step of an optimizer does not have; "
                f"rz.Regularization of PyTorch has them; here use a schedule"
            )


def _check_constraint(constraint: Constraint) -> None:
    if not isinstance(constraint, Constraint):
        raise ConfigurationError(f"expected a constraint such as UnitNorm(0), got {constraint!r}")
