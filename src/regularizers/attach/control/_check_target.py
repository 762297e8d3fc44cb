"""Checks before the first forward that a site can reach its target."""

from __future__ import annotations

from torch import nn

from regularizers.attach.sites import ActivitySite
from regularizers.control import Target, TargetActive, TargetMean
from regularizers.errors import ConfigurationError
from regularizers.penalties import Formula, KLSparsity
from regularizers.penalties.strength import Schedule

_NEVER_ZERO = (nn.Sigmoid, nn.Softplus, nn.Softmax)
_BELOW_ONE = (nn.Sigmoid, nn.Tanh, nn.Softmax)


def check_reachable(site: ActivitySite, term: Formula, target: Target) -> None:
    """Raise a `ConfigurationError` if no strength of `term` can reach its target at `site`."""
    module = type(site.module).__name__
    counts_zeros = isinstance(target, TargetActive) and target.threshold == 0
    if counts_zeros and isinstance(site.module, _NEVER_ZERO):
        raise ConfigurationError(
            f"{site.name}: {target!r} counts elements that are not exactly 0, and the output of a "
            f"{module} never is; use a ReLU, TargetActive(..., threshold=0.1), or TargetMean"
        )
    if not isinstance(target, TargetMean):
        return
    mean = target.mean.at(0) if isinstance(target.mean, Schedule) else target.mean
    assert isinstance(mean, float)
    if mean >= 1 and isinstance(site.module, _BELOW_ONE):
        raise ConfigurationError(
            f"{site.name}: {target!r}: the mean output of a {module} is below 1; lower the target"
        )
    if isinstance(term, KLSparsity) and mean <= term.target:
        raise ConfigurationError(
            f"{site.name}: KLSparsity pulls means to its own target, {term.target:g}, and reaches "
            f"it only as its strength grows without bound; expected a TargetMean above it, got "
            f"{mean:g}; or use L1(TargetMean({mean:g}))"
        )
