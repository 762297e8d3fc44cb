"""The trials: each is judged seed by seed on inner parts; the best is reported on the outer one."""

from __future__ import annotations

import math
import statistics

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
    without = _without(plan, folder)
    while (count := len(finished(study))) < plan.trials:
        _try(study, plan, count)
    trials = tuple(map(_tried, finished(study)))
    best = _best(plan, trials)
    outcome = Outcome(
        trials=trials,
        without=without,
        best=best,
        is_better=_sign(plan) * best.mean > _sign(plan) * statistics.fmean(without),
        outer_without=tuple(plan.outer(plan.without, seed) for seed in plan.seeds),
        outer_best=tuple(plan.outer(best.values, seed) for seed in plan.seeds),
    )
    _write(plan, folder, outcome)
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
    return f"{begin}{plan.score} {statistics.fmean(scores):.2f}{plan.unit}{ended}"


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


def _without(plan: Plan, folder: RunFolder) -> tuple[float, ...]:
    """Return the inner scores without the penalties; those in the folder are not measured again."""
    content = folder.read_json(RESULTS)
    kept = content.setdefault("without", {}).setdefault("inner", {})
    for seed in plan.seeds:
        if str(seed) in kept:
            continue
        score = plan.inner(plan.without, seed)
        if not math.isfinite(score):
            raise ConfigurationError(
                f"learning-rate: expected one at which the network trains with "
                f"{named(plan.without)}, got a score of {score} from seed {seed}; lower it"
            )
        kept[str(seed)] = score
        folder.write_json(RESULTS, content)
    return tuple(kept[str(seed)] for seed in plan.seeds)


def _write(plan: Plan, folder: RunFolder, outcome: Outcome) -> None:
    """Write all scores, by seed."""

    def by_seed(scores: tuple[float, ...]) -> dict[str, float]:
        return dict(zip(map(str, plan.seeds), scores, strict=True))

    content = {
        "without": {
            "inner": by_seed(outcome.without),
            "outer": by_seed(outcome.outer_without),
        },
        "found": {
            "strengths": outcome.best.values,
            "inner": by_seed(outcome.best.scores),
            "outer": by_seed(outcome.outer_best),
        },
        "trials": [
            {"strengths": trial.values, "scores": trial.scores, "whole": trial.whole}
            for trial in outcome.trials
        ],
    }
    folder.write_json(RESULTS, content)
