"""What targets measure of the weights of an optimizer: zeros, and the gradients that hold them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import NamedTuple

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor

from regularizers.attach.reading import Gauge, xp
from regularizers.attach.sites import Entry, Strengths, WeightSite
from regularizers.attach.step._weight_gradients import constant_factor, gradient_at, weight_gradient
from regularizers.control import Batch, Target
from regularizers.errors import RegimeError
from regularizers.penalties.arrays import Frame


class MeasuredWeight(NamedTuple):
    """A weight with a target, and the gauge of its strength."""

    site: WeightSite
    entry: Entry
    weight: Tensor
    gauge: Gauge
    strengths: Strengths

    def compare_gradients(self, scale: Tensor | None) -> None:
        """Measure the gradient of the loss, before a penalty is added, and that of the penalty.

        Args:
            scale: the factor of `.grad`, if a scaler has not taken it out yet.
        """
        weight, gradient = self.weight.detach(), self.weight.grad
        if gradient is None or not self.gauge.is_due:
            return
        unit = dataclasses.replace(self.entry.term, strength=1.0)
        mask = self.site.parameter.mask
        read = weight if mask is None else mask() * weight
        slope = gradient_at(weight_gradient(unit, self.entry.view), read, self.entry.reference)
        slope = slope if mask is None else slope * mask()
        # a first strength is tiny; half precision would round it to 0
        slope = slope.to(torch.promote_types(slope.dtype, torch.float32))
        factor = constant_factor(weight, unit) * self.strengths.value(self.entry.key)
        slope = slope * torch.as_tensor(factor).to(slope)
        if scale is not None:
            slope = slope * scale.to(slope)
        self.gauge.add_gradient(gradient.detach(), None, "loss")
        self.gauge.add_gradient(slope, None, "penalty")

    def measure(self) -> None:
        """Measure the weight after the update, unless there was none."""
        if self.weight.grad is None:
            return
        target = self.entry.term.strength
        assert isinstance(target, Target)
        weight = self.site.parameter.read().detach()
        frame = Frame(xp, weight.shape, torch.promote_types(weight.dtype, torch.float32), "sum")
        self.gauge.add_amount(*target.measure(weight, Batch(frame)))


def measured_weights(
    held: Iterable[tuple[WeightSite, Tensor]], gauges: Mapping[str, Gauge], strengths: Strengths
) -> list[MeasuredWeight]:
    """Return the weights whose penalties have a target.

    Raises:
        RegimeError: such a weight is sharded.
    """
    found = [
        MeasuredWeight(site, entry, weight, gauges[entry.key], strengths)
        for site, weight in held
        for entry in site.entries
        if entry.key in gauges
    ]
    for each in found:
        if isinstance(each.weight, DTensor):
            raise RegimeError(
                f"{each.entry.key}: {each.entry.term.strength!r} counts the zeros of a whole "
                f"weight, and this one is sharded; give the rule a number"
            )
    return found
