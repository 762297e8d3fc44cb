"""Penalties of the weights and the outputs of Flax NNX modules, by the rules of the library.

    y, penalty = penalised(model, rules)(x)  # inside the function that nnx.grad differentiates

Rules name modules and weights by their paths, such as `"blocks.0.act"`.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any

from regularizers.attach import Rule
from regularizers.errors import CollectionError, ConfigurationError, RegularizersError
from regularizers.integrations._frameworks import check_framework
from regularizers.penalties import Formula, Penalty, Schedule

check_framework("flax", "0.12.8")

import jax.numpy as jnp  # noqa: E402 -- loaded where the versions are right
from flax import nnx  # noqa: E402

from regularizers.integrations._flax_outputs import Unit, record  # noqa: E402
from regularizers.integrations._flax_sites import (  # noqa: E402
    Roles,
    modules_of,
    name_of,
    select_modules,
    select_sown,
    select_weights,
    sown_values,
)

__all__ = ["penalised", "penalty_of"]

_UNUSED = ("mask", "proximal", "carry", "shared", "towards", "importance", "weights")


def penalty_of(
    model: nnx.Module,
    rules: Sequence[Rule],
    *,
    sown: Any = None,
    step: Any = None,
    roles: Roles | None = None,
) -> Any:
    """Return the penalty of the weights and the sown values of a model, to add to the loss.

    The name of a weight says its role: `kernel`, `bias`, `embedding`; `scale`, and a bias beside
    one, are of a normalization. A shared weight counts once, and only `nnx.Param` counts.

    Rules of activities are of what the model sowed (`self.sow(nnx.Intermediate, "codes", x)`), by
    the path of the module and the name: `"encoder.codes"`. Each call counts once.

    Args:
        model: a module, inside `nnx.jit` and `nnx.value_and_grad` too.
        rules: made by `rz.kernel`, `bias`, and by `activity`, `ar` and `tar`.
        sown: the state that `nnx.capture(model, nnx.Intermediate)(x)` returned with the output.
            None: the intermediates that the model holds, which are taken out of it (`nnx.pop`).
        step: of the optimizer, for strengths that are schedules: `optimizer.step.value`.
        roles: of weights with other names, by path or glob: `"kernel"`, `"bias"` or `"other"`.

    Returns:
        A scalar.

    Raises:
        SelectionError: a rule matches nothing, or a weight whose role is not known.
        ConfigurationError: a rule, or an option of one, that there is not for Flax.
        OutputError: what was sown is no array, and its rule has no `select`.

    Example:
        >>> from flax import nnx
        >>> import regularizers as rz
        >>> from regularizers.integrations.flax import penalty_of
        >>> layer = nnx.Linear(2, 3, kernel_init=nnx.initializers.ones, rngs=nnx.Rngs(0))
        >>> float(penalty_of(layer, [rz.kernel(rz.L1(0.5))]))
        3.0
    """
    total = jnp.zeros(())
    of_sown = [rule for rule in _checked(rules) if not _is_of_weights(rule)]
    if of_sown:
        values = sown_values(model, sown)
        for rule in of_sown:
            for name in select_sown(rule, model, values):
                for term in rule.terms:
                    unit = Unit(dataclasses.replace(term, strength=1.0), rule.select, None, name)
                    strength: Any = _at(term, step).terms[0].strength
                    total = total + strength * sum([unit.of(value) for value in values[name]])
    for rule in rules:
        if not _is_of_weights(rule):
            continue
        for name, weight in select_weights(rule, model, roles or {}).items():
            for term in rule.terms:
                try:
                    total = total + _at(term, step)(weight.get_value())
                except RegularizersError as error:
                    raise type(error)(f"{name}: {error}") from None
    return total


def penalised(
    forward: Any,
    rules: Sequence[Rule],
    *,
    step: Any = None,
    roles: Roles | None = None,
    axis_name: str | None = None,
) -> Callable[..., tuple[Any, Any]]:
    """Return a forward that returns its output, and the penalty of weights and outputs.

    The penalty of an output is computed where its module is called: for each call, inside
    `nnx.scan`, `nnx.remat` and `nnx.jit` too. Several calls of a module add up.

    Args:
        forward: a module, or a method of one.
        rules: made by `rz.activity`, `ar`, `tar`, `kernel` and `bias`.
        step: as in `penalty_of`.
        roles: as in `penalty_of`.
        axis_name: joins outputs over devices, as in `Penalty.__call__`.

    Raises:
        SelectionError: as `penalty_of`.
        ConfigurationError: as `penalty_of`; or no module.
        CollectionError: when called, a module that a rule matches was not called.
        OutputError: when called, an output is no array, and its rule has no `select`.

    Example:
        >>> from flax import nnx
        >>> import jax.numpy as jnp
        >>> import regularizers as rz
        >>> from regularizers.integrations.flax import penalised
        >>> layer = nnx.Linear(2, 3, kernel_init=nnx.initializers.ones, rngs=nnx.Rngs(0))
        >>> rules = [rz.activity(rz.L1(0.5), where="layers.0")]
        >>> y, penalty = penalised(nnx.Sequential(layer, nnx.relu), rules)(jnp.ones((4, 2)))
        >>> float(penalty)  # half of three units of 2, the mean over four samples
        3.0
    """
    model = getattr(forward, "__self__", forward)
    if not isinstance(model, nnx.Module):
        raise ConfigurationError(
            f"penalised: expected a module of Flax NNX or a method of one, got "
            f"{type(forward).__name__}; for weights in a dictionary see integrations.optax"
        )
    of_weights = [rule for rule in _checked(rules) if _is_of_weights(rule)]
    of_outputs = [rule for rule in rules if not _is_of_weights(rule)]
    paths = {name_of(path): path for path, _ in nnx.iter_modules(model)}
    sites, units = {}, {}
    for number, rule in enumerate(of_outputs):
        for name in select_modules(rule, model):
            for place, term in enumerate(rule.terms):
                path = (*paths[name], f"{number}.{place}")
                sites[path] = rule, term, name
                unit = dataclasses.replace(term, strength=1.0)
                units[path] = Unit(unit, rule.select, axis_name, name)
    run = record(forward, list(modules_of(model).values()), units)

    def with_penalty(*inputs: Any, **options: Any) -> tuple[Any, Any]:
        output, recorded = run(*inputs, **options)
        total = penalty_of(model, of_weights, step=step, roles=roles)
        for path, (rule, term, name) in sites.items():
            if not recorded[path] and not rule.optional:
                raise CollectionError(f"{rule}: {name} was not called; optional=True allows that")
            strength: Any = _at(term, step).terms[0].strength
            total = total + strength * sum([jnp.sum(value) for value in recorded[path]])
        return output, total

    return with_penalty


def _is_of_weights(rule: Rule) -> bool:
    return rule.kind in ("kernel", "bias")


def _at(term: Formula, step: Any) -> Penalty:
    """Return a penalty with a number as its strength."""
    if step is None and isinstance(term.strength, Schedule):
        raise ConfigurationError(
            f"{term!r}: expected step=, at which a schedule is asked, got none"
        )
    assert isinstance(term, Penalty)
    return term.at(0 if step is None else step)


def _checked(rules: Sequence[Any]) -> Sequence[Rule]:
    for rule in rules:
        if not isinstance(rule, Rule):
            raise ConfigurationError(
                f"expected rules made by rz.activity, kernel or bias, got {rule!r}; a constraint "
                f"is a step of the optimizer: regularizers.integrations.optax.project"
            )
        used = [name for name in _UNUSED if getattr(rule, name)]
        if used:
            cure = "use integrations.optax.proximal" if rule.proximal else "leave it out"
            raise ConfigurationError(f"{rule}: {used[0]}= is not there for Flax; {cure}")
    return rules
