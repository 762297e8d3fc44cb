"""Every penalty of ours is what it says it is, and so are those that people write outside."""

import numpy as np
import pytest

import regularizers as rz
from matrix.penalties import CASES, OF_GATES, OF_KERNELS, ONE_EACH
from penalties.cases import OPTIONED
from penalties.outside import Asymmetric, Leaning, Log, Quartic, Signed, Signs, Towards
from regularizers.errors import ConfigurationError, StrengthTypeError
from regularizers.testing import check_penalty

OURS = [
    *[case.penalty for case in ONE_EACH + OF_GATES + OF_KERNELS],
    rz.Laplacian(0.5, [[0, 1, 0], [1, 0, 2], [0, 2, 0]], 1),
]
"""Every class."""

OTHERS = [
    *[case.penalty for case in CASES if isinstance(case.penalty, (rz.Elementwise, rz.Lp))],
    *[p for p in OPTIONED if isinstance(p, (rz.GroupLasso, rz.L2Norm, rz.KLSparsity))],
    *[rz.Hinge(0.5, above=0.5, below=-0.25), rz.Hoyer(0.5), rz.Hoyer(0.5, batch_axis=(0, 1))],
    *[rz.TotalVariation(0.5, (1, 2)), rz.TotalVariation(0.5, (0, 2), batch_axis=1)],
    *[rz.TotalVariation(0.5, (0, 1), batch_axis=()), rz.Temporal(rz.TotalVariation(0.5, 2), 1)],
    rz.Laplacian(0.5, np.ones((2, 2)), -1),
    *[rz.Laplacian(0.5, np.ones((5, 5)), 0, reduce=reduce) for reduce in ("sum", "mean")],
    rz.L1(0.5, batch_axis=(0, 1)),
    rz.Entropy(0.5, axis=1),
    rz.Decorrelation(0.5, batch_axis=(0, 2)),
    rz.Spectral(0.5, axis=1),
    rz.FromFunction(0.5, lambda xp, x: xp.sum(xp.cosh(x)), "elements"),
]
OUTSIDE = [p(0.5) for p in (Asymmetric, Signed, Quartic, Towards, Leaning, Log, Signs)]


@pytest.mark.parametrize("penalty", OURS, ids=repr)
def test_our_penalties_are_what_they_say(penalty):
    check_penalty(penalty)


@pytest.mark.sampled(every=2)
@pytest.mark.parametrize("penalty", OTHERS, ids=repr)
def test_so_are_others_of_the_same_classes(penalty):
    check_penalty(penalty)


@pytest.mark.parametrize("penalty", OUTSIDE, ids=repr)
def test_penalties_from_outside_are_what_they_say(penalty):
    check_penalty(penalty)


def test_it_may_be_checked_on_an_array_of_ones_own():
    check_penalty(rz.KLSparsity(0.5, 0.25), x=np.linspace(0.1, 0.9, 12).reshape(3, 4))


def test_only_penalties_with_numbers_are_checked():
    with pytest.raises(ConfigurationError, match=r"expected a penalty such as L1\(1e-3\), got 3"):
        check_penalty(3)
    with pytest.raises(StrengthTypeError):
        check_penalty(rz.L1(rz.LinearWarmup(1.0, 10)))


@pytest.mark.parametrize(
    "penalty",
    [
        rz.Elementwise(0.3, lambda xp, x: xp.abs(x), name="Abs"),
        rz.Elementwise(0.3, lambda xp, x: xp.exp(x), lambda xp, x: xp.exp(x), name="Exp"),
        rz.Lp(0.3, 20.0),
    ],
    ids=repr,
)
def test_right_penalties_of_unusual_formulas_pass(penalty):
    check_penalty(penalty)


def test_a_strength_of_0_shows_nothing():
    with pytest.raises(ConfigurationError, match="expected strengths above 0"):
        check_penalty(rz.L1(0.0))
