"""The findings of a run, and advice on each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from regularizers.recipes.sparse_autoencoder._config import TITLES, Config
from regularizers.recipes.sparse_autoencoder._metrics import MISSED, Metrics
from regularizers.recipes.sparse_autoencoder._result import Result, Trained

Level = Literal["fine", "note", "mend"]

_MANY_DEAD = 0.1
_SATURATED = (0.1, 0.5)
_KEPT = 0.9
"""The share of a classifier's loss that good reconstructions keep."""
_LEVEL = 0.01
"""Explained variances that are nearer are level."""
_UNIT = 1e-3
"""How far the norm of a direction may be from 1."""


@dataclass(frozen=True)
class Advice:
    """A finding, and its cure if it needs one."""

    level: Level
    finding: str
    cure: str = ""


def advice_for(result: Result) -> list[Advice]:
    """Return the findings, most urgent first."""
    config = result.config
    findings = [
        *_target_advice(result.first, config),
        _dead_units_advice(result.first.metrics, config),
        *_norm_advice(result.first.metrics),
        *_recovered_advice(result.first.metrics),
        *_l1_advice(result),
    ]
    if "kl" in result.trained:
        findings += _sigmoid_advice(result.metrics["kl"], config)
    urgency = ("mend", "note", "fine")
    return sorted(findings, key=lambda advice: urgency.index(advice.level))


def _target_advice(first: Trained, config: Config) -> list[Advice]:
    found, wanted, name = first.metrics, config.active, TITLES[config.architecture]
    unseen, seen = found.active_units / wanted - 1, found.active_in_training / wanted - 1
    level: Level = "note" if abs(seen) <= MISSED else "mend"
    said = [
        Advice(level, f"While the strength of {name} was sought: {_without_site(one)}.")
        for one in first.warnings
    ]
    finding = f"{name} was to leave {wanted:g} units active. On unseen samples "
    if abs(unseen) <= MISSED:
        return [*said, Advice("fine", f"{finding}{found.active_units:.1f} are.")]
    finding += (
        f"{found.active_units:.1f} are, {_relative(unseen)}; on training samples "
        f"{found.active_in_training:.1f}."
    )
    if abs(seen) <= MISSED:
        cure = (
            "The strength is right, and the network knows its training samples better than "
            "others: take more samples, or fewer --steps or --units."
        )
        return [*said, Advice("note", finding, cure)]
    cure = "" if said else "The training ended before the number had settled: give it more --steps."
    return [Advice("mend", finding, cure), *said]


def _dead_units_advice(found: Metrics, config: Config) -> Advice:
    share, name = found.dead_units / config.units, TITLES[config.architecture]
    anew = f" Units were started anew {_times(found.revived)}." if found.revived else ""
    if found.dead_units == 0:
        finding = f"Each of the {config.units} units is active on some unseen sample."
        return Advice("fine", finding + anew)
    some = f"{found.dead_units} of {config.units} units"
    be = "is" if found.dead_units == 1 else "are"
    finding = f"With {name} {some} {be} dead: active on no unseen sample.{anew}"
    if share < _MANY_DEAD:
        return Advice("note", finding, "So few do no harm: a rare feature may not occur in them.")
    if not config.revive:
        return Advice("mend", finding, "Let them be given a new start: --revive.")
    return Advice(
        "mend",
        finding,
        f"The data need no more: --units {config.units - found.dead_units} would do as well. If "
        f"not, train longer, with more --steps.",
    )


def _norm_advice(found: Metrics) -> list[Advice]:
    if abs(found.longest_column - 1) <= _UNIT:
        finding = "Every direction of the dictionary has norm 1, so that no penalty is evaded."
        return [Advice("fine", finding)]
    return [
        Advice(
            "mend",
            f"A direction of the dictionary has norm {found.longest_column:.3g}, where 1 is held.",
            "Penalties are evaded by long directions: report this run.",
        )
    ]


def _recovered_advice(found: Metrics) -> list[Advice]:
    if found.loss_recovered is None:
        return []
    finding = (
        f"A linear classifier that reads reconstructions keeps {found.loss_recovered:.1%} of what "
        f"samples are worth to it."
    )
    return [Advice("fine" if found.loss_recovered > _KEPT else "note", finding)]


def _l1_advice(result: Result) -> list[Advice]:
    """Compare the explained variance with that of L1 at the same number of active units."""
    if "l1" not in result.trained or result.config.architecture == "l1":
        return []
    first, l1 = result.first.metrics, result.metrics["l1"]
    more = first.explained_variance - l1.explained_variance
    than = "as much as" if abs(more) < _LEVEL else f"{abs(more):.1%} {_more(more)} than"
    name = TITLES[result.config.architecture]
    finding = (
        f"{name} explains {than} L1 with {l1.active_units:.1f} active units, whose magnitudes were "
        f"fitted again after the training."
    )
    return [Advice("fine" if more > -_LEVEL else "note", finding)]


def _sigmoid_advice(kl: Metrics, config: Config) -> list[Advice]:
    some, most = _SATURATED
    finding = (
        f"{kl.saturated:.1%} of the sigmoid's activations lie where it is flat, with less than a "
        f"tenth of its slope."
    )
    found = [Advice("fine", finding)]
    if kl.saturated > some:
        cure = (
            f"There they learn slowly: lower --kl, or raise --target above "
            f"{config.mean_activation:.3g}."
        )
        found = [Advice("mend" if kl.saturated > most else "note", finding, cure)]
    off = kl.mean_activation / config.mean_activation - 1
    if abs(off) > MISSED:
        finding = (
            f"KL was to bring the mean activation to {config.mean_activation:.3g}. It is "
            f"{kl.mean_activation:.3g}, {_relative(off)}."
        )
        found.append(Advice("note", finding, f"Raise --kl above {config.kl:g} to hold it closer."))
    return found


def _more(difference: float) -> str:
    return "more" if difference > 0 else "less"


def _relative(share: float) -> str:
    return f"{abs(share):.0%} {_more(share)}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _without_site(warning: str) -> str:
    """Return a warning without the name of its site."""
    return warning.partition(": ")[2].rstrip(".") or warning.rstrip(".")
