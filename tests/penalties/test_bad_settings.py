"""Settings that cannot be are refused when the penalty is made, whatever array comes later."""

from decimal import Decimal
from fractions import Fraction
from math import inf, nan

import numpy as np
import pytest
import torch

from regularizers import (
    L0,
    L1,
    L1L2,
    ActivityRegularization,
    Budget,
    ConfidencePenalty,
    Decorrelation,
    Entropy,
    GroupLasso,
    Hinge,
    Hoyer,
    Huber,
    KLSparsity,
    L2Norm,
    L2Squared,
    Laplacian,
    LogSum,
    Lp,
    Orthogonal,
    Spectral,
    TotalVariation,
)
from regularizers.errors import ConfigurationError, StrengthError, StrengthTypeError

MAKERS = {
    "L0": L0,
    "L1": L1,
    "L2Norm": L2Norm,
    "L2Squared": L2Squared,
    "L1L2": lambda s, **options: L1L2(s, 0.1, **options),
    "Huber": Huber,
    "Lp": lambda s, **options: Lp(s, 1.5, **options),
    "LogSum": lambda s, **options: LogSum(s, 0.5, **options),
    "Hinge": lambda s, **options: Hinge(s, above=1.0, **options),
    "Hoyer": Hoyer,
    "TotalVariation": lambda s, **options: TotalVariation(s, 1, **options),
    "Laplacian": lambda s, **options: Laplacian(s, np.ones((3, 3)), 1, **options),
    "GroupLasso": lambda s, **options: GroupLasso(s, 0, **options),
    "Orthogonal": Orthogonal,
    "Spectral": Spectral,
    "Entropy": Entropy,
    "ConfidencePenalty": ConfidencePenalty,
    "Decorrelation": Decorrelation,
    "KLSparsity": lambda s, **options: KLSparsity(s, 0.1, **options),
    "Budget": lambda s, **options: Budget(L1(s, **options), 1.0),
    "ActivityRegularization": lambda s, **options: ActivityRegularization(s, "l1", **options),
}
every_maker = pytest.mark.parametrize("maker", MAKERS.values(), ids=MAKERS.keys())


@every_maker
@pytest.mark.parametrize("strength", [-1, -1e-300, nan, inf, -inf, np.float32(nan)], ids=repr)
def test_a_strength_that_is_negative_or_not_finite(maker, strength):
    match = f"expected a finite number, zero or more, got {float(strength)}; to turn a penalty off"
    with pytest.raises(StrengthError, match=match) as caught:
        maker(strength)

    assert isinstance(caught.value, ValueError)


@every_maker
def test_a_strength_too_large_for_a_float(maker):
    with pytest.raises(StrengthError, match="expected a finite number, zero or more, got"):
        maker(10**400)


@every_maker
@pytest.mark.parametrize(
    "strength",
    [True, False, np.True_, None, "0.1", 1j, [0.1], Decimal("0.1"), np.ones(1), torch.tensor(0.1)],
    ids=repr,
)
def test_a_strength_that_is_no_number(maker, strength):
    match = f"expected a number, finite and not negative, got .* of type {type(strength).__name__}"
    with pytest.raises(StrengthTypeError, match=match) as caught:
        maker(strength)

    assert isinstance(caught.value, TypeError)


@pytest.mark.parametrize("strength", [0, 1, 0.5, np.float32(0.5), np.int64(3), Fraction(1, 4)])
def test_every_kind_of_real_number_is_a_strength(strength):
    held = L1(strength).strength

    assert type(held) is float
    assert held == float(strength)


@pytest.mark.parametrize(("name", "strengths"), [("l1", (-1.0, 0.1)), ("l2", (0.1, -1.0))])
def test_the_elastic_net_names_the_strength_that_is_wrong(name, strengths):
    with pytest.raises(StrengthError, match=f"^{name}: expected a finite number"):
        L1L2(*strengths)


@pytest.mark.parametrize(
    ("factor", "got"), [(-1, "-0.1"), (nan, "nan"), (inf, "inf"), (np.float64(-2), "-0.2")]
)
@pytest.mark.parametrize(
    "penalty",
    [L1(0.1), L1L2(0.1, 0.1), ActivityRegularization.l2(0.1), L1(0.1) + L1(0.1)],
    ids=repr,
)
def test_a_factor_that_makes_no_strength(penalty, factor, got):
    with pytest.raises(StrengthError, match=f"finite number, zero or more, got {got}; to turn"):
        factor * penalty


@every_maker
@pytest.mark.parametrize(
    "reduce", ["none", "Sum", "batchmean", "", 0, True, [], ("sum",)], ids=repr
)
def test_a_reduction_there_is_not(maker, reduce):
    with pytest.raises(ConfigurationError, match="'sum', 'batch_mean', 'mean' or None, got") as e:
        maker(0.1, reduce=reduce)

    assert str(e.value).endswith(repr(reduce))


@every_maker
@pytest.mark.parametrize("axis", [0.0, "0", [0], (0, 1.0), True, (False,), np.int64(0)], ids=repr)
def test_a_batch_axis_that_is_no_integer(maker, axis):
    with pytest.raises(ConfigurationError, match="batch_axis: expected an integer, a tuple") as e:
        maker(0.1, batch_axis=axis)

    assert str(e.value).endswith(f"got {axis!r}")


@pytest.mark.parametrize("norm", ["L1", "l3", "", None, 2, ["l1"]], ids=repr)
def test_a_norm_there_is_not(norm):
    with pytest.raises(ConfigurationError, match="norm: expected one of 'l1', 'l2', 'l2_squa") as e:
        ActivityRegularization(0.1, norm)

    assert str(e.value).endswith(f"got {norm!r}")


@pytest.mark.parametrize(
    "target", [0.0, 1.0, -0.1, 1.1, nan, inf, 1e-7, True, "0.1", None], ids=repr
)
def test_a_target_that_is_no_mean_activation(target):
    with pytest.raises(ConfigurationError, match="target: expected a number between") as e:
        KLSparsity(0.1, target)

    assert str(e.value).endswith(f"got {target!r}")


@pytest.mark.parametrize("epsilon", [0.0, 0.5, 0.9, -1e-6, nan, True, "1e-6", None], ids=repr)
def test_an_epsilon_that_leaves_no_range(epsilon):
    with pytest.raises(ConfigurationError, match="epsilon: expected a number between 0 and") as e:
        KLSparsity(0.1, 0.3, epsilon=epsilon)

    assert str(e.value).endswith(f"got {epsilon!r}")


@pytest.mark.parametrize("target", [np.float64(0.25), np.float32(0.25), Fraction(1, 4)], ids=repr)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_a_target_from_another_library_is_a_number(target, dtype):
    x = torch.tensor([[0.5], [0.5]], dtype=getattr(torch, dtype), requires_grad=True)
    value = KLSparsity(1.0, target)(x)

    assert value.dtype == x.dtype
    assert value.item() == pytest.approx(0.25 * np.log(0.5) + 0.75 * np.log(1.5), rel=1e-6)
    assert KLSparsity(1.0, target)(x.detach().numpy()).dtype == dtype


@pytest.mark.parametrize("value", [0, -1.0, nan, inf, True, "1", None, 1j], ids=repr)
@pytest.mark.parametrize(
    ("name", "maker"),
    [
        ("delta", lambda value: Huber(0.1, value)),
        ("p", lambda value: Lp(0.1, value)),
        ("epsilon", lambda value: LogSum(0.1, value)),
    ],
    ids=["Huber", "Lp", "LogSum"],
)
def test_a_setting_that_is_no_positive_number(name, maker, value):
    match = f"^{name}: expected a finite number above 0, got"
    with pytest.raises(ConfigurationError, match=match) as caught:
        maker(value)

    assert str(caught.value).endswith(f"got {value!r}")


@pytest.mark.parametrize("axis", [0.0, "0", [0], (0, 1.0), True, None, np.int64(0)], ids=repr)
def test_an_axis_of_groups_that_is_no_integer(axis):
    with pytest.raises(ConfigurationError, match="axis: expected an integer, a tuple of") as e:
        GroupLasso(0.1, axis)

    assert str(e.value).endswith(f"got {axis!r}")


@pytest.mark.parametrize("axis", [0.0, "0", (0,), True, None], ids=repr)
def test_an_axis_of_vectors_that_is_no_integer(axis):
    with pytest.raises(ConfigurationError, match="axis: expected an integer, 'output' or") as e:
        Orthogonal(0.1, axis)

    assert str(e.value).endswith(f"got {axis!r}")


@pytest.mark.parametrize("normalized", [1, None, "yes"], ids=repr)
def test_neither_true_nor_false(normalized):
    with pytest.raises(ConfigurationError, match="normalized: expected True or False, got"):
        Orthogonal(0.1, normalized=normalized)


@pytest.mark.parametrize("reduce", ["mean", "batch_mean"])
def test_orthogonality_is_no_sum_to_average(reduce):
    match = f"reduce: expected 'sum' or None of Orthogonal, .*, got '{reduce}'; divide the strength"
    with pytest.raises(ConfigurationError, match=match):
        Orthogonal(0.1, reduce=reduce)


def test_orthogonality_has_no_samples():
    with pytest.raises(ConfigurationError, match=r"batch_axis: expected None .*, got 1; the vect"):
        Orthogonal(0.1, batch_axis=1)


@pytest.mark.parametrize("bound", [nan, inf, -inf, True, "1", 1j], ids=repr)
@pytest.mark.parametrize("name", ["above", "below"])
def test_a_bound_that_is_no_finite_number(name, bound):
    with pytest.raises(ConfigurationError, match=f"^{name}: expected a finite number, got") as e:
        Hinge(0.1, **{name: bound})

    assert str(e.value).endswith(f"got {bound!r}")


def test_a_range_without_a_bound():
    with pytest.raises(
        ConfigurationError, match=r"expected above= or below=.*got neither; to pull back"
    ):
        Hinge(0.1)


def test_a_range_of_nothing():
    with pytest.raises(
        ConfigurationError, match=r"below <= above, got below=2.0 and above=1.0; el"
    ):
        Hinge(0.1, above=1, below=2)


@pytest.mark.parametrize("axes", [(), 0.0, "0", [0], (0, 1.0), True, None, "output"], ids=repr)
def test_axes_of_neighbours_that_are_no_integers(axes):
    with pytest.raises(ConfigurationError, match="axes: expected an integer or a tuple of") as e:
        TotalVariation(0.1, axes)

    assert str(e.value).endswith(f"got {axes!r}")


@pytest.mark.parametrize("axis", [0.0, "0", (0,), True, None, "output"], ids=repr)
def test_an_axis_of_nodes_that_is_no_integer(axis):
    with pytest.raises(ConfigurationError, match="axis: expected an integer, got") as e:
        Laplacian(0.1, np.ones((2, 2)), axis)

    assert str(e.value).endswith(f"got {axis!r}")
