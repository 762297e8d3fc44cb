"""The table of forgetting: its tasks, its methods, and what it says of the results."""

import pytest
import torch
from benchmarks.forgetting import training
from benchmarks.forgetting.picture import draw
from benchmarks.forgetting.plan import measured
from benchmarks.forgetting.tables import best, best_strength, whole
from benchmarks.forgetting.tasks import PAIRS, halves, permuted
from benchmarks.forgetting.training import Result, learned, rules
from torch.nn.functional import cross_entropy

import regularizers as rz


def test_the_pairs_are_what_they_are_called():
    pair = permuted(0)
    first, second = pair.first.training, pair.second.training
    assert torch.equal(first.y, second.y)
    assert torch.equal(first.x.sort(dim=1).values, second.x.sort(dim=1).values)
    assert not torch.equal(first.x, second.x)
    pair = halves(0)
    sizes = [len(s.y) for task in (pair.first, pair.second) for s in task]
    assert sum(sizes) == 1797
    assert {int(y) for task in (pair.first, pair.second) for y in task.test.y} == set(range(5))


def test_every_method_has_the_penalty_it_is_called_by(monkeypatch):
    monkeypatch.setattr(training, "STEPS", 20)
    pair = halves(0)
    network = learned(pair, 0)
    fisher = rz.diagonal_fisher(network, [pair.first.training], cross_entropy)
    start = [p.detach().clone() for p in network.parameters()]
    assert rules("nothing", 0.0, network, pair) == []
    made = {
        method: rz.Regularization(network, rules(method, 0.3, network, pair))
        for method in ("L2", "L2-SP", "EWC")
    }
    with torch.no_grad():
        for p in network.parameters():
            p.add_(1)
    values = {method: reg.penalty().item() / 0.15 for method, reg in made.items()}
    by_hand = {
        "L2": sum(((w + 1) ** 2).sum().item() for w in start),
        "L2-SP": sum(w.numel() for w in start),
        "EWC": sum(f.sum().item() for f in fisher.values()),
    }
    assert values == pytest.approx(by_hand, rel=1e-5)


def test_a_network_forgets_and_is_kept_from_it(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "STEPS", 150)
    strengths = {"nothing": (0.0,), "L2-SP": (0.1,), "EWC": (100.0,)}
    results = measured(["permuted pixels"], (0,), strengths)
    found = {method: one for (_, method, _), (one,) in results.items()}
    assert found["nothing"].before > 0.9
    assert found["nothing"].first < 0.7 < found["nothing"].second
    assert found["EWC"].first > found["nothing"].first + 0.1
    assert found["L2-SP"].first > found["nothing"].first + 0.1
    draw(results, tmp_path / "picture.png")
    assert (tmp_path / "picture.png").stat().st_size > 5000


def test_the_tables_have_every_strength_and_the_best():
    results = {
        ("a", "nothing", 0.0): [Result(0.9, 0.2, 0.9), Result(0.9, 0.4, 0.9)],
        ("a", "EWC", 1.0): [Result(0.9, 0.5, 0.9)],
        ("a", "EWC", 10.0): [Result(0.9, 0.8, 0.8)],
    }
    assert best_strength(results, "a", "EWC") == ("a", "EWC", 10.0)
    assert "| a | nothing |  | 90.0 ± 0.0 | 30.0 ± 14.1 | 90.0 ± 0.0 | 60.0 |" in best(results)
    assert len(best(results).splitlines()) == 4
    assert len(whole(results).splitlines()) == 5


def test_every_pair_is_measured():
    assert set(PAIRS) == {"permuted pixels", "0–4, then 5–9"}
