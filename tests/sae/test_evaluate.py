"""Every measure against its formula, in any batches, and what is no data."""

import math
import weakref

import numpy as np
import pytest
import torch
from torch import nn
from torch.utils.data import DataLoader, TensorDataset

import regularizers as rz
from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError
from regularizers.sae.evaluation import evaluate
from sae.known import random_autoencoder


def data(n: int = 300, features: int = 6) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(n, features, generator=generator) + torch.arange(features)


def by_formulas(sae: nn.Module, x: torch.Tensor, batch_size: int) -> dict[str, float]:
    with torch.no_grad():
        code, made = sae.encode(x).double().numpy(), sae(x).double().numpy()
    x = x.double().numpy()
    error = ((x - made) ** 2).sum(1)
    shares = []
    for start in range(0, len(x), batch_size):
        part = slice(start, start + batch_size)
        spread = ((x[part] - x[part].mean(0)) ** 2).sum(1)
        shares += (1 - error[part] / spread).tolist()
    norms, made_norms = np.linalg.norm(x, axis=1), np.linalg.norm(made, axis=1)
    return {
        "samples": len(x),
        "units": code.shape[1],
        "l0": (code > 0).sum(1).mean(),
        "explained_variance": 1 - error.sum() / ((x - x.mean(0)) ** 2).sum(),
        "mean_explained_variance": np.mean(shares),
        "mse": ((x - made) ** 2).mean(),
        "cosine": ((x * made).sum(1) / np.maximum(norms * made_norms, 1e-300)).mean(),
        "norm_ratio": (made_norms / norms).mean(),
        "relative_bias": (made**2).sum() / (x * made).sum(),
        "dead": int((code == 0).all(0).sum()),
    }


@pytest.mark.parametrize("batch_size", [300, 128])
def test_each_measure_is_its_formula(batch_size):
    sae, x = random_autoencoder(6, 20), data()
    with torch.no_grad():
        sae.encoder.bias[3] = -100.0
    found = evaluate(sae, x, batch_size=batch_size)
    assert found.as_dict() == pytest.approx(by_formulas(sae, x, batch_size), rel=1e-5)
    assert found.dead > 0
    density = (sae.encode(x) > 0).double().mean(0)
    assert torch.allclose(found.density, density)
    assert found.histogram.silent == found.dead
    assert found.histogram.counts.sum() == 20 - found.dead


def test_batches_of_any_kind_give_the_same():
    sae, x = random_autoencoder(6, 20), data()
    whole = evaluate(sae, x, batch_size=60).as_dict()
    loader = DataLoader(TensorDataset(x, torch.zeros(300)), batch_size=60)
    for batches in (x.split(60), iter(x.split(60)), loader, x.view(5, 60, 6)):
        assert evaluate(sae, batches, batch_size=60).as_dict() == pytest.approx(whole)
    uneven = evaluate(sae, x.split([1, 199, 0, 100])).as_dict()
    assert uneven.pop("mean_explained_variance") != whole.pop("mean_explained_variance")
    assert uneven == pytest.approx(whole)


def test_half_precision_is_read_in_the_type_of_the_autoencoder():
    sae, x = random_autoencoder(6, 20), data().half()
    assert evaluate(sae, x).as_dict() == pytest.approx(evaluate(sae, x.float()).as_dict())


def test_it_prints_as_a_table():
    lines = str(evaluate(random_autoencoder(6, 20), data())).splitlines()
    assert lines[0].split() == ["measure", "value"]
    assert [line.split()[0] for line in lines[2:5]] == ["samples", "units", "l0"]


class Noisy(nn.ReLU):
    """Adds one in training."""

    def forward(self, x):
        assert not torch.is_grad_enabled()
        return super().forward(x) + float(self.training)


def test_it_is_in_evaluation_mode_and_as_before_after():
    sae, x = random_autoencoder(6, 20), data()
    expected = evaluate(sae, x).l0
    sae.coding = Noisy()
    sae.encoder.eval()
    modes = [m.training for m in sae.modules()]
    assert len(set(modes)) == 2
    assert evaluate(sae, x).l0 == expected
    assert [m.training for m in sae.modules()] == modes
    x[250, 2] = math.nan
    with pytest.raises(ConfigurationError, match=r"^data: batch 2: expected finite"):
        evaluate(sae, x, batch_size=100)
    assert [m.training for m in sae.modules()] == modes
    assert torch.is_grad_enabled()
    assert all(p.grad is None for p in sae.parameters())


def used_up() -> object:
    batches = iter([data()])
    next(batches)
    return batches


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (torch.zeros(0, 6), ShapeError, "expected samples, got none"),
        ([], ShapeError, "expected samples, got none"),
        (used_up(), ShapeError, "is it used up"),
        (torch.zeros(4, 5), ShapeError, r"batch 0: expected \(samples, 6\).*\(4, 5\)"),
        ([torch.zeros(4, 6), torch.zeros(4, 5)], ShapeError, "batch 1: "),
        (torch.zeros(6), ShapeError, r"got shape \(6,\)"),
        (torch.zeros(4, 6).int(), ArrayTypeError, "batch 0: .* int32"),
        ([np.zeros((4, 6))], ArrayTypeError, "batch 0: .* got ndarray"),
        ("folder", ArrayTypeError, "^data: .* got str"),
        (3, ArrayTypeError, "^data: .* got int"),
        (torch.full((4, 6), math.inf), ConfigurationError, "finite"),
    ],
)
def test_what_is_no_data(given, error, message):
    with pytest.raises(error, match=message):
        evaluate(random_autoencoder(6, 20), given)


def test_an_autoencoder_that_is_not_finite_is_named():
    sae = random_autoencoder(6, 20)
    with torch.no_grad():
        sae.encoder.bias[0] = math.nan
    with pytest.raises(ConfigurationError, match=r"^sae: expected finite reconstructions"):
        evaluate(sae, data())
    with pytest.raises(ConfigurationError, match=r"^batch_size: "):
        evaluate(sae, data(), batch_size=0)


def test_memory_does_not_grow_with_the_data():
    sae, x = random_autoencoder(6, 20), data(64)
    alive = []

    def stream():
        for _ in range(50):
            batch = x.clone()
            alive.append(weakref.ref(batch))
            yield batch

    assert evaluate(sae, stream()).samples == 3200
    assert sum(one() is not None for one in alive) <= 2


def transcoder():
    torch.manual_seed(0)
    sae = rz.sae.Transcoder(6, 4, 20, active=3, architecture="topk")
    sae.calibrate(data(), outputs())
    return sae


def outputs() -> torch.Tensor:
    return torch.relu(data() @ torch.randn(6, 4, generator=torch.Generator().manual_seed(2)))


def of_pairs(target, made) -> dict[str, float]:
    """Return the measures that do not depend on batches, by their formulas."""
    y, made = target.double().numpy(), made.detach().double().numpy()
    error = ((y - made) ** 2).sum(1)
    norms, made_norms = np.linalg.norm(y, axis=1), np.linalg.norm(made, axis=1)
    return {
        "explained_variance": 1 - error.sum() / ((y - y.mean(0)) ** 2).sum(),
        "mse": ((y - made) ** 2).mean(),
        "cosine": ((y * made).sum(1) / np.maximum(norms * made_norms, 1e-300)).mean(),
        "norm_ratio": (made_norms[norms > 0] / norms[norms > 0]).mean(),
        "relative_bias": (made**2).sum() / (y * made).sum(),
    }


def test_of_a_transcoder_everything_is_of_the_output():
    sae, x, y = transcoder(), data(), outputs()
    found = evaluate(sae, (x, y), batch_size=128).as_dict()
    for name, value in of_pairs(y, sae(x)).items():
        assert found[name] == pytest.approx(value, rel=1e-5), name
    assert (found["samples"], found["units"], found["l0"]) == (300, 20, pytest.approx(3, abs=0.01))
    in_batches = evaluate(sae, DataLoader(TensorDataset(x, y), 128)).as_dict()
    assert in_batches == pytest.approx(found, rel=1e-6)


def crosscoder(x):
    torch.manual_seed(0)
    sae = rz.sae.Crosscoder({"early": 6, "late": 4}, 20, active=3, architecture="topk")
    sae.calibrate(x)
    return sae


def test_of_a_crosscoder_each_site_is_measured():
    x = {"early": data(), "late": 100 * outputs()}
    sae = crosscoder(x)
    found = evaluate(sae, x, batch_size=128)
    made = sae(x)
    for site in x:
        for name, value in of_pairs(x[site], made[site]).items():
            assert found.sites[site][name] == pytest.approx(value, rel=1e-5), (site, name)
            assert found.as_dict()[f"{site}/{name}"] == found.sites[site][name]
    whole = of_pairs(sae.scaled(x), sae.scaled(made))
    for name, value in whole.items():
        assert getattr(found, name) == pytest.approx(value, rel=1e-5), name
    assert found.l0 == pytest.approx(3, abs=0.01)
    assert "late/explained_variance" in str(found)
    batches = [{site: rows[k : k + 128] for site, rows in x.items()} for k in range(0, 300, 128)]
    assert evaluate(sae, batches).as_dict() == pytest.approx(found.as_dict(), rel=1e-6)
    assert evaluate(random_autoencoder(6, 20), data()).sites == {}


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (data(), ArrayTypeError, r"expected batches that are pairs \(x, y\)"),
        ([data()], ArrayTypeError, r"batch 0: expected batches that are pairs \(x, y\)"),
        ([(data(), data())], ShapeError, r"y: expected \(samples, 4\), .* 4 outputs, got shape"),
        ((data(), outputs()[:7]), ShapeError, "as many samples of each, got {'x': 300, 'y': 7}"),
        ([(data(), outputs()[:7])], ShapeError, "batch 0: expected as many samples of each"),
        ([], ShapeError, "expected samples, got none"),
        ([(data(), outputs() * math.nan)], ConfigurationError, "y: expected finite activations"),
    ],
)
def test_what_is_no_data_of_a_transcoder(given, error, message):
    with pytest.raises(error, match=message):
        evaluate(transcoder(), given)


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        (data(), ArrayTypeError, "expected mappings of the sites 'early', 'late' to tensors"),
        ([{"early": data()}], ArrayTypeError, "batch 0: expected mappings of the sites"),
        ({"early": data(), "late": data()}, ShapeError, r"'late': expected \(samples, 4\)"),
        ({"early": data()[:9], "late": outputs()}, ShapeError, "'early': 9, 'late': 300"),
        ({"early": 3, "late": outputs()}, ArrayTypeError, "'early': expected a tensor of samples"),
    ],
)
def test_what_is_no_data_of_a_crosscoder(given, error, message):
    sae = crosscoder({"early": data(), "late": outputs()})
    with pytest.raises(error, match=message):
        evaluate(sae, given)


def test_a_truth_is_of_an_autoencoder():
    truth = rz.sae.superposition(features=4, dimensions=6, active=1.0)
    with pytest.raises(ConfigurationError, match="truth: expected a SparseAutoencoder"):
        evaluate(transcoder(), (data(), outputs()), truth=truth)
