"""Whether a penalty is what it says it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np

from regularizers.errors import ConfigurationError, ShapeError
from regularizers.penalties import Formula, Penalty
from regularizers.testing import (
    _additivity,
    _gradients,
    _masks,
    _precision,
    _proximal,
    _reductions,
    _saved,
)
from regularizers.testing._case import Case
from regularizers.testing._libraries import Library, libraries

_OF_EACH_REDUCTION: tuple[Callable[[Case], None], ...] = (
    _gradients.check_value,
    _gradients.check_gradient,
    _gradients.check_strength,
    _gradients.check_autograd,
    _gradients.check_apply,
    _gradients.check_at_zero,
    _reductions.check_repeated,
    _reductions.check_one_sample,
    _additivity.check_samples,
    _additivity.check_units,
    _additivity.check_parts,
    _masks.check_samples_left_out,
    _masks.check_elements_left_out,
    _masks.check_nothing_left,
    _saved.check_saves,
    _precision.check_half,
    _precision.check_empty,
    _precision.check_large,
    _proximal.check_proximal_step,
)


def check_penalty(penalty: Penalty, *, x: Any = None) -> None:
    r"""Raise unless a penalty is what it says it is.

    In float64, with NumPy and with PyTorch where that is installed, and under every reduction that
    the penalty has, it is checked

    - that the gradient is the derivative of the value, by differences and by autograd, twice;
    - that `apply` adds it, that the strength is a factor, and that a kink at 0 has the gradient 0;
    - that reductions divide by what they say, and that samples, units and the parts of a batch on
      several processes add up where the penalty says so;
    - that a mask leaves out what it should, were it NaN;
    - that half precision is accumulated in float32, that an empty array has the penalty 0, and
      that a large one read in pieces is as one read at once;
    - that backward needs no more than what `saves` says, at the output of a module too;
    - that the proximal step is a minimum, where there is one.

    Args:
        penalty: a penalty whose strengths are numbers.
        x: an array to check it on, of two samples or more. None: made-up numbers of both signs, of
            5 samples, 3 and 2 units. Say one for a penalty of arrays of a certain shape or range.

    Raises:
        PenaltyError: what is wrong, with numbers and the likely cure.

    Example:
        >>> from dataclasses import dataclass
        >>> import regularizers as rz
        >>> @dataclass(frozen=True)
        ... class Cauchy(rz.Term):
        ...     def statistic(self, x, frame):
        ...         return frame.xp.sum(frame.xp.log1p(x * x)), ()
        ...     def pullback(self, x, saved, cotangent, frame):
        ...         return cotangent * x / (1 + x * x)
        >>> rz.testing.check_penalty(Cauchy(0.5))
        Traceback (most recent call last):
        ...
        regularizers.errors.PenaltyError: Cauchy: with reduce='sum' the gradient is 0.5 times the
        numerical one; does it forget a factor? (NumPy)
    """
    if not isinstance(penalty, Penalty):
        raise ConfigurationError(
            f"check_penalty: expected a penalty such as L1(1e-3), got {penalty!r} of type "
            f"{type(penalty).__name__}"
        )
    if any(term.strength == 0 for term in penalty.terms):
        raise ConfigurationError(
            f"check_penalty: expected strengths above 0, since nothing else can be seen, got "
            f"{penalty!r}; check it for a strength of 1"
        )
    numbers = _made_up() if x is None else np.asarray(x, dtype=np.float64)
    for library in libraries():
        if not _differentiates(library, penalty, numbers):
            continue
        for term in penalty.terms:
            for case in _cases(term, library, numbers):
                for check in _OF_EACH_REDUCTION:
                    check(case)
        whole = Case(penalty, library, numbers)
        _gradients.check_gradient(whole)
        _gradients.check_apply(whole)
        if library.name == "PyTorch":
            _saved.check_site(whole)


def _cases(term: Formula, library: Library, x: Any) -> list[Case]:
    assert isinstance(term, Penalty)
    cases = []
    for reduce in term.reductions:
        case = Case(dataclasses.replace(term, reduce=reduce), library, x, reduce)
        try:
            case.penalty(case.array)
        except (ConfigurationError, ShapeError):
            if term.reduce in (None, reduce):
                raise  # with another reduction its settings need not fit
        else:
            cases.append(case)
    return cases


def _made_up() -> Any:
    """Return numbers of both signs, none of them so near 0 that a kink is."""
    x = np.random.default_rng(0).standard_normal((5, 3, 2))
    return x + 0.2 * np.sign(x)


def _differentiates(library: Library, penalty: Penalty, x: Any) -> bool:
    """Return whether a library has the gradient of a penalty that does not say its own."""
    try:
        penalty.gradient(library.array(x))
    except ConfigurationError as error:
        if "differentiates nothing" in str(error):
            return False
        raise
    return True
