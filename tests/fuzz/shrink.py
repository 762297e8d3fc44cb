"""A failing case made smaller, for as long as it fails in the same way."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import MISSING
from typing import Any

from fuzz.case import Case, Part, RegSpec, RuleSpec, StepSpec
from fuzz.verdict import Verdict
from regularizers import Penalty

_KEPT = {
    "parts",
    "regs",
    "steps",
    "rules",
    "events",
    "name",
    "penalty",
    "where",
    "seed",
    "part",
    "form",
}


def shrink(case: Case, run: Callable[[Case], Verdict], *, tries: int = 600) -> Case:
    """Return a case that fails as `case` does, and has less in it."""
    verdict = run(case)
    again = True
    while again:
        again = False
        for smaller in _smaller(case):
            tries -= 1
            if tries < 0:
                return case
            if run(smaller).is_like(verdict):
                case, again = smaller, True
                break
    return case


def _smaller(case: Case) -> Iterator[Case]:
    """Yield cases with a little less, the larger steps first."""
    yield from _without_one(case, "steps", least=1)
    yield from _without_one(case, "regs", least=1)
    for k, part in enumerate(case.parts):
        if len(case.parts) > 1:
            yield _without_part(case, k, part)
    for i, reg in enumerate(case.regs):
        for smaller in _without_one(reg, "rules", least=1):
            yield _with(case, "regs", i, smaller)
    for i, step in enumerate(case.steps):
        for smaller in _without_one(step, "events"):
            yield _with(case, "steps", i, smaller)
    yield from _plainer(case)
    for name in ("parts", "steps", "regs"):
        for i, one in enumerate(getattr(case, name)):
            for smaller in _plainer(one):
                yield _with(case, name, i, smaller)
    for i, reg in enumerate(case.regs):
        for j, rule in enumerate(reg.rules):
            for smaller in _plainer_rules(rule):
                yield _with(case, "regs", i, _with(reg, "rules", j, smaller))
    for i, part in enumerate(case.parts):
        if part.kind not in ("linear", "identity") and not part.same_as:
            for kind in ("identity", "linear"):
                yield _with(case, "parts", i, dataclasses.replace(part, kind=kind))


def _with(whole: Any, field: str, index: int, value: Any) -> Any:
    values = list(getattr(whole, field))
    values[index] = value
    return dataclasses.replace(whole, **{field: tuple(values)})


def _without_one(whole: Any, field: str, least: int = 0) -> Iterator[Any]:
    values = getattr(whole, field)
    for k in range(len(values) if len(values) > least else 0):
        yield dataclasses.replace(whole, **{field: values[:k] + values[k + 1 :]})


def _without_part(case: Case, index: int, gone: Part) -> Case:
    """Return the case without a part, and without the rules and events that name it."""
    parts = []
    for part in case.parts[:index] + case.parts[index + 1 :]:
        same = "" if part.same_as == gone.name else part.same_as
        tied = "" if part.tied_to == gone.name else part.tied_to
        parts.append(dataclasses.replace(part, same_as=same, tied_to=tied))

    def stays(name: str) -> bool:
        return name.partition(".")[0] != gone.name

    regs = []
    for reg in case.regs:
        rules = tuple([rule for rule in reg.rules if stays(rule.where)])
        if rules:
            regs.append(dataclasses.replace(reg, rules=rules))
    steps = [
        dataclasses.replace(step, events=tuple([e for e in step.events if stays(e.part)]))
        for step in case.steps
    ]
    return dataclasses.replace(case, parts=tuple(parts), regs=tuple(regs), steps=tuple(steps))


def _plainer(one: Case | Part | RegSpec | StepSpec | RuleSpec) -> Iterator[Any]:
    """Yield the same with one setting as it is by default."""
    for field in dataclasses.fields(one):
        unlike = field.default is not MISSING and getattr(one, field.name) != field.default
        if field.name not in _KEPT and field.name != "kind" and unlike:
            yield dataclasses.replace(one, **{field.name: field.default})
    if isinstance(one, Case):
        for field in dataclasses.fields(one.thresholds):
            if getattr(one.thresholds, field.name) is not None:
                fewer = dataclasses.replace(one.thresholds, **{field.name: None})
                yield dataclasses.replace(one, thresholds=fewer)


def _plainer_rules(rule: RuleSpec) -> Iterator[RuleSpec]:
    """Yield the rule with one setting less, and with parts of its penalty."""
    yield from _plainer(rule)
    penalty = rule.penalty
    parts: tuple[Penalty, ...] = getattr(penalty, "parts", ())
    for part in parts:
        yield dataclasses.replace(rule, penalty=part)
    if getattr(penalty, "reduce", None) is not None:
        yield dataclasses.replace(rule, penalty=dataclasses.replace(penalty, reduce=None))
