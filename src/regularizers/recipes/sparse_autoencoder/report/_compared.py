"""Advice on the networks that are trained for comparison."""

from __future__ import annotations

from regularizers.recipes.sparse_autoencoder._config import TITLES, Config
from regularizers.recipes.sparse_autoencoder._judgement import MISSED, collapsed, is_met
from regularizers.recipes.sparse_autoencoder._metrics import Metrics
from regularizers.recipes.sparse_autoencoder._result import Result
from regularizers.recipes.sparse_autoencoder.report._finding import Advice, more, relative

_SATURATED = (0.1, 0.5)
_LEVEL = 0.01
"""Explained variances that are nearer are level."""
_AS_MANY = 0.1
"""Relative difference of active units up to which explained variances compare."""


def l1_advice(result: Result) -> list[Advice]:
    """Compare the explained variance with that of L1, if as many units are active."""
    config = result.config
    if "l1" not in result.trained or config.architecture == "l1":
        return []
    first, l1, name = result.first.metrics, result.metrics["l1"], TITLES[config.architecture]
    if collapsed(l1, config):
        finding = (
            f"The training of L1 collapsed: {l1.active_units:.1f} of its units are active, and "
            f"explain {l1.explained_variance:z.1%}. It says nothing about {name}."
        )
        return [Advice("note", finding)]
    if abs(first.active_units / l1.active_units - 1) > _AS_MANY:
        missed = "" if is_met(l1, config) else f", where it was to leave {config.active:g}"
        finding = (
            f"{name} and L1 do not compare: with L1 {l1.active_units:.1f} units are active{missed}"
            f", with {name} {first.active_units:.1f}."
        )
        return [Advice("note", finding)]
    gain = first.explained_variance - l1.explained_variance
    than = "as much as" if abs(gain) < _LEVEL else f"{_points(gain)} {more(gain)} than"
    finding = (
        f"{name} explains {than} L1 with {l1.active_units:.1f} active units, whose magnitudes were "
        f"fitted again after the training."
    )
    return [Advice("fine" if gain > -_LEVEL else "note", finding)]


def sigmoid_advice(kl: Metrics, config: Config) -> list[Advice]:
    """Say whether the sigmoid is flat where it is used, and whether its mean is held."""
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
    if collapsed(kl, config):
        finding = "With KL the mean sample is as good a reconstruction as what it makes of each."
        found.append(Advice("note", finding, "Give it more --steps, or lower --kl."))
    off = kl.mean_activation / config.mean_activation - 1
    if abs(off) > MISSED:
        finding = (
            f"KL was to bring the mean activation to {config.mean_activation:.3g}. It is "
            f"{kl.mean_activation:.3g}, {relative(off)}."
        )
        found.append(Advice("note", finding, f"Raise --kl above {config.kl:g} to hold it closer."))
    return found


def _points(difference: float) -> str:
    return f"{100 * abs(difference):.1f} points"
