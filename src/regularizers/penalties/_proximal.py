"""The exact proximal step of a sum of penalties."""

from __future__ import annotations

import math
import numbers
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any

from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError
from regularizers.penalties._shrinkage import Stage, Step
from regularizers.penalties.arrays import Array, Namespace, beside, namespace_of, size_of, widen

if TYPE_CHECKING:
    from regularizers.penalties._formula import Formula

STAGES: tuple[Stage, ...] = ("squares", "elements", "blocks")
"""The order in which successive proximal steps equal the step of the sum."""


def proximal(xp: Namespace, x: Array, step: Step, terms: Sequence[tuple[Formula, float]]) -> Array:
    r"""Return the proximal step of a sum of penalties.

    .. math:: \operatorname*{argmin}_w \sum_k s_k\, p_k(w)
        + \sum_i \frac{(w_i - x_i)^2}{2\tau_i}

    Squares come first: they scale the array and the steps of the later stages. Then each element
    is shrunk, and then each block (Yu, "On decomposing the proximal map", 2013). All three stages
    are exact for elementwise steps too.

    Args:
        xp: the namespace of `x`.
        x: the array, of a floating type.
        step: τ, a number or an array that broadcasts to `x`.
        terms: formulas with their strengths.

    Raises:
        ConfigurationError: as `check_proximal`.

    Example:
        >>> import numpy as np
        >>> import regularizers as rz
        >>> from regularizers.penalties import proximal
        >>> terms = [(rz.L1(1.0), 1.0), (rz.L2Squared(1.0), 0.5)]
        >>> proximal(np, np.array([4.0, -0.5]), 1.0, terms)  # halved, then less a half
        array([1.5, 0. ])
    """
    check_proximal([term for term, _ in terms])
    if size_of(x) == 0:
        return xp.zeros_like(x)
    shrunk = widen(xp, x)
    step = float(step) if is_number(step) else xp.astype(beside(step, x), shrunk.dtype)
    for stage in STAGES:
        for term, strength in terms:
            if term.stage == stage:
                shrunk, step = term.proximal_step(
                    shrunk, step, strength, term.frame(xp, shrunk, None)
                )
    return xp.astype(shrunk, x.dtype)


def check_proximal(terms: Iterable[Formula]) -> None:
    """Raise unless the sum of `terms` has an exact proximal step.

    Args:
        terms: the penalties of the sum.

    Raises:
        ConfigurationError: a term has no proximal step, or two terms have blocks.

    Example:
        >>> import regularizers as rz
        >>> from regularizers.penalties import check_proximal
        >>> check_proximal([rz.L1(0.1), rz.L2Norm(0.1)])
        >>> check_proximal([rz.Hoyer(0.1)])
        Traceback (most recent call last):
        ...
        regularizers.errors.ConfigurationError: proximal step: expected L1, L2Squared, L1L2, L2Norm,
        GroupLasso, ActivityRegularization or a sum of these, got Hoyer(0.1), which has no proximal
        form; use its gradient
    """
    blocks = []
    for term in terms:
        if term.stage is None:
            raise ConfigurationError(
                f"proximal step: expected L1, L2Squared, L1L2, L2Norm, GroupLasso, "
                f"ActivityRegularization or a sum of these, got {term!r}, which has no proximal "
                f"form; use its gradient"
            )
        if term.stage == "blocks":
            blocks.append(term)
    if len(blocks) > 1:
        raise ConfigurationError(
            f"proximal step: expected at most one of L2Norm and GroupLasso in a sum, got "
            f"{' and '.join(map(repr, blocks))}, whose successive steps are not the step of the "
            f"sum; use one of them, and the gradient of the other"
        )


def is_number(step: Any) -> bool:
    """Return whether the size of a step is one real number, and no array.

    Args:
        step: the size of the step.

    Example:
        >>> import numpy as np
        >>> from regularizers.penalties import is_number
        >>> is_number(0.1), is_number(np.array([0.1, 0.2]))
        (True, False)
    """
    return isinstance(step, numbers.Real) and not isinstance(step, bool)


def check_step(xp: Namespace, x: Array, step: Any) -> None:
    """Raise unless `step` is a finite number, zero or more, or an array that broadcasts to `x`."""
    if is_number(step):
        if not 0 <= float(step) < math.inf:
            raise ConfigurationError(
                f"step: expected a finite number, zero or more, got {step!r}; it is the size of a "
                f"step down the gradient, such as the learning rate"
            )
        return
    if namespace_of(step, "step") is not xp:
        raise ArrayTypeError(
            f"step: expected a number or an array of the library of x ({xp.__name__}), "
            f"got {type(step).__name__}"
        )
    shape, whole = tuple(getattr(step, "shape", ())), tuple(x.shape)
    pairs = zip(reversed(shape), reversed(whole), strict=False)
    if len(shape) > len(whole) or not all(size in (1, extent) for size, extent in pairs):
        raise ShapeError(f"step: expected a shape that broadcasts to {whole} of x, got {shape}")
