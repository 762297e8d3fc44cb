"""The targets of one site: what they measure of its output, and of the gradients there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from regularizers.attach.reading._gauge import Gauge
from regularizers.attach.reading._plan import Plan
from regularizers.attach.reading._target_measurements import (
    CHANNELS_SECOND,
    Amount,
    amount_of,
    batch_of,
    counted_of,
    is_ambiguous,
    is_statistic,
    measure_loss_gradient,
    measured_part,
    total_measured,
    warn_of_assumed_samples,
)
from regularizers.attach.sites import ActivitySite
from regularizers.control import Target
from regularizers.errors import ConfigurationError, RegimeError
from regularizers.modules import Activation, Totals, describe, is_transformed
from regularizers.penalties import Difference, Formula


class SiteTargets:
    """The penalties with a target at one site, and their gauges.

    Args:
        site: the site.
        terms: its penalties by key.
        gauges: the gauges of all targets that measure an output, by key.
    """

    def __init__(
        self,
        site: ActivitySite,
        terms: Sequence[tuple[str, Formula]],
        gauges: Mapping[str, Gauge],
    ) -> None:
        self._site = site.name
        self.gauges = {key: gauges[key] for key, _ in terms if key in gauges}
        self._each = tuple(dict.fromkeys(self.gauges.values()))
        self._handles = tuple([gauge.handle for gauge in self._each])
        self._targets = {
            key: term.strength for key, term in terms if isinstance(term.strength, Target)
        }
        self._window = getattr(site.module, "pseudo_gradient_window", None)
        self._warned_of_samples = isinstance(site.module, CHANNELS_SECOND)

    def __bool__(self) -> bool:
        return bool(self.gauges)

    @property
    def are_due(self) -> bool:
        """Whether the gradients of this forward are measured; always where code is compiled.

        The compiled program decides at run time: a second program would be compiled otherwise.
        """
        if torch.compiler.is_compiling():
            return bool(self._each)
        return any(gauge.is_due for gauge in self._each)

    def handle_of(self, key: str) -> int | None:
        """Return the handle of the gauge that measures the gradient of a penalty in this step."""
        return self.gauges[key].handle if key in self.gauges and self.are_due else None

    def planned(self, plan: Plan, activation: Activation, term: Formula) -> Plan:
        """Return a plan with what its target measures; warn once of axes that were assumed.

        Raises:
            ConfigurationError: the target cannot be reached with so few units.
        """
        if plan.key not in self.gauges:
            return plan
        if not self._warned_of_samples and is_ambiguous(activation, term):
            # changing an attribute would make the compiler compile again
            self._warned_of_samples = not torch.compiler.is_compiling()
            warn_of_assumed_samples(self._site, repr(term.strength))
        part = measured_part(activation, term)
        whole = not isinstance(term, Difference)
        target, batch = self._targets[plan.key], batch_of(part, term, self._site)
        total = total_measured(target) if whole else None
        same = whole and is_statistic(term, plan.request.whole, target, batch)
        return plan._replace(batch=batch, total=total, measures_statistic=same)

    def amount(
        self,
        activation: Activation,
        plan: Plan,
        totals: Totals | None = None,
        statistic: Tensor | None = None,
    ) -> Amount | None:
        """Return what the target of a penalty measures of an output; None if it has none.

        Args:
            activation: the output.
            plan: the plan of the penalty.
            totals: the known totals of all of the output.
            statistic: the statistic of the penalty, if it is of all of the output.
        """
        if plan.batch is None:
            return None
        term, batch = plan.request.term, plan.batch
        if statistic is not None and plan.measures_statistic:
            return statistic.detach(), batch.samples
        part = measured_part(activation, term)
        if part.mask is not None:
            batch = batch_of(part, term, self._site, part.mask)
        known = totals if plan.total is not None else None
        return amount_of(part.x, self._targets[plan.key], batch, self._site, known)

    def window(self, x: Tensor, inputs: tuple[Any, ...]) -> Tensor | None:
        """Return where the module's pseudo-gradient is not 0, if it states a window.

        Raises:
            ConfigurationError: the window has not the shape of the output.
        """
        if self._window is None or not self.are_due:
            return None
        window = self._window(*inputs)
        if not isinstance(window, Tensor) or window.shape != x.shape:
            raise ConfigurationError(
                f"{self._site}: pseudo_gradient_window: expected a boolean tensor of the shape of "
                f"the output, {tuple(x.shape)}, got {describe(window)}"
            )
        return window.detach().to(torch.int8)

    def gauged(
        self, entry: Tensor, x: Tensor, activation: Activation | None, window: Tensor | None
    ) -> Tensor:
        """Return a tensor equal to `entry`, whose gradient the gauges measure.

        Args:
            entry: the part of the output at which the gradient is measured.
            x: the values there; 0 does not count.
            activation: the output, if it may have a mask.
            window: where the gradients are compared; None for everywhere.

        Raises:
            RegimeError: a transform of `torch.func` hides the gradients.
        """
        if not torch.compiler.is_compiling() and is_transformed():
            raise RegimeError(
                f"{self._site}: a transform of torch.func hides the gradients from which a target "
                f"sets the strength; within it give the penalty a number as its strength"
            )
        counted = counted_of(x, activation, window)
        return measure_loss_gradient(entry, counted, self._handles)
