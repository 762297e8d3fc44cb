"""The findings of a run, and advice on each."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from regularizers.recipes.sparse_autoencoder._config import Config
from regularizers.recipes.sparse_autoencoder._history import History
from regularizers.recipes.sparse_autoencoder._metrics import MISSED, Metrics
from regularizers.recipes.sparse_autoencoder._result import Result

Level = Literal["fine", "note", "mend"]

_MANY_DEAD = 0.1
_SATURATED = (0.1, 0.5)
_COPIED = 0.98


@dataclass(frozen=True)
class Advice:
    """A finding, and its cure if it needs one."""

    level: Level
    finding: str
    cure: str = ""


def advice_for(result: Result) -> list[Advice]:
    """Return the findings, most urgent first."""
    config, trained = result.config, result.trained
    l1, kl = trained["L1"], trained["KL"]
    findings = [
        *_target_advice(l1.metrics, l1.history, config),
        _dead_units_advice(l1.metrics, config),
        _revival_advice(l1.metrics, l1.history, config),
        *_sigmoid_advice(kl.metrics, config),
        *_copying_advice(trained["none"].metrics, config),
    ]
    urgency = ("mend", "note", "fine")
    return sorted(findings, key=lambda advice: urgency.index(advice.level))


def _target_advice(l1: Metrics, history: History, config: Config) -> list[Advice]:
    wanted = config.wanted_active
    if wanted is None:
        return [
            Advice(
                "note",
                f"The strength of L1 was given: {l1.strength:g} leaves {l1.active_units:.1f} units "
                f"active.",
                "To say how many instead, and have the strength found, give --active in place of "
                "--l1.",
            )
        ]
    unseen, seen = l1.active_units / wanted - 1, l1.active_in_training / wanted - 1
    level: Level = "note" if abs(seen) <= MISSED else "mend"
    found = [
        Advice(level, f"While the strength of L1 was sought: {_without_site(s)}.")
        for s in history.said
    ]
    if abs(unseen) <= MISSED:
        finding = (
            f"L1 was to leave {wanted:g} units active. On unseen samples {l1.active_units:.1f} are."
        )
        return [*found, Advice("fine", finding)]
    finding = (
        f"L1 was to leave {wanted:g} units active. On unseen samples {l1.active_units:.1f} are, "
        f"{_relative(unseen)}; on training samples {l1.active_in_training:.1f}."
    )
    if abs(seen) <= MISSED:
        cure = (
            "The strength is right, but the network knows its training samples too well: take "
            "more samples, or fewer --units."
        )
    elif history.said:
        cure = ""
    else:
        cure = "The training ended before the strength had settled: give it more --epochs."
    return [Advice("mend", finding, cure), *found]


def _dead_units_advice(l1: Metrics, config: Config) -> Advice:
    share = l1.dead_units / config.units
    if l1.dead_units == 0:
        return Advice(
            "fine", f"With L1 each of the {config.units} units is active on some unseen sample."
        )
    some = f"{l1.dead_units} of {config.units} units"
    finding = (
        f"With L1 {some} {'is' if l1.dead_units == 1 else 'are'} dead: active on no unseen sample."
    )
    if share < _MANY_DEAD:
        return Advice("note", finding, "So few do no harm: a rare feature may not occur in them.")
    if config.revive == "none":
        return Advice("mend", finding, "Let them be given a new start: --revive resample.")
    return Advice(
        "mend",
        finding,
        f"The data need no more: --units {config.units - l1.dead_units} would do as well. If not, "
        f"train longer, with more --epochs.",
    )


def _revival_advice(l1: Metrics, history: History, config: Config) -> Advice:
    if config.revive == "none":
        return Advice("note", "Units that fell silent were left alone, as --revive none says.")
    if l1.revived:
        how = {
            "resample": "after a new start at a badly reconstructed sample",
            "auxiliary": "by the auxiliary loss",
        }[config.revive]
        return Advice(
            "fine", f"Units that had fallen silent came back {_times(l1.revived)}, {how}."
        )
    if max(history.dead, default=0) == 0:
        finding = "No unit fell silent for 1000 training samples, so that none had to be revived."
        return Advice("fine", finding)
    return Advice(
        "mend",
        f"Up to {max(history.dead)} units were silent for 1000 training samples; none came back.",
        "Train longer, with more --epochs, or ask for more active units.",
    )


def _sigmoid_advice(kl: Metrics, config: Config) -> list[Advice]:
    some, most = _SATURATED
    finding = (
        f"{kl.saturated:.1%} of the sigmoid's activations lie where it is flat, with less than a "
        f"tenth of its slope."
    )
    found = [Advice("fine", finding)]
    if kl.saturated > some:
        cure = f"There they learn slowly: lower --kl, or raise --target above {config.target:g}."
        found = [Advice("mend" if kl.saturated > most else "note", finding, cure)]
    off = kl.mean_activation / config.target - 1
    if abs(off) > MISSED:
        finding = (
            f"KL was to bring the mean activation to {config.target:g}. It is "
            f"{kl.mean_activation:.3g}, {_relative(off)}."
        )
        found.append(Advice("note", finding, f"Raise --kl above {config.kl:g} to hold it closer."))
    return found


def _copying_advice(none: Metrics, config: Config) -> list[Advice]:
    if none.explained_variance < _COPIED or none.active_units < config.units / 2:
        return []
    finding = (
        f"Without a penalty the network copies its input: {none.active_units:.1f} of "
        f"{config.units} units are active on a sample."
    )
    cure = "Look at its features beside those with L1: they are what a penalty is for."
    return [Advice("note", finding, cure)]


def _relative(share: float) -> str:
    return f"{abs(share):.0%} {'more' if share > 0 else 'less'}"


def _times(count: int) -> str:
    return {1: "once", 2: "twice"}.get(count, f"{count} times")


def _without_site(warning: str) -> str:
    """Return a warning without the name of its site."""
    return warning.partition(": ")[2].rstrip(".") or warning.rstrip(".")
