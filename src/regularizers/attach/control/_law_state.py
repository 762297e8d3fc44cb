"""The state of a law: by names for any law, in few tensors for the default one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol, Self

import torch
from torch import Tensor

from regularizers.attach.control._check_update import Numbers, as_type_of, check_update
from regularizers.attach.control._goal import Goal
from regularizers.control import Constants, Packed, ProportionalIntegral, shares_of


class LawState(Protocol):
    """What a law keeps from step to step, with an element for each target.

    Nothing here changes: a step makes a new one.
    """

    is_checked: bool
    """Whether what the law returns is known to be a strength."""

    def named(self) -> Numbers:
        """Return the state by the names that the law has for it."""

    def after(
        self, measured: Tensor, wanted: Tensor, scale: Tensor, *, has_begun: bool
    ) -> tuple[Self, Tensor]:
        """Return the state and the strength that the law returns.

        Raises:
            ConfigurationError, StrengthError, StrengthTypeError: it returned something else.
        """

    def ends(self) -> tuple[Any, Any]:
        """Return whether the law stands at its upper and at its lower end."""

    def where(self, is_valid: Tensor, other: Self) -> Self:
        """Return this state where a step was valid, and another elsewhere."""

    def joined(self, other: Self) -> Self:
        """Return the state of the targets of both."""

    def restored(self, number: int, saved: Mapping[str, float]) -> Self:
        """Return the state in which that of one target is what was saved."""

    def to(self, device: torch.device) -> Self:
        """Return the state on a device."""


class NamedState:
    """The state of any law, as the law itself returned it."""

    is_checked = False

    def __init__(self, goal: Goal, values: Numbers, shape: tuple[int, ...]) -> None:
        self._goal, self._values, self._shape = goal, values, shape

    def named(self) -> Numbers:
        return self._values

    def after(
        self, measured: Tensor, wanted: Tensor, scale: Tensor, *, has_begun: bool
    ) -> tuple[Self, Tensor]:
        returned = self._goal.law.update(dict(self._values), measured, wanted, scale)
        where = f"{self._goal.where}.update"
        values, strength = check_update(returned, self._values, where, self._shape)
        return self._like(values), strength.to(measured.device).expand(self._shape)

    def ends(self) -> tuple[Any, Any]:
        return self._goal.law.at_most(self._values), self._goal.law.at_least(self._values)

    def where(self, is_valid: Tensor, other: Self) -> Self:
        old = [each for each in other._values.values() if isinstance(each, Tensor)]
        new = [each for each in self._values.values() if isinstance(each, Tensor)]
        if not len(old) == len(new) == len(self._values):
            # a law that keeps plain numbers has read tensors itself
            return self if bool(is_valid) else other
        if not new:
            return self
        kept = torch.where(is_valid, torch.stack(new), torch.stack(old)).unbind()
        return self._like(dict(zip(self._values, kept, strict=True)))

    def joined(self, other: Self) -> Self:
        values: Numbers = {
            name: torch.cat([mine, torch.as_tensor(other._values[name]).to(mine)])
            for name, mine in self._values.items()
            if isinstance(mine, Tensor)
        }
        (size,), (more,) = self._shape, other._shape
        return type(self)(self._goal, values, (size + more,))

    def restored(self, number: int, saved: Mapping[str, float]) -> Self:
        values = {n: with_number(value, number, saved[n]) for n, value in self._values.items()}
        return self._like(values)

    def to(self, device: torch.device) -> Self:
        return self._like(
            {n: x.to(device) if isinstance(x, Tensor) else x for n, x in self._values.items()}
        )

    def _like(self, values: Numbers) -> Self:
        return type(self)(self._goal, values, self._shape)


class PackedState:
    """The state of `ProportionalIntegral`, which few operations advance.

    Benchmark: `control`, L1 with a target beside L1 with a number.
    """

    is_checked = True

    def __init__(
        self,
        law: ProportionalIntegral,
        values: Packed,
        constants: Constants | None = None,
        shares: tuple[Tensor, Tensor] | None = None,
        share: Tensor | None = None,
    ) -> None:
        self._law, self._values, self._share = law, values, share
        self._constants = Constants.on(values.initial) if constants is None else constants
        self._shares = shares
        """The last target, and what the law needs of it."""

    def named(self) -> Numbers:
        return self._values.named()

    def after(
        self, measured: Tensor, wanted: Tensor, scale: Tensor, *, has_begun: bool
    ) -> tuple[Self, Tensor]:
        if self._shares is None or self._shares[0] is not wanted:
            self._shares = wanted, shares_of(wanted)
        shares, constants = self._shares[1], self._constants
        values, strength, share = self._law.advance(
            self._values, measured, shares, scale, constants, has_begun=has_begun
        )
        return self._like(values, share), strength

    def ends(self) -> tuple[Any, Any]:
        if self._share is not None:
            return self._law.ends(self._share)
        return self._law.at_most(self.named()), self._law.at_least(self.named())

    def where(self, is_valid: Tensor, other: Self) -> Self:
        mine, its = self._values, other._values
        changing = [torch.where(is_valid, *pair) for pair in zip(mine[1:], its[1:], strict=True)]
        return self._like(Packed(mine.initial, *changing))

    def joined(self, other: Self) -> Self:
        pairs = zip(self._values, other._values, strict=True)
        values = Packed(*[torch.cat([mine, its.to(mine)], dim=-1) for mine, its in pairs])
        return type(self)(self._law, values)

    def restored(self, number: int, saved: Mapping[str, float]) -> Self:
        named = self._values.named().items()
        values = Packed.of({name: with_number(x, number, saved[name]) for name, x in named})
        return type(self)(self._law, values)

    def to(self, device: torch.device) -> Self:
        return type(self)(self._law, Packed(*[x.to(device) for x in self._values]))

    def _like(self, values: Packed, share: Tensor | None = None) -> Self:
        return type(self)(self._law, values, self._constants, self._shares, share)


def first_state(goal: Goal, initial: Tensor, shape: tuple[int, ...]) -> LawState:
    """Return the state of the law of a target before the first step."""
    values = goal.first_state(initial, shape)
    if type(goal.law) is not ProportionalIntegral:
        return NamedState(goal, values, shape)
    return PackedState(goal.law, Packed.of(values))


def with_number(value: Any, number: int, new: float) -> Any:
    """Return a value of the state with another number for one target."""
    if not (isinstance(value, Tensor) and value.ndim):
        return as_type_of(new, value)
    changed = value.clone()
    changed[number] = new
    return changed
