"""The auxiliary loss against its formula, and the refit of what L1 has shrunk."""

import pytest
import torch
from torch.utils.data import DataLoader, TensorDataset

import regularizers as rz
from regularizers.errors import ConfigurationError, ShapeError
from sae.problems import autoencoder, superposed


def test_dead_units_reconstruct_the_error_from_their_largest_pre_activations():
    sae, x = autoencoder("l1"), superposed(20)[0].double()
    dead = torch.arange(16) % 2 == 0
    e = sae.losses(x).error.detach()
    z = (0.7 * x - sae.decoder.bias) @ sae.encoder.weight.T + sae.encoder.bias
    left = []
    for row, error in zip(z, e, strict=True):
        order = sorted([unit for unit in range(16) if dead[unit]], key=lambda unit: -row[unit])[:4]
        left.append(error - sum(row[unit] * sae.decoder.weight[:, unit] for unit in order))
    expected = torch.stack(left).square().sum() / (e - e.mean(0)).square().sum() / 32
    actual = rz.sae.auxk(sae, x, sae.losses(x).error, dead)
    torch.testing.assert_close(actual, expected)
    parameters = [sae.encoder.weight, sae.encoder.bias, sae.decoder.weight, sae.decoder.bias]
    for one, other in zip(
        torch.autograd.grad(actual, parameters),
        torch.autograd.grad(expected, parameters),
        strict=True,
    ):
        torch.testing.assert_close(one, other)
        assert one.any()


def test_nothing_is_lost_where_nothing_is_dead_or_missing():
    sae, x = autoencoder("l1"), superposed(20)[0].double()
    error = sae.losses(x).error
    assert rz.sae.auxk(sae, x, error, torch.zeros(16, dtype=torch.bool)) == 0
    assert rz.sae.auxk(sae, x, torch.zeros_like(error), torch.ones(16, dtype=torch.bool)) == 0


@pytest.mark.parametrize("dead", [torch.ones(15, dtype=torch.bool), torch.ones(16)])
def test_dead_is_a_boolean_for_each_unit(dead):
    sae, x = autoencoder("l1"), superposed(20)[0].double()
    with pytest.raises(ShapeError, match="dead: expected a boolean tensor of the 16 units"):
        rz.sae.auxk(sae, x, sae.losses(x).error, dead)


def test_a_refit_keeps_the_units_and_mends_their_size():
    x, dictionary = superposed(4096, features=16, directions=16)
    torch.manual_seed(0)
    sae = rz.sae.SparseAutoencoder(16, 16, active=2, architecture="l1")
    with torch.no_grad():  # what L1 leaves: the right units, with half of their size
        inverse = torch.linalg.inv(dictionary.T)
        sae.encoder.weight.copy_(0.5 * inverse)
        sae.encoder.bias.fill_(-0.1)
        sae.decoder.weight.copy_(dictionary.T)
    before = sae.encode(x)
    rz.sae.debias(sae, x, steps=600, learning_rate=1e-2, batch_size=256)
    after = sae.encode(x)
    assert ((before > 0) == (after > 0)).float().mean() > 0.9999  # but for rounding
    left = (x - sae(x)).square().sum() / (x - x.mean(0)).square().sum()
    assert left < 0.05
    assert (x - sae.decode(before)).square().sum() > 4 * (x - sae(x)).square().sum()
    assert isinstance(sae.coding, rz.layers.JumpReLU)
    torch.testing.assert_close(sae.decoder.weight.norm(dim=0), torch.ones(16))


def test_only_l1_shrinks():
    with pytest.raises(ConfigurationError, match=r"architecture='l1', .* got 'topk'"):
        rz.sae.debias(autoencoder("topk"), superposed(600)[0])


def test_batches_may_be_tuples_and_a_transcoder_keeps_its_units():
    x, dictionary = superposed(512)
    y = torch.relu(x @ dictionary[:5].T)
    torch.manual_seed(0)
    sae = rz.sae.Transcoder(8, 5, 16, active=2, architecture="l1")
    sae.calibrate(x, y)
    before, left = sae.encode(x), (y - sae(x)).square().sum()
    rz.sae.debias(sae, DataLoader(TensorDataset(x, y), 64), steps=40)
    assert ((before > 0) == (sae.encode(x) > 0)).float().mean() > 0.9999
    assert (y - sae(x)).square().sum() < left
