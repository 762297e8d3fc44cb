"""Short trainings with a target, each with an outcome that is known without any warning.

An outcome follows from how a run is built, and a longer run confirms it (`run_outcomes.py`).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, fields
from enum import Enum
from functools import partial
from typing import Any, Literal

import torch
from benchmarks.controllers.outcome_networks import (
    Bent,
    Data,
    Gate,
    Largest,
    PartlyDead,
    PartlyOn,
    Shifted,
    Squashed,
    classes,
    dictionary,
    digits,
    noise,
)
from torch import nn
from torch.optim import SGD, Adam, NAdam

import regularizers as rz


class Outcome(Enum):
    """How a run ends."""

    MET = "met"
    MET_LATER = "met later"
    SLOWING = "met later, slowing down"
    TOO_HIGH = "cannot be met: stays above"
    TOO_LOW = "cannot be met: stays below"
    SWINGS = "swings"
    SWINGS_UNTIL_ANNEALED = "swings until annealed"
    NO_GRADIENT = "no gradient"
    NOT_FINITE = "not finite"
    FREE_SCALE = "met by a free scale"
    STOPS_SHORT = "met by a larger strength"


Wrong = Literal[
    "",
    "encoder not in the optimizer",
    "frozen encoder",
    "penalty left out",
    "code detached",
    "loss of something else",
    "overflow",
]
"""A mistake in the training loop. An overflow comes after 0.3 of the steps."""


@dataclass(frozen=True, kw_only=True)
class Scenario:
    """A training and its known outcome. The site of the penalty is the code of a `Network`."""

    name: str
    outcome: Outcome
    penalty: Any
    data: Callable[[], Data] = digits
    hidden: tuple[int, ...] = ()
    """The widths of the layers before the code."""
    units: int = 100
    code: Callable[[], nn.Module] = nn.ReLU
    bias: float = 0.0
    """Added to the bias of every unit at first."""
    orthogonal: bool = False
    """Whether the network begins as the recipe's autoencoder does."""
    held: bool = False
    """Whether the decoder's columns are held at norm 1."""
    batch: int = 128
    optimizer: type[torch.optim.Optimizer] = Adam
    rate: float = 1e-3
    anneal: bool = False
    """Whether the rate falls to 0 over the last fifth."""
    factor: float = 1.0
    """The factor of the loss."""
    steps: int = 1000
    longer: int = 4
    """The longer run that confirms the outcome has this many times the steps."""
    larger: float | None = None
    """A constant strength of L1 at which a run of the same length has a count below the target."""
    seed: int = 0
    wrong: Wrong = ""

    @property
    def target(self) -> Any:
        """The target that takes the place of the strength."""
        return self.penalty.strength

    @property
    def settings(self) -> str:
        """The name and what is set besides, by which the confirming run is kept."""
        changed = [
            f"{field.name}={_name(getattr(self, field.name))}"
            for field in fields(self)
            if field.name not in ("name", "outcome") and getattr(self, field.name) != field.default
        ]
        return f"{self.name}: {', '.join(changed)}"


def _name(value: Any) -> str:
    if isinstance(value, partial):
        return f"{value.func.__name__}{value.args}"  # type: ignore[attr-defined]
    return str(getattr(value, "__name__", repr(value)))


def active(units: float) -> Any:
    return rz.L1(rz.TargetActive(units))


def share(fraction: float) -> Any:
    return rz.L1(rz.TargetActive(fraction=fraction))


def mean(value: float) -> Any:
    return rz.L1(rz.TargetMean(value))


def norm(value: float) -> Any:
    return rz.L2Squared(rz.TargetNorm(value))


_met = partial(Scenario, outcome=Outcome.MET)
_later = partial(Scenario, outcome=Outcome.MET_LATER, steps=750)
_slowing = partial(_later, outcome=Outcome.SLOWING)
_above = partial(Scenario, outcome=Outcome.TOO_HIGH, longer=3)
_below = partial(Scenario, outcome=Outcome.TOO_LOW, longer=3, steps=1500)
_swings = partial(Scenario, outcome=Outcome.SWINGS, optimizer=NAdam, rate=2e-3, orthogonal=True)
_calmed = partial(_swings, outcome=Outcome.SWINGS_UNTIL_ANNEALED, anneal=True)
_unseen = partial(Scenario, outcome=Outcome.NO_GRADIENT, steps=400)
_not_finite = partial(Scenario, outcome=Outcome.NOT_FINITE, wrong="overflow", steps=600)
_free = partial(Scenario, outcome=Outcome.FREE_SCALE, steps=2000)

MET = (
    _met(name="digits to 10", penalty=active(10)),
    _met(name="digits to 5", penalty=active(5), steps=1500),
    _met(name="digits to 20, batch 32", penalty=active(20), batch=32),
    _met(name="digits to 20, batch 512", penalty=active(20), batch=512, steps=800),
    _met(name="digits to 60", penalty=active(60)),
    _met(name="digits to 40, orthogonal", penalty=active(40), orthogonal=True),
    _met(name="digits to 60, orthogonal", penalty=active(60), orthogonal=True),
    _met(name="digits to 10, loss times 1000", penalty=active(10), factor=1000.0),
    _met(name="digits to 10, deep", penalty=active(10), hidden=(64, 64)),
    _met(name="digits to 8 of 32", penalty=active(8), units=32),
    _met(name="digits to 2.5% of 400", penalty=share(0.025), units=400),
    _met(name="digits to 20 of 1000", penalty=active(20), units=1000, orthogonal=True, steps=800),
    _met(name="digits to 10, SGD 1", penalty=active(10), optimizer=SGD, rate=1.0),
    _met(name="digits to 20, SGD 0.3", penalty=active(20), optimizer=SGD, rate=0.3),
    _met(name="digits to 10, SGD 0.1", penalty=active(10), optimizer=SGD, rate=0.1, steps=1200),
    _met(
        name="digits to 10, NAdam annealed",
        penalty=active(10),
        optimizer=NAdam,
        rate=1e-3,
        anneal=True,
    ),
    _met(
        name="digits to 20, deep, NAdam annealed",
        penalty=active(20),
        hidden=(64,),
        optimizer=NAdam,
        rate=1e-3,
        anneal=True,
    ),
    _met(name="classes to 10", penalty=active(10), data=classes, steps=800),
    _met(name="classes to 30, deep", penalty=active(30), data=classes, hidden=(64,), steps=800),
    _met(name="classes to 5, Adam 1e-4", penalty=active(5), data=classes, rate=1e-4),
    _met(name="dictionary to 20 of 200", penalty=active(20), data=dictionary, units=200),
    _met(name="dictionary to 60", penalty=active(60), data=dictionary),
    _met(
        name="dictionary to 20 of 1000",
        penalty=active(20),
        data=dictionary,
        units=1000,
        steps=1200,
    ),
    _met(name="noise to 20 of 64", penalty=active(20), data=noise, units=64),
    _met(name="digits, mean 0.02, decoder held", penalty=mean(0.02), held=True),
    _met(name="digits, norm 1, decoder held", penalty=norm(1.0), held=True),
    _met(name="classes, sigmoid, mean 0.05", penalty=mean(0.05), data=classes, code=nn.Sigmoid),
    _met(name="gate, 20, SGD 0.3", penalty=active(20), code=Gate, optimizer=SGD, rate=0.3),
    _met(name="gate, 10, SGD 0.3", penalty=active(10), code=Gate, optimizer=SGD, rate=0.3),
    _met(
        name="gate, 10 of 50, SGD 1",
        penalty=active(10),
        code=Gate,
        units=50,
        optimizer=SGD,
        rate=1.0,
    ),
    _met(name="gate, 20, classes", penalty=active(20), code=Gate, data=classes),
    _met(name="all on for 200 steps, to 10", penalty=active(10), bias=3.0, steps=1500),
    # these are on their way for some 700 steps
    _met(
        name="dictionary, 256 of 512 to 12.8, Adam 5e-4",
        penalty=active(12.8),
        data=dictionary,
        units=512,
        rate=5e-4,
        steps=1200,
    ),
    _met(
        name="dictionary, 500 of 1000 to 20, Adam 5e-4",
        penalty=active(20),
        data=dictionary,
        units=1000,
        rate=5e-4,
    ),
    _met(name="digits, 50 to 10, Adam 5e-5", penalty=active(10), rate=5e-5, steps=1600),
    _met(
        name="digits, 50 to 5, Adam 3e-5, deep",
        penalty=active(5),
        rate=3e-5,
        hidden=(64, 64),
        steps=1200,
    ),
    _met(
        name="digits, 50 to 20, SGD 0.01", penalty=active(20), optimizer=SGD, rate=0.01, steps=1600
    ),
    _met(name="digits, mean 0.01, Adam 2e-4, batch 16", penalty=mean(0.01), rate=2e-4, batch=16),
    _met(name="digits, mean 0.02, Adam 1e-4", penalty=mean(0.02), rate=1e-4, steps=1600),
    _met(
        name="classes, 32 of 64 to 3, deep",
        penalty=active(3),
        data=classes,
        units=64,
        hidden=(64,),
        rate=2e-5,
        steps=2000,
    ),
)

MET_LATER = (
    _later(
        name="dictionary, 128 of 256 to 2.8, Adam 2e-4",
        penalty=active(2.8),
        data=dictionary,
        units=256,
        rate=2e-4,
    ),
    _later(
        name="dictionary, 128 of 256 to 7, Adam 1e-4",
        penalty=active(7),
        data=dictionary,
        units=256,
        rate=1e-4,
        longer=6,
    ),
    _later(
        name="dictionary, 256 of 512 to 12.8, Adam 1e-4",
        penalty=active(12.8),
        data=dictionary,
        units=512,
        rate=1e-4,
        longer=5,
    ),
    _later(
        name="dictionary, 500 of 1000 to 20, Adam 2e-4",
        penalty=active(20),
        data=dictionary,
        units=1000,
        rate=2e-4,
        longer=3,
    ),
    _later(
        name="dictionary, 50 to 10, deep",
        penalty=active(10),
        data=dictionary,
        hidden=(64,),
        rate=3e-5,
    ),
    _later(
        name="dictionary, 50 to 10, SGD 0.1",
        penalty=active(10),
        data=dictionary,
        optimizer=SGD,
        rate=0.1,
    ),
    _later(
        name="noise, 32 of 64 to 4, Adam 2e-4", penalty=active(4), data=noise, units=64, rate=2e-4
    ),
    _later(name="digits, 50 to 10, Adam 2e-5", penalty=active(10), rate=2e-5, longer=3),
    _later(name="digits, 50 to 20, Adam 2e-5", penalty=active(20), rate=2e-5, longer=3),
    _later(name="digits, 50 to 5, Adam 1e-5, deep", penalty=active(5), rate=1e-5, hidden=(64, 64)),
    _later(name="digits, 50 to 10, SGD 0.007", penalty=active(10), optimizer=SGD, rate=0.007),
    _later(name="digits, 50 to 20, SGD 0.004", penalty=active(20), optimizer=SGD, rate=0.004),
    _later(
        name="digits, 128 of 256 to 5%, SGD 0.02",
        penalty=share(0.05),
        units=256,
        optimizer=SGD,
        rate=0.02,
    ),
    _later(
        name="digits, 500 of 1000 to 100, SGD 0.05",
        penalty=active(100),
        units=1000,
        optimizer=SGD,
        rate=0.05,
        longer=3,
    ),
    _later(
        name="classes, 50 to 5, Adam 3e-5", penalty=active(5), data=classes, rate=3e-5, longer=3
    ),
    _later(
        name="classes, 50 to 5, deep, NAdam annealed",
        penalty=active(5),
        data=classes,
        hidden=(64,),
        optimizer=NAdam,
        rate=1e-5,
        anneal=True,
    ),
    _later(
        name="digits, 50 to 10, Adam 3e-5, batch 8",
        penalty=active(10),
        rate=3e-5,
        batch=8,
        longer=3,
    ),
    _later(
        name="digits, mean 0.02, Adam 4e-5", penalty=mean(0.02), rate=4e-5, steps=1000, longer=4
    ),
    _later(name="digits, 60 rises to 85, Adam 3e-5", penalty=active(85), rate=3e-5, steps=850),
    _later(
        name="digits, 50 rises to 70, SGD 0.1",
        penalty=active(70),
        optimizer=SGD,
        rate=0.1,
        steps=850,
    ),
    _later(
        name="dictionary, 50 rises to 85, Adam 5e-5",
        penalty=active(85),
        data=dictionary,
        rate=5e-5,
        longer=5,
    ),
)

SLOWING = (
    _slowing(
        name="dictionary, 500 of 1000 to 20, Adam 7e-5",
        penalty=active(20),
        data=dictionary,
        units=1000,
        orthogonal=True,
        rate=7e-5,
    ),
    _slowing(
        name="dictionary, 50 to 10, NAdam annealed",
        penalty=active(10),
        data=dictionary,
        optimizer=NAdam,
        rate=2e-4,
        anneal=True,
    ),
    _slowing(
        name="dictionary, 50 to 20, Adam 1e-4", penalty=active(20), data=dictionary, rate=1e-4
    ),
    _slowing(
        name="noise, 32 of 64 to 4, Adam 5e-4", penalty=active(4), data=noise, units=64, rate=5e-4
    ),
    _slowing(name="digits, norm 0.3, Adam 1e-4", penalty=norm(0.3), rate=1e-4),
    _slowing(
        name="digits, mean 0.01, Adam 5e-5, batch 16",
        penalty=mean(0.01),
        rate=5e-5,
        batch=16,
        steps=2000,
        longer=2,
    ),
)

CANNOT = (
    _above(name="sigmoid in a wrapper", penalty=active(10), code=Squashed),
    _above(
        name="sigmoid in a wrapper, deep, SGD",
        penalty=active(20),
        code=Squashed,
        hidden=(64,),
        optimizer=SGD,
        rate=0.3,
    ),
    _above(name="tanh in a wrapper, 64", penalty=active(10), code=Bent, units=64),
    _above(name="tanh in a wrapper, classes", penalty=share(0.6), code=Bent, data=classes),
    _above(name="linear code", penalty=active(20), code=nn.Identity, orthogonal=True),
    _above(name="ReLU shifted by 0.1", penalty=active(20), code=Shifted),
    _above(
        name="ReLU shifted by 0.1, dictionary",
        penalty=active(30),
        code=Shifted,
        data=dictionary,
        units=256,
    ),
    _above(name="40 always on, to 20", penalty=active(20), code=partial(PartlyOn, 40)),
    _above(name="12 always on, to 10", penalty=active(10), code=partial(PartlyOn, 12)),
    _above(
        name="60 of 256 always on, to 30",
        penalty=active(30),
        code=partial(PartlyOn, 60),
        units=256,
        data=dictionary,
    ),
    _above(name="exactly 30, to 10", penalty=active(10), code=partial(Largest, 30)),
    _above(
        name="encoder not in the optimizer, to 20",
        penalty=active(20),
        wrong="encoder not in the optimizer",
    ),
    _above(
        name="encoder not in the optimizer, to 10, classes",
        penalty=active(10),
        wrong="encoder not in the optimizer",
        data=classes,
        hidden=(64,),
    ),
    _above(
        name="encoder not in the optimizer, norm 0.3",
        penalty=norm(0.3),
        wrong="encoder not in the optimizer",
    ),
    _below(name="exactly 30, to 50", penalty=active(50), code=partial(Largest, 30), steps=1000),
    _below(
        name="exactly 30, to 40, NAdam",
        penalty=active(40),
        code=partial(Largest, 30),
        optimizer=NAdam,
        rate=1e-3,
        data=dictionary,
    ),
    _below(
        name="encoder not in the optimizer, to 80",
        penalty=active(80),
        wrong="encoder not in the optimizer",
        steps=1000,
    ),
    _below(
        name="encoder not in the optimizer, mean 0.5",
        penalty=mean(0.5),
        wrong="encoder not in the optimizer",
        steps=1000,
    ),
    _below(name="20 alive, to 40", penalty=active(40), code=partial(PartlyDead, 20), steps=1000),
    _below(
        name="60 of 256 alive, to 90", penalty=active(90), code=partial(PartlyDead, 60), units=256
    ),
    _below(
        name="40 alive, to 60, classes",
        penalty=active(60),
        code=partial(PartlyDead, 40),
        data=classes,
    ),
    _below(name="99 of 100", penalty=active(99), steps=2000),
    _below(name="62 of 64, deep", penalty=active(62), units=64, hidden=(32, 32)),
    _below(name="sigmoid, mean 0.9", penalty=mean(0.9), code=nn.Sigmoid),
    _below(name="tanh, mean 0.9", penalty=mean(0.9), code=Bent),
)

FAULTS = (
    _swings(name="digits, 10, NAdam 2e-3", penalty=active(10)),
    _swings(name="digits, 10, NAdam 2e-3, other seed", penalty=active(10), seed=1),
    _swings(name="digits, 10, NAdam 2e-3, batch 512", penalty=active(10), batch=512),
    _swings(name="digits, 5, NAdam 2e-3", penalty=active(5)),
    _swings(name="digits, 20 of 200, NAdam 2e-3", penalty=active(20), units=200),
    _swings(name="digits, 10 of 256, batch 512", penalty=active(10), units=256, batch=512),
    _swings(name="digits, 10, NAdam 4e-3", penalty=active(10), rate=4e-3, orthogonal=False),
    _calmed(name="digits, 10, NAdam 2e-3 annealed", penalty=active(10)),
    _calmed(name="digits, 10, NAdam 2e-3 annealed, batch 512", penalty=active(10), batch=512),
    _unseen(name="penalty left out", penalty=active(10), wrong="penalty left out"),
    _unseen(name="code detached", penalty=active(10), wrong="code detached", data=classes),
    _unseen(name="loss of something else", penalty=active(10), wrong="loss of something else"),
    _unseen(name="encoder without gradients", penalty=active(10), wrong="frozen encoder"),
    _unseen(name="all units dead", penalty=active(10), bias=-10.0),
    _unseen(name="penalty left out, norm", penalty=norm(1.0), wrong="penalty left out"),
    _not_finite(name="overflow, active", penalty=active(10)),
    _not_finite(name="overflow, share, classes", penalty=share(0.1), data=classes),
    _not_finite(name="overflow, mean", penalty=mean(0.02)),
    _not_finite(name="overflow, norm", penalty=norm(1.0)),
    _free(name="noise, mean 0.1", penalty=mean(0.1), data=noise, units=64, rate=3e-3, steps=2500),
    _free(
        name="noise, mean 0.2 of 32, NAdam",
        penalty=mean(0.2),
        data=noise,
        units=32,
        rate=5e-3,
        optimizer=NAdam,
    ),
    _free(
        name="noise, L1 with norm 2",
        penalty=rz.L1(rz.TargetNorm(2.0)),
        data=noise,
        units=64,
        rate=3e-3,
        steps=1500,
    ),
)

_short = partial(Scenario, outcome=Outcome.STOPS_SHORT, code=Gate)

# the bound of the law is too low for a gate: what it leaves is no fault of the target
SHORT = (
    _short(name="gate, 10", penalty=active(10), larger=1e-2),
    _short(name="gate, 20, orthogonal", penalty=active(20), orthogonal=True, larger=3e-3),
    _short(name="gate, 40, orthogonal", penalty=active(40), orthogonal=True, larger=3e-3),
    _short(
        name="gate, 30, dictionary, SGD",
        penalty=active(30),
        data=dictionary,
        optimizer=SGD,
        rate=0.3,
        larger=3e-3,
    ),
)

SCENARIOS = (*MET, *MET_LATER, *SLOWING, *CANNOT, *FAULTS, *SHORT)
