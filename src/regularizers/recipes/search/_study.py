"""The trials: each is judged seed by seed on inner parts; the best is reported on the outer one."""

from __future__ import annotations

import math
import statistics
from collections.abc import Callable
from typing import Any

import optuna
from optuna.trial import FrozenTrial, TrialState

from regularizers.errors import ConfigurationError
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes.search._journal import finished, open_study, quiet
from regularizers.recipes.search._outcome import Outcome, Tried
from regularizers.recipes.search._plan import Plan, Values, named

JOURNAL, RESULTS = "search.journal", "search.json"
_RANDOM = 6
"""Trials that are drawn at random before others are drawn near the best."""
_UNPRUNED = 4
"""Trials that get all seeds, with which later ones are compared."""
_SCORES = "scores"


def searched(plan: Plan, folder: RunFolder) -> Outcome:
    """Run the trials and the networks that a folder lacks, and return what was found.

    Which strengths are tried depends on nothing but the plan's seed and the trials before, so that
    a search that was broken off ends as if it had not been.

    Raises:
        ConfigurationError: networks did not train.
        RunFolderError: the journal is damaged.
    """
    pruner = optuna.pruners.MedianPruner(n_startup_trials=_UNPRUNED, n_warmup_steps=0)
    study = open_study(folder.path / JOURNAL, higher=plan.higher, pruner=pruner)
    kept = _Kept(plan, folder)
    without = kept.scores("without", "inner", plan.without, plan.inner)
    while (count := len(finished(study))) < plan.trials:
        _try(study, plan, count)
    trials = tuple(map(_tried, finished(study)))
    best = _best(plan, trials)
    outcome = Outcome(
        trials=trials,
        without=without,
        best=best,
        is_better=_sign(plan) * best.mean > _sign(plan) * statistics.fmean(without),
        outer_without=kept.scores("without", "outer", plan.without, plan.outer),
        outer_best=kept.scores("found", "outer", best.values, plan.outer),
    )
    kept.write(outcome)
    return outcome


def _try(study: optuna.Study, plan: Plan, count: int) -> None:
    """Run one trial, the one after `count` others."""
    with quiet():
        # seeded by the trial's number, since a resumed search does not have the sampler's state
        study.sampler = optuna.samplers.TPESampler(
            seed=plan.seed * 100_003 + count, n_startup_trials=min(_RANDOM, plan.trials // 2 + 1)
        )
        if count == 0:
            study.enqueue_trial({s.name: s.usual for s in plan.strengths})
        trial = study.ask()
        # two digits, so that the command that is printed at the end says what was tried
        values = {
            s.name: float(f"{trial.suggest_float(s.name, s.low, s.high, log=s.log):.2g}")
            for s in plan.strengths
        }
        trial.set_user_attr("values", values)
    scores: list[float] = []
    pruned = False
    for step, seed in enumerate(plan.seeds):
        score = plan.inner(values, seed)
        if not math.isfinite(score):
            pruned = True
            break
        scores.append(score)
        with quiet():
            trial.set_user_attr(_SCORES, scores)
            trial.report(statistics.fmean(scores), step)
            pruned = step + 1 < len(plan.seeds) and trial.should_prune()
        if pruned:
            break
    with quiet():
        if pruned:
            study.tell(trial, state=TrialState.PRUNED)
        else:
            study.tell(trial, statistics.fmean(scores))
    print(_line(plan, count, values, scores), flush=True)


def _line(plan: Plan, count: int, values: Values, scores: list[float]) -> str:
    begin = f"trial {count + 1} of {plan.trials}, {named(values)}: "
    seeds = len(plan.seeds)
    if not scores:
        return f"{begin}did not train"
    ended = "" if len(scores) == seeds else f", ended after {len(scores)} of {seeds} seeds"
    return f"{begin}{plan.score} {statistics.fmean(scores):.2f}{ended}"


def _tried(trial: FrozenTrial) -> Tried:
    scores = tuple(trial.user_attrs.get(_SCORES, ()))
    return Tried(trial.user_attrs["values"], scores, trial.state == TrialState.COMPLETE)


def _best(plan: Plan, trials: tuple[Tried, ...]) -> Tried:
    whole = [trial for trial in trials if trial.whole]
    if not whole:
        raise ConfigurationError(
            f"search: expected strengths at which the network trains, got none in {len(trials)} "
            f"trials; try --trials {2 * len(trials)}, or a lower --learning-rate"
        )
    return max(whole, key=lambda trial: _sign(plan) * trial.mean)


def _sign(plan: Plan) -> int:
    return 1 if plan.higher else -1


class _Kept:
    """The scores in `search.json`, seed by seed, so that none is measured twice."""

    def __init__(self, plan: Plan, folder: RunFolder) -> None:
        self._plan = plan
        self._folder = folder
        self._content: dict[str, Any] = folder.read_json(RESULTS)

    def scores(
        self, name: str, part: str, values: Values, score: Callable[[Values, int], float]
    ) -> tuple[float, ...]:
        """Return the score of each seed; measure those that are missing."""
        kept = self._content.setdefault(name, {}).setdefault(part, {})
        for seed in self._plan.seeds:
            if str(seed) not in kept:
                kept[str(seed)] = score(values, seed)
                if not math.isfinite(kept[str(seed)]):
                    raise ConfigurationError(
                        f"learning-rate: expected one at which the network trains with "
                        f"{named(values)}, got scores that are not finite; lower it"
                    )
                self._folder.write_json(RESULTS, self._content)
        return tuple(kept[str(seed)] for seed in self._plan.seeds)

    def write(self, outcome: Outcome) -> None:
        """Write the strengths that were found, and all trials."""
        by_seed = dict(zip(map(str, self._plan.seeds), outcome.best.scores, strict=True))
        self._content["found"] |= {"strengths": outcome.best.values, "inner": by_seed}
        self._content["trials"] = [
            {"strengths": trial.values, "scores": trial.scores, "whole": trial.whole}
            for trial in outcome.trials
        ]
        self._folder.write_json(RESULTS, self._content)
