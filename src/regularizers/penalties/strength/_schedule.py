"""Strengths that are functions of the step, and their arithmetic."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

from array_api_compat import array_namespace

from regularizers.errors import ConfigurationError, StrengthTypeError
from regularizers.penalties.strength._strength import Strength, check_strength, is_factor, no_number
from regularizers.penalties.strength._traced import is_number_of_jax, is_traced

StrengthLike: TypeAlias = float | Strength | Callable[[int], float]
"""A strength as a user gives it; a function of the step becomes a `Schedule`."""


class Schedule(Strength):
    """A strength that is a function of the step: `L1(LinearWarmup(1e-3, steps=1000))`.

    Steps are those of the optimizer, counted from 0. Schedules scale (`2 * s`), multiply
    (`s * other`), add (`s + other`) and follow each other (`s.then(other, at=1000)`); the other may
    be any function of the step.

    To write one of your own, say what it is `at` a step.

    Example:
        >>> import regularizers as rz
        >>> warmup, decay = rz.LinearWarmup(1e-3, steps=100), rz.Cosine(1e-3, 0.0, steps=900)
        >>> both = warmup.then(decay, at=100)
        >>> [both.at(step) for step in (0, 50, 100, 550, 1000)]
        [0.0, 0.0005, 0.001, 0.0005, 0.0]
    """

    @abstractmethod
    def at(self, step: int) -> float:
        """Return the strength at a step.

        Args:
            step: of the optimizer, an integer from 0 on; JAX may trace it.
        """

    def then(self, other: Schedule | Callable[[int], float], *, at: int) -> Schedule:
        """Return this schedule up to step `at`, and from there on `other`, which begins at its 0.

        Args:
            other: a schedule, or a function of the step.
            at: the first step of `other`, an integer of 1 or more.

        Raises:
            ConfigurationError: `other` is no function of the step, or `at` no integer above 0.
        """
        following = _as_schedule(other)
        if following is None:
            raise ConfigurationError(
                f"then: expected a schedule, got {other!r} of type {type(other).__name__}; "
                f"for a number write Constant(number)"
            )
        if type(at) is not int or at < 1:
            raise ConfigurationError(
                f"at: expected an integer of 1 or more, the step at which the other schedule "
                f"begins, got {at!r}"
            )
        return Then(self, following, at)

    def __mul__(self, other: float | Schedule | Callable[[int], float]) -> Schedule:
        if is_factor(other):
            return Scaled(check_strength(other, "factor"), self)
        schedule = _as_schedule(other)
        return NotImplemented if schedule is None else Product(self, schedule)

    def __rmul__(self, other: float | Schedule | Callable[[int], float]) -> Schedule:
        return self.__mul__(other)

    def __add__(self, other: Schedule | Callable[[int], float]) -> Schedule:
        schedule = _as_schedule(other)
        return NotImplemented if schedule is None else Added(self, schedule)

    def __radd__(self, other: Schedule | Callable[[int], float]) -> Schedule:
        return self.__add__(other)


@dataclass(frozen=True, repr=False)
class FunctionOfStep(Schedule):
    """Any function from a step to a strength, as a schedule."""

    function: Callable[[int], float]

    def at(self, step: int) -> float:
        strength = self.function(step)
        # the schedules of optax return arrays
        is_known = is_number_of_jax(strength) and not is_traced(strength)
        return float(strength) if is_known else strength

    def __repr__(self) -> str:
        return getattr(self.function, "__qualname__", None) or repr(self.function)


@dataclass(frozen=True, repr=False)
class Scaled(Schedule):
    """A number times a schedule."""

    factor: float
    schedule: Schedule

    def at(self, step: int) -> float:
        return self.factor * self.schedule.at(step)

    def __repr__(self) -> str:
        return f"{self.factor!r} * {_grouped(self.schedule)}"


@dataclass(frozen=True, repr=False)
class Product(Schedule):
    """One schedule times another."""

    first: Schedule
    second: Schedule

    def at(self, step: int) -> float:
        return self.first.at(step) * self.second.at(step)

    def __repr__(self) -> str:
        return f"{_grouped(self.first)} * {_grouped(self.second)}"


@dataclass(frozen=True, repr=False)
class Added(Schedule):
    """Two schedules, added."""

    first: Schedule
    second: Schedule

    def at(self, step: int) -> float:
        return self.first.at(step) + self.second.at(step)

    def __repr__(self) -> str:
        second = self.second
        return f"{self.first!r} + {_grouped(second) if isinstance(second, Added) else repr(second)}"


@dataclass(frozen=True, repr=False)
class Then(Schedule):
    """One schedule up to a step, and from there on another, which begins at its own step 0."""

    first: Schedule
    second: Schedule
    start: int

    def at(self, step: int) -> float:
        if not is_traced(step):
            return self.first.at(step) if step < self.start else self.second.at(step - self.start)
        xp = array_namespace(step)
        # the one that is not chosen is asked for a step it has, too
        first = self.first.at(xp.minimum(step, self.start - 1))
        second = self.second.at(xp.maximum(step - self.start, 0))
        return xp.where(step < self.start, first, second)  # type: ignore[no-any-return]

    def __repr__(self) -> str:
        return f"{_grouped(self.first)}.then({self.second!r}, at={self.start})"


def as_strength(value: StrengthLike, name: str = "strength") -> float | Strength:
    """Return a number as a float, a schedule or controller as it is, a function as a schedule.

    A number that JAX traces is returned as it is, and is not checked: it has no value to read.

    Raises:
        StrengthError: a number that is negative, NaN or infinite, or a function that is so at step
            0.
        StrengthTypeError: neither a number nor a function of the step.
    """
    if is_factor(value):
        return check_strength(value, name)
    if isinstance(value, Strength):
        return value
    if is_number_of_jax(value):
        number: Any = value
        return number if is_traced(number) else check_strength(float(number), name)
    schedule = _as_schedule(value)
    if schedule is None:
        raise StrengthTypeError(
            f"{no_number(value, name)}; a schedule, which is a function of the step, or a "
            f"target may take the place of the number"
        )
    first = _first(schedule, name)
    if not is_traced(first):  # as it is where a schedule of optax is written under jax.jit
        check_strength(first, f"{name}: {schedule!r} at step 0")
    return schedule


def number_of(strength: StrengthLike, penalty: object) -> float:
    """Return the strength of `penalty`, which is to be a number; JAX may trace it.

    Raises:
        StrengthTypeError: it is none.
    """
    if isinstance(strength, float) or is_traced(strength):
        return strength  # type: ignore[return-value]
    where = f"{penalty!r}: expected a strength that is a number, got {strength!r}"
    if not isinstance(strength, Schedule):
        raise StrengthTypeError(f"{where}, which finds its number only in a Regularization")
    call = "(step)" if isinstance(strength, FunctionOfStep) else ".at(step)"
    raise StrengthTypeError(
        f"{where}, which stands at a step only in a Regularization; for an array take the number "
        f"at a step: {_grouped(strength)}{call}"
    )


def strength_at(schedule: Schedule, step: int) -> float:
    """Return the strength that a schedule gives at a step, which JAX may trace.

    Raises:
        StrengthTypeError: the step is traced, and the schedule reads its value.
    """
    try:
        return schedule.at(step)
    except TypeError as error:
        if not is_traced(step):
            raise
        raise StrengthTypeError(
            f"{schedule!r}: expected a schedule that JAX can trace, got one that reads the number "
            f"of the step, as `if` and `math` do; write jax.numpy.where for `if` and jax.numpy for "
            f"`math`, or use LinearWarmup, Cosine, Piecewise and .then, which are traced"
        ) from error


def _as_schedule(value: Any) -> Schedule | None:
    """Return `value` as a schedule if it is a schedule or a function, else None."""
    if isinstance(value, Schedule):
        return value
    is_function = callable(value) and not isinstance(value, type | Strength)
    return FunctionOfStep(value) if is_function else None


def _first(schedule: Schedule, name: str) -> float:
    try:
        return schedule.at(0)
    except TypeError as error:
        raise StrengthTypeError(
            f"{name}: expected a number, a schedule or a target, got {schedule!r}, which "
            f"raised as a function of the step, at step 0: {error}"
        ) from error


def _grouped(schedule: Schedule) -> str:
    """Return the text of a schedule as an operand, in parentheses where needed."""
    is_operation = isinstance(schedule, Scaled | Product | Added)
    return f"({schedule!r})" if is_operation else repr(schedule)
