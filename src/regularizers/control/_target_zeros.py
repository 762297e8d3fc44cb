"""A target of exact zeros among the weights of a proximal rule."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import ClassVar, Literal, get_args

from regularizers.control._batch import Batch
from regularizers.control._target import Target, check_wanted
from regularizers.errors import ConfigurationError
from regularizers.penalties.arrays import Array
from regularizers.penalties.strength import Schedule, StrengthLike

Over = Literal["rule", "weight"]


@dataclass(frozen=True, repr=False)
class TargetZeros(Target):
    r"""A strength at which a stated share of weights is exactly 0.

    .. math:: a = \frac{\#\{i : w_i = 0\}}{n}

    For kernels and biases of proximal rules, after each step of the optimizer. The law is given
    1 − a and 1 minus the target, which fall as the strength grows.

    Args:
        fraction: the target of a, between 0 and 1; or a schedule of it.
        over: `"rule"`: a is the share over all weights of the rule, which have one strength;
            `"weight"`: each weight reaches the target by itself, with a strength of its own.
        initial: the initial strength, brought to the scale of the loss.
        law: the law that sets the strength. None: `ProportionalIntegral()`.
        at_most: reach the target or anything below it.

    Raises:
        ConfigurationError: the fraction is not between 0 and 1, or `over` is another word; in a
            rule that is not proximal.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> model = torch.nn.Linear(20, 10)
        >>> rule = rz.kernel(rz.L1(rz.TargetZeros(fraction=0.5)), proximal=True)
        >>> reg = rz.Regularization(model, [rule])
        >>> optimizer = torch.optim.Adam(model.parameters(), 1e-2)
        >>> reg.attach(optimizer)
        >>> x, w = torch.randn(256, 20), torch.randn(20, 10)
        >>> for _ in range(300):
        ...     loss = (model(x) - x @ w).square().mean()
        ...     optimizer.zero_grad()
        ...     loss.backward()
        ...     optimizer.step()
        >>> 0.4 < (model.weight == 0).float().mean().item() < 0.6
        True
    """

    fraction: StrengthLike
    over: Over = field(default="rule", kw_only=True)

    limit: ClassVar[float] = math.nextafter(1.0, 0.0)
    measures: ClassVar[Literal["output", "weights", "loss"]] = "weights"
    unit: ClassVar[str] = "of the weights exactly 0"

    def __post_init__(self) -> None:
        super().__post_init__()
        fraction = check_wanted(self.fraction, "TargetZeros")
        if isinstance(fraction, float) and fraction >= 1:
            raise ConfigurationError(
                f"TargetZeros: expected a fraction below 1, got {fraction:g}; a rule whose weights "
                f"are all 0 needs no training"
            )
        if self.over not in get_args(Over):
            raise ConfigurationError(f"over: expected 'rule' or 'weight', got {self.over!r}")
        object.__setattr__(self, "fraction", fraction)

    @property
    def wanted(self) -> float | Schedule:
        return self.fraction  # type: ignore[return-value]

    @property
    def shares(self) -> bool:  # type: ignore[override]
        return self.over == "rule"

    @property
    def is_per_sample(self) -> bool:
        return False

    def as_falling(self, measured: Array, wanted: Array) -> tuple[Array, Array]:
        return 1 - measured, 1 - wanted

    def measure(self, x: Array, batch: Batch) -> tuple[Array, int | Array]:
        xp = batch.xp
        return batch.elements - xp.sum(xp.sign(xp.abs(x))), batch.elements
