"""Two dictionaries under the best matching."""

import importlib
import itertools

import numpy as np
import pytest
import torch

import regularizers as rz
from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError


def dictionaries(true: int, found: int) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    return (
        torch.randn(5, true, generator=generator, dtype=torch.float64),
        torch.randn(5, found, generator=generator, dtype=torch.float64),
    )


def by_trying(true: np.ndarray, found: np.ndarray) -> float:
    """Return the best mean |cosine| over all matchings."""
    cosines = np.abs(
        (true / np.linalg.norm(true, axis=0)).T @ (found / np.linalg.norm(found, axis=0))
    )
    if len(cosines) <= len(cosines.T):
        orders = itertools.permutations(range(len(cosines.T)), len(cosines))
        return max(sum(cosines[u, v] for u, v in enumerate(order)) for order in orders) / len(
            cosines
        )
    orders = itertools.permutations(range(len(cosines)), len(cosines.T))
    return max(sum(cosines[u, v] for v, u in enumerate(order)) for order in orders) / len(cosines)


@pytest.mark.parametrize(("true", "found"), [(4, 4), (3, 6), (6, 3)])
def test_the_mean_is_that_of_the_best_of_all_matchings(true, found):
    matrices = dictionaries(true, found)
    result = rz.monitor.recovery(*matrices)
    assert result.mean == pytest.approx(by_trying(*[m.numpy() for m in matrices]), rel=1e-12)
    matched = result.matching[result.matching >= 0].tolist()
    assert len(set(matched)) == len(matched) == min(true, found)


def test_order_sign_and_size_do_not_matter():
    true, _ = dictionaries(4, 4)
    order = torch.tensor([2, 0, 3, 1])
    found = true[:, order] * torch.tensor([1.0, -2.0, 1e-3, 1e3])
    result = rz.monitor.recovery(true, found.float())
    assert result.mean == pytest.approx(1, rel=1e-6)
    assert result.share == 1
    assert order[result.matching].tolist() == [0, 1, 2, 3]


def test_the_share_is_of_true_units_above_the_threshold():
    true = torch.eye(3)
    found = torch.tensor([[1.0, 0.0], [0.0, 0.8], [0.0, 0.6]])
    result = rz.monitor.recovery(true, found)
    assert result.cosines.tolist() == pytest.approx([1.0, 0.8, 0.0])
    assert result.share == pytest.approx(1 / 3)
    assert rz.monitor.recovery(true, found, threshold=0.5).share == pytest.approx(2 / 3)
    assert rz.monitor.recovery(true, found, threshold=1.0).share == 0


def test_a_unit_of_zeros_is_like_none():
    result = rz.monitor.recovery(torch.eye(2), torch.tensor([[1.0, 0.0], [0.0, 0.0]]))
    assert result.cosines.tolist() == [1.0, 0.0]


def test_a_decoder_that_is_trained_is_read_without_its_graph():
    decoder = torch.nn.Linear(3, 5)
    result = rz.monitor.recovery(decoder.weight, decoder.weight)
    assert result.share == 1
    assert not result.cosines.requires_grad


@pytest.mark.parametrize(
    ("true", "found", "options", "error", "message"),
    [
        (np.ones((2, 2)), torch.ones(2, 2), {}, ArrayTypeError, "true: .* got ndarray"),
        (torch.ones(2, 2), torch.ones(2, 2).int(), {}, ArrayTypeError, "found: .* int32"),
        (torch.ones(2), torch.ones(2, 2), {}, ShapeError, r"true: expected \(features, units\)"),
        (torch.ones(2, 2), torch.ones(2, 0), {}, ShapeError, "found: expected"),
        (torch.ones(2, 3), torch.ones(3, 3), {}, ShapeError, "same features, .* 2 and 3; .*mT"),
        (torch.ones(2, 2), torch.ones(2, 2), {"threshold": 2}, ConfigurationError, "threshold: "),
        (torch.ones(2, 2), torch.full((2, 2), torch.nan), {}, ConfigurationError, "finite"),
    ],
)
def test_what_is_no_pair_of_dictionaries(true, found, options, error, message):
    with pytest.raises(error, match=f"^recovery: .*{message}"):
        rz.monitor.recovery(true, found, **options)


def test_without_scipy_the_cure_is_named(monkeypatch):
    def missing(name: str) -> object:
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", missing)
    with pytest.raises(ConfigurationError, match=r"needs SciPy, .*: pip install scipy$"):
        rz.monitor.recovery(torch.eye(2), torch.eye(2))
