"""The generator: each probability, the dictionary and the streams are what they say."""

import math

import pytest
import torch
from scipy.stats import multivariate_normal, norm

from regularizers.errors import ConfigurationError, ShapeError
from regularizers.sae.synthetic import Superposition, superposition

N = 100_000


def sampled(problem: Superposition, n: int = N) -> torch.Tensor:
    return problem.sample(n, torch.Generator().manual_seed(5)).coefficients


def check_frequencies(fires: torch.Tensor, probabilities: torch.Tensor) -> None:
    """Check each frequency within five deviations of the binomial law."""
    found = fires.double().mean(dim=0)
    deviation = (probabilities * (1 - probabilities) / len(fires)).sqrt()
    assert ((found - probabilities).abs() <= 5 * deviation).all()


@pytest.mark.parametrize(
    "options",
    [
        {"active": 2.0},
        {"active": 3.0, "probabilities": "power", "exponent": 1.5, "highest": 0.9},
        {"probabilities": torch.tensor([0.0, 1.0, 0.5, 0.01, *[0.2] * 12])},
        {"active": 4.0, "correlation_rank": 2, "correlation_scale": 0.35},
        {"probabilities": torch.full((16,), 0.6), "hierarchy": [-1, 0, 0, 1, *[-1] * 10, 3, 4]},
    ],
)
def test_each_feature_fires_as_often_as_its_probability(options):
    problem = superposition(16, 8, magnitude_deviation=0.0, **options)
    check_frequencies(sampled(problem) > 0, problem.probabilities)
    assert problem.active == pytest.approx(options.get("active", problem.active), rel=1e-9)


def test_independent_features_fire_independently_within_and_across_samples():
    problem = superposition(6, 4, 1.8, magnitude_deviation=0.0)
    fires = sampled(problem).double()
    both = fires.mT @ fires / N
    after = fires[:-1].mT @ fires[1:] / N
    deviation = math.sqrt(0.09 * 0.91 / N)
    assert (both - 0.09)[~torch.eye(6, dtype=torch.bool)].abs().max() < 5 * deviation
    assert (after - 0.09).abs().max() < 5 * deviation


def test_correlated_features_fire_together_as_the_gaussian_says():
    scale, p = 0.7, torch.tensor([0.3, 0.1])
    problem = superposition(
        2, 2, probabilities=p, correlation_rank=1, correlation_scale=scale, seed=4,
        magnitude_deviation=0.0,
    )  # fmt: skip
    fires = sampled(problem) > 0
    both = fires.all(dim=1).double().mean().item()
    assert abs(both - 0.03) > 0.005  # or there is nothing to see
    # the factors are not public, so the correlation is the one that gives `both`
    thresholds = norm.ppf(p.numpy())
    inner = [
        multivariate_normal([0, 0], [[1, r], [r, 1]]).cdf(thresholds) for r in (-0.95, 0, 0.95)
    ]
    assert inner[0] < both < inner[2]
    assert inner[1] == pytest.approx(0.03)


def test_a_common_factor_correlates_as_its_products_say():
    # reason: the factors of a Superposition are drawn, here they are known
    from regularizers.sae.synthetic._firing import Correlated

    factors, p = torch.tensor([[0.8], [0.5], [-0.6]]), torch.tensor([0.3, 0.1, 0.2]).double()
    law = Correlated(p, factors)
    fires = law.draw(N, torch.Generator().manual_seed(1)).dense(N, 3)
    check_frequencies(fires, p)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        r = float(factors[i] * factors[j])
        expected = multivariate_normal([0, 0], [[1, r], [r, 1]]).cdf(norm.ppf(p[[i, j]].numpy()))
        both = (fires[:, i] & fires[:, j]).double().mean().item()
        assert both == pytest.approx(expected, abs=5 * math.sqrt(expected / N))


def test_children_fire_only_with_their_parents():
    parents = [-1, 0, 1, 2, -1, 4]
    problem = superposition(6, 6, 1.2, hierarchy=parents, magnitude_deviation=0.0)
    fires = sampled(problem) > 0
    for child, parent in enumerate(parents):
        if parent >= 0:
            assert not (fires[:, child] & ~fires[:, parent]).any()
    p = problem.probabilities
    q = p[0]
    assert torch.allclose(p, torch.stack([q, q**2, q**3, q**4, q, q**2]))
    assert p.sum() == pytest.approx(1.2)
    assert problem.hierarchy.tolist() == parents


def test_magnitudes_are_a_rectified_normal():
    strong = sampled(superposition(4, 4, 4.0, magnitude_deviation=0.5)).double()  # all fire
    s = 0.5
    mean = norm.cdf(1 / s) + s * norm.pdf(1 / s)
    square = (1 + s**2) * norm.cdf(1 / s) + s * norm.pdf(1 / s)
    assert strong.mean().item() == pytest.approx(mean, abs=0.005)
    assert strong.square().mean().item() == pytest.approx(square, abs=0.01)
    assert (strong == 0).double().mean().item() == pytest.approx(norm.cdf(-1 / s), abs=0.001)


@pytest.mark.parametrize("name", ["A2", "B8"])
def test_named_problems_are_what_the_table_says(name):
    problem = Superposition.named(name)
    p = problem.probabilities
    if name == "A2":
        assert problem.dictionary.shape == (256, 64)
        assert torch.allclose(p, torch.full_like(p, 2.8 / 256))
    else:
        assert problem.dictionary.shape == (1024, 128)
        assert p[:2].tolist() == [0.3, 0.3]
        assert p[-1].item() == pytest.approx(0.0021, abs=5e-5)
        assert (p[9] / p[99]).item() == pytest.approx(10**0.8)
        assert p.sum().item() == pytest.approx(8)


def test_samples_are_sums_of_the_directions():
    problem = superposition(12, 5, 3.0)
    x, coefficients = problem.sample(1000, torch.Generator().manual_seed(0))
    assert torch.allclose(x, coefficients @ problem.dictionary, atol=1e-6)


@pytest.mark.parametrize(("features", "dimensions"), [(40, 8), (8, 8), (5, 8)])
def test_directions_are_as_far_apart_as_the_welch_bound_allows(features, dimensions):
    rows = superposition(features, dimensions, 1.0).dictionary.double()
    assert torch.allclose(rows.norm(dim=1), torch.ones(features).double(), atol=1e-6)
    cosines = (rows @ rows.mT).square().sum().item() - features
    least = max(features**2 / dimensions - features, 0)
    assert cosines == pytest.approx(least, abs=1e-2)
    plain = superposition(features, dimensions, 1.0, orthogonalise=False).dictionary
    assert (plain @ plain.mT).square().sum().item() - features > least + 1


def test_a_stream_is_the_same_each_time_and_at_each_index():
    problem = superposition(16, 8, 2.0)
    state = torch.get_rng_state()
    batches = problem.batches(32, 5, seed=3)
    first, then = list(batches), list(batches)
    assert len(batches) == len(first) == 5
    assert all(map(torch.equal, first, then))
    assert torch.equal(batches[4], first[4])
    assert torch.equal(batches[-1], first[4])
    assert torch.equal(state, torch.get_rng_state())
    assert torch.equal(superposition(16, 8, 2.0).batches(32, 5, seed=3)[2], first[2])
    with pytest.raises(IndexError, match="batch 5 of 5"):
        batches[5]


def test_other_seeds_have_no_batch_in_common():
    problem = superposition(16, 8, 2.0)
    batches = [x for seed in range(4) for x in problem.batches(8, 4, seed=seed)]
    flat = torch.stack(batches).flatten(1)
    assert len(flat.unique(dim=0)) == 16
    assert not torch.equal(superposition(16, 8, 2.0, seed=1).dictionary, problem.dictionary)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"features": 0}, ConfigurationError, "^features: .* 1 or more, got 0"),
        ({"active": 17.0}, ConfigurationError, "^active: .* at most 16,"),
        ({"active": 0.0}, ConfigurationError, "^active: "),
        ({"active": math.nan}, ConfigurationError, "^active: "),
        ({"probabilities": "zipf"}, ConfigurationError, '"uniform", "power" or a tensor'),
        ({"probabilities": torch.ones(3)}, ShapeError, "each of 16 features"),
        ({"probabilities": torch.full((16,), 2.0)}, ConfigurationError, r"in \[0, 1\]"),
        (
            {"probabilities": torch.full((16,), 0.5), "active": 3.0},
            ConfigurationError,
            "add up to 8, got 3.0; leave active out",
        ),
        ({"hierarchy": [1, 0, *[-1] * 14]}, ConfigurationError, r"own ancestors, .*\[0, 1\]"),
        ({"hierarchy": [-1] * 3}, ShapeError, "parent for each of 16"),
        ({"hierarchy": [16, *[-1] * 15]}, ConfigurationError, "0 to 15"),
        ({"hierarchy": [0.5] * 16}, ConfigurationError, "integers"),
        (
            {"correlation_rank": 50, "correlation_scale": 0.5},
            ConfigurationError,
            "variance of its own",
        ),
        ({"magnitude_deviation": -1.0}, ConfigurationError, "^magnitude_deviation: "),
        ({"highest": 0.0}, ConfigurationError, "^highest: "),
        ({"exponent": -1.0}, ConfigurationError, "^exponent: "),
        ({"seed": 0.5}, ConfigurationError, "^seed: "),
    ],
)
def test_what_cannot_be_is_refused(options, error, message):
    with pytest.raises(error, match=message):
        superposition(**{"features": 16, "dimensions": 8, **options})


def test_other_names_and_streams_are_refused():
    with pytest.raises(ConfigurationError, match="one of A2, A8, B8, got 'C'"):
        Superposition.named("C")
    with pytest.raises(ConfigurationError, match=r"^number: .* got 0"):
        superposition(16, 8, 2.0).batches(8, 0, seed=0)
