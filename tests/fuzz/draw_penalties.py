"""Penalties drawn for outputs and for weights."""

from __future__ import annotations

from random import Random

import regularizers as rz
from fuzz.case import Case

_STRENGTHS = (0.1, 0.3, 0.7, 1.5)


def chance(random: Random, probability: float) -> bool:
    return random.random() < probability


def _strength(random: Random) -> float:
    return random.choice(_STRENGTHS)


def of_outputs(
    random: Random, case: Case, *, masked: bool, time: int | str | None, tokens: bool
) -> rz.Penalty:
    """Return a penalty of outputs.

    Args:
        masked: some elements do not count.
        time: the axis of time, "known" if the module says it, None if there is none.
        tokens: the first two axes are the batch.
    """
    if time is not None and not tokens and random.random() < 0.3:
        return _in_time(random, case, time, masked=masked)
    reduce = random.choice([None, None, "sum", "batch_mean", "mean"])
    penalty = _single(random, case, reduce, masked=masked, tokens=tokens)
    if random.random() < 0.1:
        return penalty + _single(random, case, reduce, masked=masked, tokens=tokens)
    if random.random() < 0.08 and len(_terms_of(penalty)) == 1:
        return rz.Budget(penalty, random.choice([0.0, 0.5, 2.0]))
    return penalty


def _terms_of(penalty: rz.Penalty) -> list[object]:
    return [1, 2] if isinstance(penalty, (rz.L1L2, rz.AR)) else [1]


def _single(
    random: Random, case: Case, reduce: str | None, *, masked: bool, tokens: bool
) -> rz.Penalty:
    s = _strength(random)
    kinds = {
        "L1": 6,
        "L2Squared": 3,
        "L1L2": 1,
        "Huber": 1,
        "Lp": 1.5,
        "Activity": 1,
        "AR": 0 if tokens else 0.7,
        "L2Norm": 0 if masked and reduce == "mean" else 1.5,
        "GroupLasso": 0 if masked and reduce == "mean" else 1,
        "KLSparsity": 0 if masked else 1.2,
        "LogSum": 1,
        "Hinge": 1,
        "Hoyer": 0 if masked and reduce == "mean" else 1,
    }
    match random.choices(list(kinds), list(kinds.values()))[0]:
        case "L1":
            return rz.L1(s, reduce=reduce)
        case "L2Squared":
            return rz.L2Squared(s, reduce=reduce)
        case "L1L2":
            return rz.L1L2(s, _strength(random), reduce=reduce)
        case "Huber":
            return rz.Huber(s, random.choice([0.2, 1.0]), reduce=reduce)
        case "Lp":
            powers = [0.5, 1.5, 2.0, 3.0] if case.dtype == "float64" else [1.5, 2.0]
            return rz.Lp(s, random.choice(powers), reduce=reduce)
        case "Activity":
            norms = (
                ["l1", "l2_squared"] if masked and reduce == "mean" else ["l1", "l2", "l2_squared"]
            )
            return rz.ActivityRegularization(s, random.choice(norms), reduce=reduce)
        case "AR":
            return rz.AR(s)
        case "L2Norm":
            return rz.L2Norm(s, reduce=reduce)
        case "LogSum":
            return rz.LogSum(s, random.choice([0.3, 1.0]), reduce=reduce)
        case "Hinge":
            return rz.Hinge(s, above=random.choice([0.0, 0.4]), reduce=reduce)
        case "Hoyer":
            return rz.Hoyer(s, reduce=reduce)
        case "GroupLasso":
            axis = 1 if case.form == "image" else -1
            return rz.GroupLasso(s, axis, reduce=reduce)
    return rz.KLSparsity(s, random.choice([0.1, 0.3]), epsilon=0.05, reduce=reduce)


def _in_time(random: Random, case: Case, time: int | str, *, masked: bool) -> rz.Penalty:
    known = [None, None, 1 if case.batch_first else 0]
    axis = random.choice(known) if time == "known" else time
    s = _strength(random)
    reduce = random.choice([None, "sum", "batch_mean", "mean"])
    kinds = [
        rz.TAR(s, axis),
        rz.TAR(s, axis),
        rz.Temporal(rz.L1(s, reduce=reduce), axis),
        rz.Temporal(rz.Huber(s, 0.4, reduce=reduce), axis),
        rz.Temporal(rz.L1L2(s, 0.3, reduce=reduce), axis),
    ]
    if not (masked and reduce == "mean"):
        kinds.append(rz.Temporal(rz.L2Norm(s, reduce=reduce), axis))
    return random.choice(kinds)


def of_weights(random: Random, *, vectors: bool, proximal: bool) -> rz.Penalty:
    """Return a penalty of weights, which may be vectors, and may have to have a proximal form."""
    s = _strength(random)
    kinds = [rz.L1(s), rz.L2Squared(s)]
    if proximal:
        return random.choice([*kinds, rz.GroupLasso(s, 0)])
    reduce = random.choice([None, None, "mean", "sum"])
    kinds += [
        rz.L1(s, reduce=reduce),
        rz.L2Squared(s, reduce=reduce),
        rz.L2Norm(s, reduce=reduce),
        rz.Huber(s, 0.2, reduce=reduce),
        rz.Lp(s, 1.5, reduce=reduce),
        rz.LogSum(s, 0.3, reduce=reduce),
        rz.Hinge(s, above=0.1, below=-0.1, reduce=reduce),
        rz.Hoyer(0.1 * s, reduce=reduce),
        rz.L1L2(s, 0.1, reduce=reduce),
        rz.L1(s) + rz.L2Squared(0.3),
        rz.Budget(rz.L1(s), 0.5),
        rz.ActivityRegularization(s, "l2", reduce=reduce),
    ]
    if not vectors:
        kinds += [
            rz.GroupLasso(s, random.choice([0, 1]), reduce=reduce),
            rz.GroupLasso(s, random.choice(["output", "input"]), reduce=reduce),
            rz.Orthogonal(s, random.choice(["output", "input"])),
            rz.Budget(rz.GroupLasso(s, "input"), 0.3),
            rz.TotalVariation(s, (0, 1), batch_axis=()),
            rz.TotalVariation(s, 1, reduce=reduce),
            rz.Orthogonal(s),
            rz.Orthogonal(s, 1),
            rz.Orthogonal(s, normalized=True),
            rz.Budget(rz.L2Squared(s, reduce="mean"), 0.05),
        ]
    return random.choice(kinds)
