"""Units against the features of a known dictionary."""

import importlib

import pytest
import torch

import regularizers as rz
from regularizers.errors import ConfigurationError, ShapeError
from regularizers.sae import SparseAutoencoder
from regularizers.sae.evaluation import compare_with_truth, evaluate
from regularizers.sae.synthetic import Superposition, superposition
from sae.known import autoencoder, of_directions

SAMPLES = 3000


def problem(features: int = 8, dimensions: int = 8, active: float = 2.0) -> Superposition:
    return superposition(features, dimensions, active, probabilities="power")


def by_hand(sae: SparseAutoencoder, source: Superposition, matching: list[int]) -> dict:
    """Return figures for one matching, from all samples at once."""
    x, true = source.sample(SAMPLES, torch.Generator().manual_seed(0))
    with torch.no_grad():
        code = sae.encode(x)
    found = torch.stack([code[:, u] if u >= 0 else code[:, 0] * 0 for u in matching], dim=1) > 0
    true = true > 0
    both = (found & true).sum(0).double()
    f1 = 2 * both / (found.sum(0) + true.sum(0))
    return {
        "precision": (both.sum() / found.sum()).item(),
        "recall": (both.sum() / true.sum()).item(),
        "f1": (2 * both.sum() / (found.sum() + true.sum())).item(),
        "mean_f1": f1.mean().item(),
        "l0": (code > 0).sum(1).double().mean().item(),
        "true_l0": true.sum(1).double().mean().item(),
    }


def test_the_true_dictionary_in_another_order_is_found():
    source = problem()
    order = torch.tensor([3, 1, 0, 2, 7, 6, 5, 4])
    sae = of_directions(source.dictionary[order], -0.5)
    truth = compare_with_truth(sae, source, SAMPLES)
    matching = order.argsort().tolist()
    assert truth.matching.tolist() == matching
    assert truth.mcc == pytest.approx(1, abs=1e-6)
    assert (truth.recovered, truth.surplus, truth.surplus_l0, truth.dead) == (1.0, 0, 0.0, 0)
    expected = by_hand(sae, source, matching)
    assert {name: getattr(truth, name) for name in expected} == pytest.approx(expected)
    assert truth.precision > 0.99 > truth.recall


def test_pooled_figures_are_those_of_the_monitor():
    source = problem(16, 6)
    sae = of_directions(source.dictionary, -0.3)
    truth = compare_with_truth(sae, source, SAMPLES)
    x, true = source.sample(SAMPLES, torch.Generator().manual_seed(0))
    firing = rz.monitor.Firing()
    firing.update(true, sae.encode(x))
    assert list(firing.as_dict().values()) == pytest.approx(
        [truth.f1, truth.precision, truth.recall]
    )
    assert truth.explained_variance == pytest.approx(evaluate(sae, x).explained_variance)
    assert truth.mean_f1 != pytest.approx(truth.f1, abs=1e-3)


def test_surplus_units_are_named_as_surplus():
    source = problem()
    spare = torch.nn.functional.normalize(torch.ones(4, 8) + torch.eye(4, 8), dim=1)
    rows = torch.cat([spare, source.dictionary])
    bias = torch.tensor([-0.5, -100.0, -100.0, -0.5, *[-0.5] * 8])
    sae = autoencoder(rows, rows, bias)
    truth = compare_with_truth(sae, source, SAMPLES)
    assert truth.matching.tolist() == list(range(4, 12))
    assert (truth.surplus, truth.surplus_dead, truth.dead) == (4, 2, 2)
    x, _ = source.sample(SAMPLES, torch.Generator().manual_seed(0))
    active = (sae.encode(x)[:, :4] > 0).sum(1).double().mean().item()
    assert truth.surplus_l0 == pytest.approx(active)
    assert active > 0
    expected = by_hand(sae, source, list(range(4, 12)))
    assert {name: getattr(truth, name) for name in expected} == pytest.approx(expected)


def test_features_without_a_unit_are_missed():
    source = problem()
    sae = of_directions(source.dictionary[:3], -0.5)
    truth = compare_with_truth(sae, source, SAMPLES)
    matching = [0, 1, 2, *[-1] * 5]
    assert truth.matching.tolist() == matching
    assert truth.mcc == pytest.approx(3 / 8, abs=1e-6)
    assert truth.recovered == pytest.approx(3 / 8)
    assert truth.surplus == 0
    expected = by_hand(sae, source, matching)
    assert {name: getattr(truth, name) for name in expected} == pytest.approx(expected)


def test_the_threshold_is_of_the_cosine():
    source = problem()
    tilted = torch.nn.functional.normalize(
        source.dictionary + 0.6 * source.dictionary.roll(1, 0), dim=1
    )
    sae = of_directions(tilted, -0.5)
    assert compare_with_truth(sae, source, 100).recovered == 0
    assert compare_with_truth(sae, source, 100, threshold=0.8).recovered == 1


def test_an_evaluation_has_it_and_prints_it():
    source = problem()
    sae = of_directions(source.dictionary, -0.5)
    evaluation = evaluate(sae, source.batches(100, 3, seed=1), truth=source)
    assert evaluation.truth.recovered == 1
    assert "against the truth" in str(evaluation)
    assert "surplus" in str(evaluation)


def test_other_dimensions_and_numbers_are_refused(monkeypatch):
    source = problem()
    sae = of_directions(source.dictionary)
    with pytest.raises(ShapeError, match=r"^superposition: expected 8 dimensions.* got 4"):
        compare_with_truth(sae, problem(8, 4))
    with pytest.raises(ConfigurationError, match=r"^samples: "):
        compare_with_truth(sae, source, 0)
    monkeypatch.setattr(importlib, "import_module", lambda name: exec("raise ImportError"))
    with pytest.raises(ConfigurationError, match="needs SciPy"):
        compare_with_truth(sae, source, 10)
