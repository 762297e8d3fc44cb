"""The findings of a run, and advice on each."""

from __future__ import annotations

from regularizers.recipes.sparse_autoencoder._config import TITLES, Config
from regularizers.recipes.sparse_autoencoder._judgement import (
    MISSED,
    collapsed,
    dead,
    is_met,
    needed,
    outlier_of,
)
from regularizers.recipes.sparse_autoencoder._metrics import Metrics
from regularizers.recipes.sparse_autoencoder._result import Result, Trained
from regularizers.recipes.sparse_autoencoder._table import number_of_units
from regularizers.recipes.sparse_autoencoder.report._compared import l1_advice, sigmoid_advice
from regularizers.recipes.sparse_autoencoder.report._finding import Advice, Level, relative

_MANY_DEAD = 0.1
_WELL_EXPLAINED = 0.5
"""The explained variance from which on fewer units may do as well."""
_KEPT = 0.9
"""The share of a classifier's loss that good reconstructions keep."""
_UNIT = 1e-3
"""How far the norm of a direction may be from 1."""


def advice_for(result: Result) -> list[Advice]:
    """Return the findings, most urgent first."""
    config, first = result.config, result.first.metrics
    units = _collapse_advice if collapsed(first, config) else _dead_units_advice
    findings = [
        units(first, config),
        *_target_advice(result.first, config),
        *_outlier_advice(first),
        *_notes_advice(result),
        *_norm_advice(first),
        *_recovered_advice(first),
        *l1_advice(result),
    ]
    if "kl" in result.trained:
        findings += sigmoid_advice(result.metrics["kl"], config)
    urgency = ("mend", "note", "fine")
    return sorted(findings, key=lambda advice: urgency.index(advice.level))


def _target_advice(first: Trained, config: Config) -> list[Advice]:
    found, wanted, name = first.metrics, config.active, TITLES[config.architecture]
    unseen, met = found.active_units / wanted - 1, is_met(found, config)
    level: Level = "note" if met else "mend"
    end = " In the end the target was met all the same." if met else ""
    said = [
        Advice(level, f"While the strength of {name} was sought: {_without_site(one)}.{end}")
        for one in first.warnings
    ]
    finding = f"{name} was to leave {number_of_units(wanted)} active. On unseen samples "
    if met and abs(unseen) <= MISSED:
        return [*said, Advice("fine", f"{finding}{found.active_units:.1f} are.")]
    finding += (
        f"{found.active_units:.1f} are, {relative(unseen)}; on training samples "
        f"{found.active_in_training:.1f}."
    )
    if met:
        cure = (
            "The strength is right, and the network knows its training samples better than "
            "others: take more samples, or fewer --steps or --units."
        )
        return [*said, Advice("note", finding, cure)]
    cure = "The training ended before the number had settled: give it more --steps."
    if said or collapsed(found, config):
        cure = ""
    return [Advice("mend", finding, cure), *said]


def _collapse_advice(found: Metrics, config: Config) -> Advice:
    name, count = TITLES[config.architecture], dead(found, config)
    left = f"{count} of {config.units} units are dead" if count else "few units are active"
    if found.active_units == 0:
        left = "no unit is active"
    explained = f"{found.explained_variance:z.1%} of the variance is explained"
    if found.explained_variance <= 0:
        explained = "the mean sample is as good a reconstruction"
    finding = f"The training of {name} collapsed: {left}, and {explained}."
    revive = "" if config.revive else " and let units start anew by --revive,"
    cure = f"Fewer units would not mend it. Lower --learning-rate,{revive} or give it more --steps."
    return Advice("mend", finding + _anew(found), cure)


def _dead_units_advice(found: Metrics, config: Config) -> Advice:
    name, anew = TITLES[config.architecture], _anew(found)
    if found.dead_units == 0:
        finding = f"Each of the {config.units} units is active on some unseen sample."
        return Advice("fine", finding + anew)
    some = f"{found.dead_units} of {config.units} units"
    be = "is" if found.dead_units == 1 else "are"
    if not dead(found, config):
        finding = f"With {name} {some} {be} active on no unseen sample.{anew}"
        cure = (
            f"{found.unseen_samples} samples are too few to call them dead: a unit that is active "
            f"a tenth as often as the mean one would need {needed(config)}."
        )
        return Advice("note", finding, cure)
    finding = f"With {name} {some} {be} dead: active on no unseen sample.{anew}"
    if found.dead_units < _MANY_DEAD * config.units:
        return Advice("note", finding, "So few do no harm: a rare feature may not occur in them.")
    if not config.revive:
        return Advice("mend", finding, "Let them be given a new start: --revive.")
    fewer = config.units - found.dead_units
    if is_met(found, config) and found.explained_variance >= _WELL_EXPLAINED:
        cure = (
            f"If the data need no more, --units {fewer} would do as well. If they do, train "
            f"longer, with more --steps."
        )
        return Advice("mend", finding, cure)
    cure = "How many the data need, this run does not say: train longer first, with more --steps."
    return Advice("mend", finding, cure)


def _outlier_advice(found: Metrics) -> list[Advice]:
    if not (finding := outlier_of(found)):
        return []
    return [Advice("mend", finding, "Look at it, and drop it if it is a mistake.")]


def _notes_advice(result: Result) -> list[Advice]:
    """Return what was said of the data when they were read."""
    return [Advice("note", f"{one[0].upper()}{one[1:].rstrip('.')}.") for one in result.data.notes]


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
        f"A linear classifier that reads reconstructions keeps {found.loss_recovered:z.1%} of what "
        f"samples are worth to it."
    )
    return [Advice("fine" if found.loss_recovered > _KEPT else "note", finding)]


def _anew(found: Metrics) -> str:
    return f" Units were started anew {_times(found.revived)}." if found.revived else ""


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _without_site(warning: str) -> str:
    """Return a warning without the name of its site."""
    return warning.partition(": ")[2].rstrip(".") or warning.rstrip(".")
