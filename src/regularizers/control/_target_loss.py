"""A target of the loss of the task."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

from regularizers.control._batch import Batch
from regularizers.control._law import Law
from regularizers.control._proportional_integral import ProportionalIntegral
from regularizers.control._target import Target, check_wanted
from regularizers.penalties.arrays import Array
from regularizers.penalties.strength import Schedule, StrengthLike

_LEAST = 0.02
LAW = ProportionalIntegral(proportional=1.0, integral=0.07, least=1e-3)
"""The default law. A loss answers later than a count: with the usual gains it swings under Adam."""


@dataclass(frozen=True, repr=False)
class TargetLoss(Target):
    r"""As much penalty as keeps the loss of the task at a stated value.

    The constraint of GECO: the strength grows while the loss is below its target, and falls while
    it is above. All rules with an equal `TargetLoss` have one strength. The loss of the task,
    without penalties, is given by `reg.step(loss=loss)` after each step of the optimizer, or, with
    `delivery="inject"`, read by `reg.scale_from(loss)`. The losses of a step are averaged, over
    accumulated batches and over processes.

    The law is given 2 − loss / target, at least 0.02, and 1, which fall as the strength grows. Its
    scale is the strength at which the penalties weigh ten times the loss. The default law has the
    gains 1 and 0.07.

    Args:
        value: the target of the loss, above 0; or a schedule of it. The loss must be above 0.
        initial: the initial strength, brought to the scale of the loss.
        law: the law that sets the strength. None: `ProportionalIntegral` with the gains above.
        at_most: reach the target or anything below it.

    Raises:
        ConfigurationError: the value is not above 0; at a step, no loss was given.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> model = torch.nn.Sequential(torch.nn.Linear(8, 32), torch.nn.ReLU(),
        ...                             torch.nn.Linear(32, 8))
        >>> reg = rz.Regularization(model, [rz.activity(rz.L1(rz.TargetLoss(0.3)), where="1")])
        >>> optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        >>> for _ in range(600):
        ...     x = torch.randn(128, 8)
        ...     loss = (model(x) - x).square().mean()
        ...     total = loss + reg.penalty()
        ...     optimizer.zero_grad()
        ...     total.backward()
        ...     optimizer.step()
        ...     reg.step(loss=loss)
        >>> 0.27 < reg.targets()["1/activity/L1"].measured < 0.33
        True

    Source: Rezende and Viola, "Taming VAEs", 2018, `arXiv:1810.00597
    <https://arxiv.org/abs/1810.00597>`__ (GECO).
    """

    value: StrengthLike

    measures: ClassVar[Literal["output", "weights", "loss"]] = "loss"
    unit: ClassVar[str] = "loss"
    shares: ClassVar[bool] = True
    headroom: ClassVar[float] = 10.0

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "value", check_wanted(self.value, "TargetLoss"))

    @property
    def wanted(self) -> float | Schedule:
        return self.value  # type: ignore[return-value]

    @property
    def used_law(self) -> Law:
        return LAW if self.law is None else self.law

    @property
    def is_per_sample(self) -> bool:
        return False

    def as_falling(self, measured: Array, wanted: Array) -> tuple[Array, Array]:
        # a mirror image and no reciprocal, whose mean over noisy batches would be too large
        excess = 2 - _LEAST - measured / wanted
        return _LEAST + (excess + abs(excess)) / 2, wanted / wanted

    def measure(self, x: Array, batch: Batch) -> tuple[Array, int | Array]:
        return batch.xp.sum(x), batch.elements
