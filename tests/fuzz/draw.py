"""From a seed to a case."""

from __future__ import annotations

import dataclasses
from random import Random

import regularizers as rz
from fuzz.case import Case, Event, Part, RegSpec, RuleSpec, StepSpec, Thresholds
from fuzz.draw_penalties import chance
from fuzz.draw_rules import regularizations
from fuzz.events import ORDER
from fuzz.models import ACTIVATIONS, CARRYING, IN_PLACE, RECURRENT, WITH_WEIGHTS
from fuzz.optimizers import KINDS

_VIEWS = ("view", "permuted", "expanded", "strided")
_KEEPS_NOTHING = ("linear", "conv", "depthwise", "transposed", "identity", "norm", "gelu", "silu")
"""Kinds whose output nothing needs for its own gradient, so that it may be changed in place."""
_NAMES = "abcdef"


def draw(seed: int) -> Case:
    """Return the case of a seed."""
    random = Random(seed)
    case = _frame(random, seed)
    case = dataclasses.replace(case, parts=_parts(random, case))
    case = dataclasses.replace(case, regs=regularizations(random, case))
    case = dataclasses.replace(case, optimizer=_optimizer(random, case), steps=_steps(random, case))
    return _gated(Random(f"gate {seed}"), case)


def _gated(random: Random, case: Case) -> Case:
    """Return the case with a gate at its end, whose open units are penalised, sometimes.

    Only in float64: in another type rounding decides which units are open.
    """
    if case.dtype != "float64" or not chance(random, 0.15):
        return case
    reduce = random.choice([None, "sum", "batch_mean", "mean"])
    rule = RuleSpec("activity", rz.L0(random.choice([0.1, 0.7]), reduce=reduce), "g.gate")
    first, *others = case.regs or (RegSpec(()),)
    first = dataclasses.replace(first, rules=(*first.rules, rule))
    return dataclasses.replace(
        case, parts=(*case.parts, Part("g", "jumprelu")), regs=(first, *others)
    )


def _frame(random: Random, seed: int) -> Case:
    form = random.choices(["vector", "sequence", "image"], [5, 4, 2])[0]
    dtype = random.choices(["float64", "float32", "bfloat16"], [8, 2, 0.5])[0]
    layouts = {"image": ["", "channels_last"], "vector": ["", "", "", "transposed"]}
    low = chance(random, 0.6)
    return Case(
        parts=(),
        regs=(),
        form=form,
        batch_first=chance(random, 0.6),
        packed=form == "sequence" and chance(random, 0.25),
        batch=random.randint(2, 4),
        length=random.randint(2, 4),
        width=random.randint(3, 5),
        dtype=dtype,
        autocast=dtype == "float32" and chance(random, 0.3),
        layout=random.choice(layouts.get(form, layouts["vector"])),
        thresholds=Thresholds(
            *[random.choice(sizes) for sizes in _SIZES] if low else [],
        ),
        closure=chance(random, 0.1),
        collects_inside=chance(random, 0.3),
        seed=seed,
    )


_SIZES = ((None, 0, 0, 10), (None, 0, 10), (None, 0, 10), (None, 4, 7, 16), (None, 0, 10))
"""Low thresholds, each of which may stay as it is: small, middling, at_once, piece, large."""


def _parts(random: Random, case: Case) -> tuple[Part, ...]:
    parts: list[Part] = []
    for name in _NAMES[: random.randint(2, 5)]:
        parts.append(_part(random, case, name, parts))
    if all(part.frozen or part.kind not in WITH_WEIGHTS for part in parts):
        parts[0] = dataclasses.replace(parts[0], frozen=False)
    return tuple(parts)


def _part(random: Random, case: Case, name: str, before: list[Part]) -> Part:
    weighted = {
        "vector": ["linear"],
        "sequence": ["linear", *RECURRENT, "attention"],
        "image": ["conv", "conv", "depthwise", "transposed", "linear"],
    }[case.form]
    if before and chance(random, 0.08):
        shared = random.choice(before)
        if not shared.same_as and shared.kind not in IN_PLACE:
            return Part(name, shared.kind, same_as=shared.name)
    last = before[-1] if before else None
    groups = {"weighted": 4, "activation": 4, "view": 0.8, "norm": 0.4}
    if last is not None and last.kind in _KEEPS_NOTHING:
        groups["in place"] = 1.2
    group = random.choices(list(groups), list(groups.values()))[0] if before else "weighted"
    match group:
        case "weighted":
            part = Part(name, random.choice(weighted))
        case "activation":
            # of what adds up to 1 the gradient of L1 is what half precision rounds away
            rough = ("softmax",) if case.autocast or case.dtype == "bfloat16" else ()
            kinds = [kind for kind in ACTIVATIONS if kind not in (*IN_PLACE, *rough)]
            part = Part(name, random.choice(kinds))
        case "view":
            part = Part(name, random.choice(_VIEWS))
        case "norm":
            part = Part(name, "norm")
        case "in place":
            return Part(name, random.choice(IN_PLACE))
    return _spiced(random, part, before)


def _spiced(random: Random, part: Part, before: list[Part]) -> Part:
    """Return the part with something that is less common, sometimes."""
    options: dict[str, object] = {}
    if part.kind in CARRYING:
        kinds = ["plain", "parametrized", "weight_norm", "pruned", "hooked"]
        options["weight"] = random.choices(kinds, [30, 2, 2, 2, 0.7])[0]
        options["frozen"] = chance(random, 0.07)
        ties = [p.name for p in before if (p.kind, p.weight) == (part.kind, "plain")]
        ties = [t for t in ties if not _named(before, t).same_as]
        if ties and options["weight"] == "plain" and chance(random, 0.08):
            options["tied_to"] = random.choice(ties)
    if chance(random, 0.06):
        options["times"] = 2
    if chance(random, 0.1):
        options["checkpoint"] = random.choices(["non_reentrant", "reentrant"], [3, 1])[0]
    if part.kind in ("linear", "conv", "gelu", "silu") and chance(random, 0.15):
        options["around"] = random.choice(["add", "add_in_place"])
    return dataclasses.replace(part, **options)


def _named(parts: list[Part], name: str) -> Part:
    return next(part for part in parts if part.name == name)


def _optimizer(random: Random, case: Case) -> str:
    if any(rule.proximal for rule in case.rules()):
        return random.choice(["sgd", "momentum", "decay"])
    if (
        case.dtype == "bfloat16"
    ):  # whose rounding decides on the sign of what Adam divides by itself
        return random.choice(["sgd", "momentum", "nesterov", "multi", "groups"])
    return random.choice(KINDS)


def _steps(random: Random, case: Case) -> tuple[StepSpec, ...]:
    steps = []
    number = random.randint(1, 4)
    saved_at = random.randrange(number) if chance(random, 0.1) else None
    for k in range(number):
        events = _events(random, case)
        if saved_at is not None:
            events = [e for e in events if e.kind not in _OF_STRUCTURE]
            if k >= saved_at:
                kind = "saved" if k == saved_at else "loaded"
                events = [*events, Event(kind, option=random.randrange(3))]
        events.sort(key=lambda event: ORDER.index(event.kind))
        steps.append(StepSpec(_mode(random, case), tuple(events), set_to_none=chance(random, 0.7)))
    return tuple(steps)


_OF_STRUCTURE = (
    "detached",
    "pruned",
    "unpruned",
    "weight_changed",
    "frozen",
    "appended",
    "deepcopied",
)


def _mode(random: Random, case: Case) -> str:
    exact = case.dtype == "float64"
    # autograd.grad does not go through a reentrant checkpoint
    any_way = all(part.checkpoint != "reentrant" for part in case.parts)
    injects = any(reg.delivery == "inject" for reg in case.regs)
    modes = {
        "plain": 10,
        "accumulate": 2,
        "joined": 1,
        "scaled": 1,
        "twice": 0.5 if any_way else 0,
        "create_graph": 2 if any_way else 0,
        "gradient_penalty": 1 if exact and any_way else 0,
        # injected, there is no scale in the inner derivative
        "input_penalty": (0.2 if injects else 1) if exact and any_way else 0,
    }
    return random.choices(list(modes), list(modes.values()))[0]


def _events(random: Random, case: Case) -> list[Event]:
    if chance(random, 0.55):
        return []
    kinds = random.sample(
        [kind for kind in ORDER if kind not in ("saved", "loaded")], random.randint(1, 2)
    )
    events = []
    carrying = [p.name for p in case.parts if p.kind in CARRYING and not p.same_as]
    whole = [p.name for p in case.parts if p.kind not in IN_PLACE and not p.same_as]
    for kind in kinds:
        wanted = carrying if kind in ("pruned", "unpruned", "weight_changed", "frozen") else whole
        if kind == "frozen" and sum(p.kind in WITH_WEIGHTS for p in case.parts) < 2:
            continue
        if wanted:
            events.append(Event(kind, random.choice(wanted), random.randrange(3)))
    return events
