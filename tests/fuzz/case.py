"""A case: a small training program as plain data, which prints as the expression that makes it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from regularizers import Penalty


class Short:
    """Prints as the call that makes it, without the settings that are the default."""

    def __repr__(self) -> str:
        said = [
            f"{field.name}={getattr(self, field.name)!r}"
            for field in dataclasses.fields(self)
            if getattr(self, field.name) != field.default
        ]
        return f"{type(self).__name__}({', '.join(said)})"


@dataclass(frozen=True, repr=False)
class Part(Short):
    """One module of a chain, all of whose parts keep the shape of what they are given."""

    name: str
    kind: str = "linear"
    weight: str = "plain"
    """How a layer holds its weight: plain, parametrized, weight_norm, hooked or pruned."""
    frozen: bool = False
    times: int = 1
    same_as: str = ""
    """The earlier part whose module this is too."""
    tied_to: str = ""
    """The earlier part whose weight this has too."""
    checkpoint: str = ""
    """"", non_reentrant or reentrant."""
    around: str = ""
    """Around the module, which is then its `inner`: add, or add_in_place."""


@dataclass(frozen=True, repr=False)
class RuleSpec(Short):
    """One rule."""

    kind: str
    penalty: Penalty
    where: str = ""
    """The name of a module, or :KIND for all activations of a kind."""
    select: str = ""
    """"", first (of a tuple), same (a function), half (of the units) or last (state)."""
    copy: bool = False
    reduce: str | None = None
    batch_axis: int | tuple[int, ...] | None = None
    mask: str = ""
    """"", rule, or around (the forward)."""
    mask_axes: int = 1
    proximal: bool = False
    optional: bool = False
    warmup: int = 0
    """Steps in which the strength grows from 0."""


@dataclass(frozen=True, repr=False)
class RegSpec(Short):
    """One Regularization."""

    rules: tuple[RuleSpec, ...]
    delivery: str = "collect"
    attached: bool = False


@dataclass(frozen=True, repr=False)
class Event(Short):
    """Something that happens before a step."""

    kind: str
    part: str = ""
    option: int = 0


@dataclass(frozen=True, repr=False)
class StepSpec(Short):
    """One training step, and what happens before it."""

    mode: str = "plain"
    events: tuple[Event, ...] = ()
    set_to_none: bool = True


@dataclass(frozen=True, repr=False)
class Thresholds(Short):
    """Sizes in elements from which arrays are read in other ways; None: as they are."""

    small: int | None = None
    middling: int | None = None
    at_once: int | None = None
    piece: int | None = None
    large: int | None = None


@dataclass(frozen=True, repr=False)
class Case(Short):
    """A model, its rules, an optimizer and the steps of a training loop."""

    parts: tuple[Part, ...]
    regs: tuple[RegSpec, ...]
    steps: tuple[StepSpec, ...] = (StepSpec(),)
    optimizer: str = "sgd"
    closure: bool = False
    """Whether the optimizer's steps are given one."""
    collects_inside: bool = False
    """Whether penalties are collected under autocast too."""
    form: str = "vector"
    """vector (batch, width), sequence (batch, time, width), or image (batch, width, 3, width)."""
    batch_first: bool = True
    packed: bool = False
    batch: int = 3
    length: int = 3
    width: int = 3
    dtype: str = "float64"
    autocast: bool = False
    layout: str = ""
    """Of the input and, of channels_last, the weights: "", transposed or channels_last."""
    thresholds: Thresholds = Thresholds()
    seed: int = 0

    @property
    def lengths(self) -> list[int]:
        """The lengths of sequences in a batch, one of which is the whole."""
        return [1 + (self.length - 1 - k) % self.length for k in range(self.batch)]

    @property
    def leading(self) -> tuple[int, ...]:
        """The shape of the axes before the units."""
        if self.form != "sequence":
            return (self.batch,)
        axes = (self.batch, self.length)
        return axes if self.batch_first else axes[::-1]

    @property
    def shape(self) -> tuple[int, ...]:
        if self.form == "image":
            return (self.batch, self.width, 3, self.width)
        return (*self.leading, self.width)

    def part(self, name: str) -> Part:
        """Return the part of a name, or the one whose module it shares."""
        part = next(part for part in self.parts if part.name == name)
        return self.part(part.same_as) if part.same_as else part

    def rules(self) -> Iterator[RuleSpec]:
        for reg in self.regs:
            yield from reg.rules
