"""The library's rules of a case: the one place that makes them."""

from __future__ import annotations

import dataclasses
import inspect

import torch
from torch import Tensor, nn

import regularizers as rz
from fuzz.case import RegSpec, RuleSpec

SELECTS = {
    "": None,
    "first": 0,
    "same": lambda y: y,
    "half": lambda y: y[..., : y.shape[-1] // 2],
    "last": lambda y: y[1][0] if isinstance(y[1], tuple) else y[1],
}

TYPES = {":relu": nn.ReLU, ":tanh": nn.Tanh, ":gelu": nn.GELU, ":linear": nn.Linear}
"""Rules are for all modules of a type."""

HAS_OPTIONAL = "optional" in inspect.signature(rz.activity).parameters


def pattern(shape: tuple[int, ...], axes: int) -> Tensor:
    """Return a mask over so many leading axes, of which each index has a valid element."""
    places = torch.arange(shape[0])
    if axes == 1:
        return (places % 2 == 0) | (places == len(places) - 1)
    return (places[:, None] + torch.arange(shape[1])) % 3 != 1


def rule_of(spec: RuleSpec) -> rz.Rule:
    """Return the rule."""
    penalty = spec.penalty
    if spec.warmup:
        rising = rz.LinearWarmup(penalty.strength, steps=spec.warmup)
        penalty = dataclasses.replace(penalty, strength=rising)
    options = {"reduce": spec.reduce, "batch_axis": spec.batch_axis}
    if spec.kind != "activity":
        rule = rz.kernel if spec.kind == "kernel" else rz.bias
        return rule(penalty, spec.where or "**", proximal=spec.proximal, **options)
    if spec.mask == "rule":
        options["mask"] = lambda x: pattern(x.shape, spec.mask_axes)
    if spec.optional and HAS_OPTIONAL:
        options["optional"] = True
    select = SELECTS[spec.select]
    return rz.activity(
        penalty, TYPES.get(spec.where, spec.where), select=select, copy=spec.copy, **options
    )


def regularization_of(spec: RegSpec, model: nn.Module) -> rz.Regularization:
    """Return the regularization of a model, not yet attached to an optimizer."""
    return rz.Regularization(model, map(rule_of, spec.rules), delivery=spec.delivery)


def enters_a_step(spec: RegSpec) -> bool:
    """Return whether an optimizer is to know the regularization."""
    weights = any(rule.kind != "activity" for rule in spec.rules)
    return spec.attached and (weights or changes(spec))


def changes(spec: RegSpec) -> bool:
    """Return whether a strength changes from step to step."""
    return any(rule.warmup for rule in spec.rules)
