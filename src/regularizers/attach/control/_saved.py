"""The state of a strength with a target, as plain numbers."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from regularizers.attach.control._goal import Goal
from regularizers.control import Average, Block, Diagnosis
from regularizers.penalties.strength import check_strength

_GAUGE = ("sums", "readings", "since", "due")


class SavedGoal(NamedTuple):
    """The saved state of a target, in the parts that go on from it."""

    controller: Mapping[str, Any]
    gauge: Mapping[str, Any]
    diagnosis: Diagnosis


def saved_goal(goal: Goal, controller: Mapping[str, Any]) -> dict[str, Any]:
    """Return the state of a target: of its law, of its diagnosis and of its gauge."""
    return {**controller, "diagnosis": dataclasses.asdict(goal.diagnosis), **goal.gauge.saved()}


def read_saved(saved: Mapping[str, Any], names: Iterable[str]) -> SavedGoal:
    """Return what `saved_goal` returned, checked; a state of version 0.1 has fewer entries.

    Args:
        saved: the state of one target.
        names: the names of the state of its law.

    Raises:
        KeyError, TypeError, ValueError: it is none.
    """
    sums = [float(each) for each in saved["sums"]]
    if len(sums) != 4:
        raise ValueError(f"sums: {sums}")
    law = {name: float(number) for name, number in saved["law"].items()}
    if law.keys() != set(names):
        raise ValueError(f"law: {list(law)}, and not {list(names)}")
    strength = check_strength(saved["strength"], "strength")
    ends = [float(end) for end in saved.get("ends", (0.0, 0.0))]
    controller = {"law": law, "strength": strength, "scale": _scale_of(saved, law), "ends": ends}
    gauge = {name: saved[name] for name in _GAUGE if name in saved}
    return SavedGoal(controller, gauge, _diagnosis_of(saved["diagnosis"]))


def _scale_of(saved: Mapping[str, Any], law: Mapping[str, float]) -> float:
    """Return the last scale; of version 0.1, which saved none, the average that the law has."""
    if "scale" in saved:
        return float(saved["scale"])
    weight = law.get("scale_weight", 0.0)
    return law["scale_total"] / weight if weight else float("nan")


def _diagnosis_of(state: Mapping[str, Any]) -> Diagnosis:
    """Return the diagnosis whose `dataclasses.asdict` is `state`.

    What version 0.1 kept of a wait at an end is left out: the wait begins again.
    """
    known = {field.name for field in dataclasses.fields(Diagnosis)}
    fields: dict[str, Any] = {name: value for name, value in state.items() if name in known}
    for name in ("measured", "together", "square"):
        fields[name] = Average(**state[name])
    if "blocks" in fields:
        fields["block"] = Block(**fields["block"])
        fields["blocks"] = [Block(**block) for block in fields["blocks"]]
        fields["met"] = fields["met"] and Block(**fields["met"])
    return Diagnosis(**fields)
