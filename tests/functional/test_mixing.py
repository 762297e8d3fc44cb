"""Mixup and CutMix: by hand for a weight and partners that are known, and by many draws."""

import re

import jax
import numpy as np
import pytest
import torch
from scipy import stats

from functional.generators import generator_of
from penalties.arrays import make, numbers
from regularizers import functional
from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError

# the numbers that are drawn are known only here
from regularizers.functional._cutmix import box_of

# as above
from regularizers.functional._mixing import symmetric_beta, weighted
from regularizers.penalties.arrays import namespace_of

MIXES = {"mixup": functional.mixup, "cutmix": functional.cutmix}
every_mix = pytest.mark.parametrize("mix", MIXES.values(), ids=MIXES)
SHAPE = (6, 2, 8, 10)
X = np.random.default_rng(0).standard_normal(SHAPE)
CLASSES = np.array([0, 1, 2, 3, 1, 0])


def integers(xp, values):
    return xp.asarray(values, dtype=xp.int64 if xp is not jax.numpy else xp.int32)


@pytest.mark.parametrize("weight", [0.0, 0.3, 1.0])
def test_a_weighted_sum_by_hand(xp, weight):
    x = make(xp, [[1.0, 2.0], [10.0, 20.0], [100.0, 200.0]])
    partners = integers(xp, [2, 0, 1])
    y = weighted(namespace_of(x), x, partners, make(xp, weight))
    own, other = weight, 1 - weight
    expected = [
        [own * 1 + other * 100, own * 2 + other * 200],
        [own * 10 + other * 1, own * 20 + other * 2],
        [own * 100 + other * 10, own * 200 + other * 20],
    ]
    np.testing.assert_allclose(numbers(y), expected, rtol=1e-15)


@pytest.mark.parametrize("alpha", [0.05, 0.2, 0.4, 1.0, 3.0, 50.0])
def test_the_weight_has_the_beta_distribution(xp, alpha):
    n = 20_000
    u, v = np.random.default_rng(1).random((2, n))
    drawn = numbers(symmetric_beta(namespace_of(make(xp, u)), make(xp, u), make(xp, v), alpha))
    expected = stats.beta(alpha, alpha)
    assert ((drawn >= 0) & (drawn <= 1)).all()
    assert abs(drawn.mean() - 0.5) < 5 * expected.std() / n**0.5
    assert abs(drawn.var() - expected.var()) < 5 * ((drawn - 0.5) ** 2).std() / n**0.5
    # numbers next to 1 are rounded to it, so the lower half is compared, and both are as likely
    low = drawn[drawn < 0.5]
    assert abs(len(low) - n / 2) < 5 * (n / 4) ** 0.5
    assert stats.kstest(low, lambda x: 2 * expected.cdf(x)).pvalue > 1e-3


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("alpha", [1e-3, 1.0, 1e4])
def test_the_weight_is_one_at_every_corner(xp, dtype, alpha):
    corners = np.meshgrid([0.0, 0.5, 1 - 2.0**-24], [0.0, 0.25, 0.5, 0.75])
    u, v = [make(xp, corner.ravel(), dtype) for corner in corners]
    drawn = numbers(symmetric_beta(namespace_of(u), u, v, alpha))
    assert ((drawn >= 0) & (drawn <= 1)).all()


@every_mix
def test_inputs_and_labels_have_the_same_weight_and_partner(xp, mix):
    seen = set()
    for seed in range(12):
        # of a picture of ones of its own channel, the mean of a channel is the weight of a class
        x = np.eye(5)[:, :, None, None] * np.ones((5, 5, 8, 10))
        mixed, labels = mix(
            make(xp, x), integers(xp, range(5)), 0.7, generator_of(xp, seed), classes=5
        )
        labels = numbers(labels)
        np.testing.assert_allclose(numbers(mixed).mean(axis=(2, 3)), labels, rtol=0, atol=1e-15)
        np.testing.assert_allclose(labels.sum(axis=1), 1, rtol=1e-15)
        np.testing.assert_allclose(labels.sum(axis=0), 1, rtol=1e-15)
        assert len({round(own, 12) for own in np.diagonal(labels) if own < 1}) <= 1
        seen.add(tuple((labels * (1 - np.eye(5))).argmax(axis=1)))
    assert len(seen) > 6


def test_the_weight_of_mixup_over_many_batches_has_the_mean_and_spread_of_beta():
    rng, alpha, n = np.random.default_rng(0), 0.4, 8000
    labels = [
        functional.mixup(np.zeros((2, 1)), np.array([0, 1]), alpha, rng, classes=2).labels
        for _ in range(n)
    ]
    # of two samples half of the permutations mix nothing
    weights = np.array([y[0, 0] for y in labels if y[0, 0] != 1])
    assert abs(len(weights) - n / 2) < 5 * (n / 4) ** 0.5
    expected = stats.beta(alpha, alpha)
    assert abs(weights.mean() - 0.5) < 5 * expected.std() / len(weights) ** 0.5
    assert abs(weights.std() - expected.std()) < 0.02
    assert stats.kstest(weights, expected.cdf).pvalue > 1e-3


@pytest.mark.parametrize("sides", [(8, 10), (7, 7), (1, 5), (32, 3)])
def test_the_share_of_a_box_is_that_of_its_pixels(xp, sides):
    rng = np.random.default_rng(0)
    clipped = 0
    for _ in range(40):
        centre, weight = rng.random(2), rng.random()
        box, share = box_of(
            namespace_of(make(xp, centre)), make(xp, centre), make(xp, weight), sides
        )
        # the authors' lines, by hand: half the sides are cut to integers, and clipped
        ratio = np.sqrt(1 - weight)
        expected = np.zeros(sides, dtype=bool)
        half = [int(ratio * side / 2) for side in sides]
        middle = [int(u * side) for u, side in zip(centre, sides, strict=True)]
        low = [max(m - h, 0) for m, h in zip(middle, half, strict=True)]
        high = [min(m + h, side) for m, h, side in zip(middle, half, sides, strict=True)]
        expected[low[0] : high[0], low[1] : high[1]] = True
        np.testing.assert_array_equal(np.asarray(box), expected)
        assert float(share) == 1 - expected.sum() / expected.size
        clipped += expected.sum() < 4 * half[0] * half[1]
    assert clipped > 5 or sides[0] == 1


def test_the_label_of_cutmix_counts_the_pixels_exactly(xp):
    pictures = np.arange(6)[:, None, None, None] * np.ones(SHAPE)
    boxes = set()
    for seed in range(12):
        x, y = functional.cutmix(
            make(xp, pictures), integers(xp, range(6)), 1.0, generator_of(xp, seed), classes=6
        )
        x, y = numbers(x), numbers(y)
        for sample in range(6):
            values, counts = np.unique(x[sample, 0], return_counts=True)
            np.testing.assert_array_equal(x[sample, 0], x[sample, 1])
            expected = np.zeros(6)
            expected[values.astype(int)] = counts / 80
            np.testing.assert_allclose(y[sample], expected, rtol=0, atol=1e-16)
        boxes.add(y[0].max())
    assert len(boxes) > 3


@every_mix
def test_labels_of_classes_and_of_their_probabilities_are_one(xp, mix):
    x, soft = make(xp, X), make(xp, np.eye(4)[CLASSES])
    one = mix(x, integers(xp, CLASSES), 1.0, generator_of(xp), classes=4)
    other = mix(x, soft, 1.0, generator_of(xp))
    same = mix(x, soft, 1.0, generator_of(xp), classes=4)
    for given in (other, same):
        np.testing.assert_array_equal(numbers(one.inputs), numbers(given.inputs))
        np.testing.assert_array_equal(numbers(one.labels), numbers(given.labels))
    # what is mixed already is mixed again
    again = mix(one.inputs, one.labels, 1.0, generator_of(xp, 3))
    np.testing.assert_allclose(numbers(again.labels).sum(axis=1), 1, rtol=1e-12)


@every_mix
def test_the_generator_decides_and_the_inputs_are_left_alone(xp, mix):
    x = make(xp, X)
    first = mix(x, integers(xp, CLASSES), 1.0, generator_of(xp, 3), classes=4)
    again = mix(x, integers(xp, CLASSES), 1.0, generator_of(xp, 3), classes=4)
    other = mix(x, integers(xp, CLASSES), 1.0, generator_of(xp, 8), classes=4)
    np.testing.assert_array_equal(numbers(first.inputs), numbers(again.inputs))
    np.testing.assert_array_equal(numbers(first.labels), numbers(again.labels))
    assert not np.array_equal(numbers(first.inputs), numbers(other.inputs))
    np.testing.assert_array_equal(numbers(x), X)


HALVES = [(np, "float16"), (torch, "float16"), (torch, "bfloat16"), (jax.numpy, "bfloat16")]


@every_mix
@pytest.mark.parametrize(("xp", "dtype"), [*HALVES, (np, "float32"), (torch, "float32")])
def test_the_types_are_kept(mix, xp, dtype):
    x = make(xp, X, dtype)
    mixed, labels = mix(x, integers(xp, CLASSES), 1.0, generator_of(xp), classes=4)
    assert mixed.dtype == labels.dtype == x.dtype
    soft = make(xp, np.eye(4)[CLASSES], "float32")
    assert mix(x, soft, 1.0, generator_of(xp)).labels.dtype == soft.dtype
    tenths = make(xp, np.full((6, 10), 0.1), dtype)
    assert mix(x, tenths, 1.0, generator_of(xp)).labels.dtype == x.dtype


def test_half_precision_is_mixed_in_float32():
    x = make(torch, X, "bfloat16")
    mixed = functional.mixup(x, torch.eye(6), 1.0, generator_of(torch))
    wide = functional.mixup(x.float(), torch.eye(6), 1.0, generator_of(torch))
    assert torch.equal(mixed.inputs, wide.inputs.bfloat16())


def test_the_gradient_of_mixup_is_that_of_the_sum():
    x = torch.tensor(X, requires_grad=True)
    y = functional.mixup(x, torch.eye(6), 1.0, generator_of(torch))
    (gradient,) = torch.autograd.grad(y.inputs.sum(), x)
    torch.testing.assert_close(gradient, torch.ones_like(x))


def test_a_box_leaves_nan_outside_of_it_alone():
    pictures = np.zeros((2, 8, 8))
    pictures[1] = np.nan
    x, y = functional.cutmix(pictures, np.eye(2), 1.0, np.random.default_rng(0))
    assert np.isnan(x[0]).sum() == round(64 * y[0, 1])
    assert np.isnan(x[1]).sum() == round(64 * y[1, 1])


@every_mix
def test_the_loss_of_pytorch_takes_the_labels(mix):
    x, y = mix(make(torch, X, "float32"), torch.tensor(CLASSES), 1.0, classes=4)
    loss = torch.nn.functional.cross_entropy(x.flatten(1)[:, :4], y)
    assert loss.isfinite()


@every_mix
@pytest.mark.parametrize(("shape", "size"), [((1, 2, 8, 8), 1), ((0, 2, 8, 8), 0)])
def test_a_batch_of_one_or_none(mix, shape, size):
    match = (
        rf"^inputs: expected two samples or more, since each is mixed with another, got {size} in "
        r"shape \(\d, 2, 8, 8\); leave such a batch as it is$"
    )
    with pytest.raises(ShapeError, match=match):
        mix(np.ones(shape), np.zeros(size, dtype=np.int64), 1.0, generator_of(np), classes=2)


@every_mix
@pytest.mark.parametrize("alpha", [0, -1.0, np.inf, np.nan, True, None], ids=repr)
def test_an_alpha_that_cannot_be(mix, alpha):
    with pytest.raises(ConfigurationError, match=r"^alpha: expected a finite number above 0, got "):
        mix(X, CLASSES, alpha, generator_of(np), classes=4)


@every_mix
@pytest.mark.parametrize(
    ("labels", "classes", "error", "message"),
    [
        (
            CLASSES - 1,
            4,
            ConfigurationError,
            r"labels: expected classes from 0 to 3, .* from -1 to 2",
        ),
        (CLASSES, 3, ConfigurationError, r"labels: expected classes from 0 to 2, .* from 0 to 3"),
        (CLASSES, None, ConfigurationError, r"classes: expected the number of classes .* got None"),
        (CLASSES, 1, ConfigurationError, r"classes: expected an integer of 2 or more, .* got 1$"),
        (CLASSES, 4.0, ConfigurationError, r"classes: expected an integer of 2 or more, .* 4\.0$"),
        (CLASSES[:5], 4, ShapeError, r"labels: expected shape \(6,\), one class .* got \(5,\)$"),
        (CLASSES[:, None], 4, ShapeError, r"labels: expected shape \(6,\), .* got \(6, 1\)$"),
        (np.eye(5), None, ShapeError, r"labels: expected shape \(6, classes\), .* got \(5, 5\)$"),
        (np.ones(6), None, ShapeError, r"labels: expected shape \(6, classes\), .* got \(6,\)$"),
        (np.eye(6), 4, ConfigurationError, r"classes: expected 6, as the labels have, got 4"),
        (2 * np.eye(6), None, ConfigurationError, r"labels: .* sums up to 1 away from 1 and a sm"),
        (
            np.eye(6) * 2 - np.roll(np.eye(6), 1, 0),
            None,
            ConfigurationError,
            r"labels: expected probabilities whose sum is 1 .* and a smallest of -1; for integer",
        ),
        (np.eye(6) * np.nan, None, ConfigurationError, r"labels: expected probabilities whose sum"),
        (CLASSES > 1, 4, ArrayTypeError, r"labels: expected integers, .* or floats, .* got bool$"),
        ([0, 1, 2, 3, 1, 0], 4, ArrayTypeError, r"labels: expected an array of .*, got list$"),
        (torch.tensor(CLASSES), 4, ArrayTypeError, r"labels: expected an array .*, got Tensor$"),
    ],
    ids=[
        *("negative", "too large", "unnumbered", "one class", "fractional classes", "too few"),
        *("a column", "too few rows", "one probability", "other classes", "no sum of 1"),
        *("below 0", "nan", "booleans", "a list", "another library"),
    ],
)
def test_labels_that_are_no_classes(mix, labels, classes, error, message):
    with pytest.raises(error, match=f"^{message}"):
        mix(X, labels, 1.0, generator_of(np), classes=classes)


@every_mix
def test_other_input_that_cannot_be(mix):
    with pytest.raises(ArrayTypeError, match=r"^inputs: expected an array of a real floating"):
        mix(X.astype(np.int64), CLASSES, 1.0, generator_of(np), classes=4)
    with pytest.raises(ConfigurationError, match=r"^rng: expected a numpy\.random\.Generator, got"):
        mix(X, CLASSES, 1.0, classes=4)


@pytest.mark.parametrize("shape", [(), (6,), (6, 4)])
def test_inputs_without_axes_of_space(shape):
    match = re.escape(f"inputs: expected shape (N, ..., H, W), samples first, got {shape}")
    with pytest.raises(ShapeError, match=match):
        functional.cutmix(np.ones(shape), CLASSES, 1.0, generator_of(np), classes=4)
