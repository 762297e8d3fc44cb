"""Each fault of a penalty is said in words."""

from typing import ClassVar

import numpy as np
import pytest

import regularizers as rz
from regularizers.errors import PenaltyError, RegularizersError
from regularizers.penalties import ElementwiseTerm, Term
from regularizers.testing import check_penalty


class Cauchy(Term):
    """Σ log(1 + x²), as it should be."""

    def statistic(self, x, frame):
        return frame.xp.sum(frame.xp.log1p(x * x)), ()

    def pullback(self, x, saved, cotangent, frame):
        return cotangent * 2 * x / (1 + x * x)


class Factor(Cauchy):
    statistic = Cauchy.statistic

    def pullback(self, x, saved, cotangent, frame):
        return cotangent * x / (1 + x * x)


class Sign(Cauchy):
    statistic = Cauchy.statistic

    def pullback(self, x, saved, cotangent, frame):
        return -cotangent * 2 * x / (1 + x * x)


class Another(Cauchy):
    statistic = Cauchy.statistic

    def pullback(self, x, saved, cotangent, frame):
        return cotangent * frame.xp.tanh(x)


class Ignoring(Cauchy):
    """Reads its denominator and does not divide by it."""

    def value(self, statistic, denominator, xp):
        return statistic if denominator is None else statistic + 0 * denominator

    def derivative(self, statistic, denominator, xp):
        return xp.ones_like(statistic) * (1 if denominator is None else 1 + 0 * denominator)


class HalfIgnoring(Ignoring):
    """Divides the value and not the gradient."""

    def value(self, statistic, denominator, xp):
        return statistic if denominator is None else statistic / denominator

    derivative = Ignoring.derivative


class Units(Cauchy):
    """Means over samples are divided by the units too."""

    def denominator(self, frame):
        return None if frame.reduce == "sum" else frame.elements


class Samples(Cauchy):
    """Means over elements are divided by the samples only."""

    def denominator(self, frame):
        return None if frame.reduce == "sum" else frame.samples


class Strength(Cauchy):
    def statistic(self, x, frame):
        return self.strength * super().statistic(x, frame)[0], ()

    def pullback(self, x, saved, cotangent, frame):
        return self.strength * super().pullback(x, saved, cotangent, frame)


class Masked(Cauchy):
    """Counts what is masked, since its function is not 0 at 0."""

    def statistic(self, x, frame):
        return frame.xp.sum(frame.xp.log1p((x - 1) ** 2)), ()

    def pullback(self, x, saved, cotangent, frame):
        return cotangent * 2 * (x - 1) / (1 + (x - 1) ** 2)


class Signs(Cauchy):
    saves: ClassVar[str] = "sign"
    statistic = Cauchy.statistic
    pullback = Cauchy.pullback


class Nothing(Cauchy):
    saves: ClassVar[str] = "nothing"
    statistic = Cauchy.statistic
    pullback = Cauchy.pullback


class Square(Cauchy):
    """The square of a sum, which says that it adds up over samples."""

    def value(self, statistic, denominator, xp):
        return statistic**2 if denominator is None else (statistic / denominator) ** 2

    def derivative(self, statistic, denominator, xp):
        if denominator is None:
            return 2 * statistic
        return 2 * statistic / denominator**2

    def spans_samples(self, statistic):
        return False


class Root(Cauchy):
    """The root of a sum, whose statistics do not add up as they are."""

    def statistic(self, x, frame):
        return frame.xp.sqrt(1 + frame.xp.sum(x * x)), ()

    def pullback(self, x, saved, cotangent, frame):
        return cotangent * x / frame.xp.sqrt(1 + frame.xp.sum(x * x))

    def spans_samples(self, statistic):
        return True

    @property
    def reductions(self):
        return ("sum",)


class OverUnits(Root):
    @property
    def adds_over_units(self):
        return True


class Detached(Cauchy):
    def statistic(self, x, frame):
        return frame.xp.asarray(frame.xp.sum(frame.xp.log1p(x * x)).item(), dtype=x.dtype), ()

    pullback = Cauchy.pullback


class Kink(Cauchy):
    """|x|, whose gradient at 0 is not 0."""

    def statistic(self, x, frame):
        return frame.xp.sum(frame.xp.maximum(x, -x)), ()

    def pullback(self, x, saved, cotangent, frame):
        return cotangent * frame.xp.where(x < 0, -frame.xp.ones_like(x), frame.xp.ones_like(x))


class Infinite(Cauchy):
    def statistic(self, x, frame):
        return frame.xp.sum(frame.xp.maximum(x, -x)), ()

    def pullback(self, x, saved, cotangent, frame):
        with np.errstate(all="ignore"):
            return cotangent * x / frame.xp.sqrt(x * x)


class InPlace(Cauchy):
    def statistic(self, x, frame):
        x *= 1
        x += 1e-3
        return super().statistic(x, frame)

    pullback = Cauchy.pullback


class Many(Cauchy):
    def value(self, statistic, denominator, xp):
        return xp.stack([statistic, statistic])

    derivative = Cauchy.derivative


class NotFinite(Cauchy):
    def statistic(self, x, frame):
        with np.errstate(all="ignore"):
            return frame.xp.sum(frame.xp.log(x)), ()

    def pullback(self, x, saved, cotangent, frame):
        return cotangent / x


class Halved(Cauchy):
    """Computes in half precision."""

    def statistic(self, x, frame):
        half = frame.xp.astype(x, getattr(frame.xp, "float16", None) or frame.xp.float32)
        narrow = half if frame.dtype == frame.xp.float32 else x
        with np.errstate(all="ignore"):
            return frame.xp.astype(frame.xp.sum(frame.xp.log1p(narrow * narrow)), frame.dtype), ()

    pullback = Cauchy.pullback


class Offset(Cauchy):
    def statistic(self, x, frame):
        return 1 + super().statistic(x, frame)[0], ()

    pullback = Cauchy.pullback

    def spans_samples(self, statistic):
        return True

    @property
    def joins(self):
        return False

    @property
    def reductions(self):
        return ("sum",)


class Steep(Cauchy):
    """|x|, whose derivative at 0 by autograd is NaN."""

    def statistic(self, x, frame):
        return frame.xp.sum(frame.xp.sqrt(x * x)), ()

    def pullback(self, x, saved, cotangent, frame):
        return cotangent * frame.xp.sign(x)


class Centred(ElementwiseTerm):
    """Reads each piece by its own mean."""

    def element(self, xp, x):
        return (x - xp.mean(x)) ** 2

    def element_slope(self, xp, x):
        return 2 * (x - xp.mean(x))

    @property
    def adds_over_units(self):
        return False

    def spans_samples(self, statistic):
        return True

    @property
    def joins(self):
        return False


class Twice(rz.L1):
    """Shrinks by twice the threshold."""

    element, element_slope = rz.L1.element, rz.L1.element_slope
    stage = "elements"

    def proximal_step(self, x, step, strength, frame):
        return super().proximal_step(x, step, 2 * strength, frame)


class Undivided(Twice):
    """Shrinks by the threshold of a sum."""

    element, element_slope = rz.L1.element, rz.L1.element_slope
    stage = "elements"

    def proximal_step(self, x, step, strength, frame):
        t = step * strength
        return x - frame.xp.clip(x, -t, t), step


FAULTS = [
    (Factor, r"with reduce='sum' the gradient is 0\.5 times the numerical one; does it forget a"),
    (Sign, r"the gradient is -1 times the numerical one; is its sign wrong\?"),
    (Another, r"the gradient at an element .* and by differences .* another function\?"),
    (Ignoring, r"'batch_mean' the value is 2 times as .* it is not divided by the 5 samples"),
    (HalfIgnoring, r"'batch_mean' the gradient is 5 times .*, the number of samples; .* forgotten"),
    (Units, r"'batch_mean' the value is 0\.1667 times that of 'sum' divided by the 5 samples"),
    (Samples, r"'mean' the value is 2 times .* all units are .* not divided by the 3 units"),
    (Strength, r"the value for twice the strength is 4 times as large"),
    (Masked, r"with a mask|behind a mask the value is .* an array without the masked samples"),
    (Signs, r"saves='sign' says that the gradient needs the signs of x alone; at an element"),
    (Nothing, r"saves='nothing' says that the gradient needs nothing of x"),
    (Square, r"the sum over its samples .* let spans_samples\(\) return True"),
    (Root, r"the statistics of two parts of a batch, joined .* let to_sum\(\) return what adds"),
    (OverUnits, r"adds_over_units says that parts of the units add up, and along axis 1"),
    (Detached, r"autograd has no gradient of the value; does the formula leave the graph"),
    (Kink, r"the gradient at 0 is 0\.5; of an even function it should be 0"),
    (Infinite, r"the gradient at 0 is nan, where it should be 0; .* by xp\.where"),
    (Steep, r"autograd's gradient of the value at 0 is nan, and the analytic one 0; .* xp\.where"),
    (InPlace, r"changes x; does the formula write into its array\?|value_and_gradient"),
    (Many, r"the value has the shape \(2,\); it should be one number"),
    (NotFinite, r"the value is nan at numbers between .* say check_penalty\(\.\.\., x=\)"),
    (Halved, r"the value of an array in float16 is .* compute in half precision\?"),
    (Offset, r"where a mask leaves nothing the value is|count what is masked"),
    (Centred, r"mask|a large array, which is read in pieces"),
    (Twice, r"the proximal step is no minimum: .* with half the strength, it would be lower"),
    (
        Undivided,
        r"'batch_mean' the proximal step is no minimum: .* divided by the denominator, 5, it",
    ),
]


def test_the_one_without_a_fault_passes():
    check_penalty(Cauchy(0.5))


@pytest.mark.parametrize(("broken", "words"), FAULTS, ids=[b.__name__ for b, _ in FAULTS])
def test_a_fault_is_said_in_words(broken, words):
    with pytest.raises(PenaltyError, match=rf"^{broken.__name__}: .*({words})"):
        check_penalty(broken(0.5))


def test_a_fault_is_an_assertion_of_a_test_too():
    with pytest.raises(AssertionError) as caught:
        check_penalty(Factor(0.5))
    assert isinstance(caught.value, RegularizersError)
    assert str(caught.value).endswith("(NumPy)")


def test_a_fault_of_one_part_of_a_sum_is_found():
    with pytest.raises(PenaltyError, match=r"^Sign: "):
        check_penalty(rz.L1(0.5) + Sign(0.25))
