"""Rules drawn for the parts of a case."""

from __future__ import annotations

from random import Random

from fuzz.case import Case, Part, RegSpec, RuleSpec
from fuzz.draw_penalties import chance, of_outputs, of_weights
from fuzz.formulas import elements
from fuzz.models import RECURRENT, WITH_WEIGHTS
from fuzz.rules import TYPES


def regularizations(random: Random, case: Case) -> tuple[RegSpec, ...]:
    """Return one regularization or two of the model of a case."""
    regs: list[RegSpec] = []
    for _ in range(2 if chance(random, 0.15) else 1):
        delivery = random.choices(["collect", "inject"], [7, 3])[0]
        attached = chance(random, 0.3)
        rules = []
        for _ in range(random.randint(1, 3)):
            if chance(random, 0.6):
                rules.append(_activity(random, case, delivery))
            else:
                rules.append(_of_weights(random, case, attached))
        rules = _unlike(regs, _alone(case, rules))
        if rules:
            regs.append(RegSpec(tuple(rules), delivery, attached))
    return tuple(regs)


def _alone(case: Case, rules: list[RuleSpec]) -> list[RuleSpec]:
    """Return the rules without those that interfere with another."""
    # a mask around a forward is on a module, whichever its rules and names
    around = [rule for rule in rules if rule.mask == "around"][:1]
    if around:
        module = case.part(around[0].where.partition(".")[0])
        masked = {part.name for part in case.parts if case.part(part.name) == module}
        masked |= {f"{name}.inner" for name in masked} | set(TYPES)
        others = [rule for rule in rules if rule.mask != "around"]
        rules = [r for r in others if r.kind != "activity" or r.where not in masked] + around
    # proximal steps after one another are not that of the sum
    proximal = [rule for rule in rules if rule.proximal][:1]
    return [rule for rule in rules if not rule.proximal] + proximal


def _unlike(regs: list[RegSpec], rules: list[RuleSpec]) -> list[RuleSpec]:
    """Return the rules that have no penalty in common with those of another regularization.

    The same penalty of the same weights by two of them is a mistake of its user.
    """
    known = {name for reg in regs for rule in reg.rules for name in _names(rule)}
    shrinks = any(rule.proximal for reg in regs for rule in reg.rules)
    return [r for r in rules if not (known & _names(r) or (shrinks and r.proximal))]


def _names(rule: RuleSpec) -> set[tuple[str, str]]:
    return {(rule.kind, element.name) for element in elements(rule.penalty)}


def _activity(random: Random, case: Case, delivery: str) -> RuleSpec:
    part = random.choice(case.parts)
    of = case.part(part.name)
    where = f"{of.name}.inner" if of.around and chance(random, 0.6) else of.name
    where = part.name if part.same_as and chance(random, 0.5) and not of.around else where
    options: dict[str, object] = {}
    recurrent = of.kind in RECURRENT
    masks = False
    if of.kind == "attention":
        options["select"] = "first"
    elif recurrent:
        # the loss does not use the last state, so that no gradient can enter by it
        lasts = 1 if delivery == "collect" else 0
        options["select"] = random.choices(["", "first", "last"], [6, 2, lasts])[0]
    else:
        selects = ["", "same", "half"] if delivery == "collect" else ["", "same"]
        chosen = random.choices(selects, [8, 1, 0.6][: len(selects)])[0]
        options |= {"select": chosen} if chosen else {}
        masks = not options and chance(random, 0.08)
    if masks:
        options["mask"] = random.choice(["rule", "around"])
        options["mask_axes"] = random.randint(1, len(case.leading))
    packed = recurrent and case.packed and options.get("select") != "last"
    timed = recurrent and options.get("select") != "last"
    if not timed and not masks and case.form == "sequence" and chance(random, 0.2):
        options["batch_axis"] = (0, 1)
    by_type = f":{of.kind}" in TYPES and not options and chance(random, 0.2)
    if by_type and not (of.kind == "linear" and any(p.kind == "attention" for p in case.parts)):
        where = f":{of.kind}"  # but the linear layer in an attention is never called as a module
    penalty = of_outputs(
        random,
        case,
        masked=masks or packed,
        time=_time_of(of, case, timed=timed, masked=masks),
        tokens="batch_axis" in options,
    )
    if hasattr(penalty, "strength") and chance(random, 0.08):
        options["warmup"] = random.randint(1, 3)
    options["optional"] = chance(random, 0.1)
    return RuleSpec("activity", penalty, where, copy=chance(random, 0.25), **options)


def _time_of(of: Part, case: Case, *, timed: bool, masked: bool) -> int | str | None:
    """Return the axis of time that a penalty must name; "known" to the module; None if none is."""
    if timed:
        return "known"
    if case.form != "sequence" or masked or of.kind in RECURRENT:
        return None
    return 0 if of.kind == "attention" and not case.batch_first else 1


def _of_weights(random: Random, case: Case, attached: bool) -> RuleSpec:
    kind = random.choices(["kernel", "bias"], [4, 1])[0]
    weighted = [part.name for part in case.parts if part.kind in WITH_WEIGHTS and not part.same_as]
    where = random.choice(weighted) if weighted and chance(random, 0.4) else ""
    proximal = attached and kind == "kernel" and chance(random, 0.2)
    penalty = of_weights(random, vectors=kind == "bias", proximal=proximal)
    warmup = 2 if hasattr(penalty, "strength") and chance(random, 0.08) else 0
    return RuleSpec(kind, penalty, where, proximal=proximal, warmup=warmup)
