"""The forward, the losses and the settings of sparse autoencoders, against their formulas."""

import re

import pytest
import torch

import regularizers as rz
from regularizers.errors import ConfigurationError, DataError, ShapeError
from sae.problems import ARCHITECTURES, autoencoder, superposed


def by_hand(sae, z):
    """Return the code of pre-activations."""
    if sae.architecture == "jumprelu":
        return z * (z > sae.coding.threshold)
    if sae.architecture == "gated":
        pre = z + sae.coding.gate.bias
        magnitude = z * sae.coding.log_scale.exp() + sae.coding.bias
        return (pre > 0) * magnitude.clamp(min=0)
    if sae.architecture == "l1":
        return z.clamp(min=0)
    positive = z.clamp(min=0)
    if sae.architecture == "topk":
        cut = positive.sort(dim=1, descending=True).values[:, 1:2]
    else:
        cut = positive.flatten().sort(descending=True).values[2 * len(z) - 1]
    return positive * (positive >= cut)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_code_and_reconstruction_are_those_of_the_formula(architecture):
    sae, x = autoencoder(architecture), superposed(32)[0].double()
    z = (0.7 * x - sae.decoder.bias) @ sae.encoder.weight.T + sae.encoder.bias
    code = by_hand(sae, z)
    output = (code @ sae.decoder.weight.T + sae.decoder.bias) / 0.7
    assert code.count_nonzero() > 0
    torch.testing.assert_close(sae.encode(x), code / 0.7)
    torch.testing.assert_close(sae(x), output)
    torch.testing.assert_close(sae.decode(sae.encode(x)), output)


@pytest.mark.parametrize("architecture", ["jumprelu", "batchtopk"])
def test_the_loss_is_the_squared_error_in_the_units_of_the_code(architecture):
    sae, x = autoencoder(architecture), superposed(32)[0].double()
    found = sae.losses(x)
    error = 0.7 * (x - sae(x))
    torch.testing.assert_close(found.error, error)
    torch.testing.assert_close(found.loss, error.square().sum(1).mean())
    torch.testing.assert_close(found.code, 0.7 * sae.encode(x))


def test_nested_prefixes_reconstruct_by_themselves():
    sae, x = autoencoder("topk", nested=(4, 12)), superposed(32)[0].double()
    found, code = sae.losses(x), 0.7 * sae.encode(x)
    expected = 0.0
    for size in (4, 12, 16):
        output = code[:, :size] @ sae.decoder.weight[:, :size].T + sae.decoder.bias
        expected = expected + (0.7 * x - output).square().sum(1).mean() / 3
    assert sae.nested == (4, 12, 16)
    torch.testing.assert_close(found.loss, expected)
    torch.testing.assert_close(found.error, 0.7 * (x - sae(x)))


def test_gates_reconstruct_through_a_constant_dictionary():
    sae, x = autoencoder("gated"), superposed(32)[0].double()
    z = (0.7 * x - sae.decoder.bias) @ sae.encoder.weight.T + sae.encoder.bias
    gates = (z + sae.coding.gate.bias).clamp(min=0)
    constant, bias = sae.decoder.weight.detach(), sae.decoder.bias.detach()
    by_gates = (0.7 * x - gates @ constant.T - bias).square().sum(1).mean()
    main = (0.7 * (x - sae(x))).square().sum(1).mean()
    found = sae.losses(x).loss
    torch.testing.assert_close(found, main + by_gates)
    parameters = [*sae.parameters()]
    actual = torch.autograd.grad(found, parameters, allow_unused=True)
    expected = torch.autograd.grad(main + by_gates, parameters, allow_unused=True)
    for one, other in zip(actual, expected, strict=True):
        torch.testing.assert_close(one, other)


def test_an_active_unit_is_about_1_after_calibration():
    x = 50 + 20 * superposed(4096)[0]
    sae = rz.sae.SparseAutoencoder(8, 16, active=2)
    sae.calibrate(x)
    scaled = x * sae.scale
    spread = (scaled - scaled.mean(0)).square().sum(1).mean()
    assert spread.item() == pytest.approx(2, rel=1e-4)
    torch.testing.assert_close(sae.decoder.bias.detach(), scaled.mean(0), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("x", [torch.ones(9, 8), torch.full((9, 8), torch.nan)])
def test_constant_and_missing_data_are_refused(x):
    sae = rz.sae.SparseAutoencoder(8, 16, active=2)
    before = {name: value.clone() for name, value in sae.state_dict().items()}
    with pytest.raises(DataError, match="expected samples that differ and are finite"):
        sae.calibrate(x)
    assert all(value.equal(before[name]) for name, value in sae.state_dict().items())


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"features": 0}, "features: expected an integer of 1 or more, got 0"),
        ({"units": 2.0}, "units: expected an integer of 1 or more, got 2.0"),
        ({"active": 16}, "active: expected more than 0 and fewer than the 16 units, got 16"),
        ({"active": rz.Cosine(20, 2, steps=9)}, "fewer than the 16 units, got 20"),
        ({"active": 0}, "active: expected a finite number above 0, got 0"),
        ({"architecture": "relu"}, "architecture: expected one of 'jumprelu', 'topk'"),
        ({"nested": (8, 4)}, r"nested: expected growing numbers of units, at most 16"),
        ({"nested": (8, 17)}, r"such as \(4, 8, 16\), got \(8, 17\)"),
        ({"nested": ()}, r"nested: .* got \(\)"),
    ],
)
def test_settings_that_cannot_be(settings, message):
    with pytest.raises(ConfigurationError, match=message):
        rz.sae.SparseAutoencoder(**{"features": 8, "units": 16, "active": 2} | settings)


def test_more_active_units_than_features_are_warned_of():
    with pytest.warns(UserWarning, match="active: 9 active units for 8 features"):
        rz.sae.SparseAutoencoder(8, 16, active=9)


def test_samples_of_another_width_are_refused():
    sae = rz.sae.SparseAutoencoder(8, 16, active=2)
    message = re.escape("last axis has the 8 features of this autoencoder, got Tensor[4, 7]")
    for method in (sae, sae.encode, sae.losses, sae.calibrate):
        with pytest.raises(ShapeError, match=message):
            method(torch.ones(4, 7))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_loop_of_ones_own_keeps_columns_of_norm_1(architecture):
    sae, x = autoencoder(architecture), superposed(64)[0].double()
    optimizer = torch.optim.Adam(sae.parameters(), 1e-2)
    reg = sae.regularization()
    reg.attach(optimizer)
    for _ in range(12):
        optimizer.zero_grad()
        (sae.losses(x).loss + reg.penalty()).backward()
        optimizer.step()
    reg.detach()
    torch.testing.assert_close(sae.decoder.weight.norm(dim=0), torch.ones(16).double())


def test_a_loop_of_ones_own_keeps_thresholds_at_0_or_more():
    sae, x = autoencoder(), superposed(64)[0].double()
    optimizer = torch.optim.SGD(sae.parameters(), 1.0)
    reg = sae.regularization()
    reg.attach(optimizer)
    sae.losses(x).loss.backward()
    before = sae.coding.threshold.detach().clone()
    sae.coding.threshold.grad = torch.linspace(-0.3, 0.3, 16).double()
    optimizer.step()
    reg.detach()
    expected = before - torch.linspace(-0.3, 0.3, 16).double()
    assert expected.min() < -0.1
    torch.testing.assert_close(sae.coding.threshold.detach(), expected.clamp(min=0))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float64])
def test_samples_of_another_dtype_are_read_in_that_of_the_autoencoder(dtype):
    sae, x = rz.sae.SparseAutoencoder(8, 16, active=2), superposed(32)[0].to(dtype)
    sae.calibrate(x)
    assert sae(x).dtype == sae.losses(x).loss.dtype == torch.float32
    torch.testing.assert_close(sae(x), sae(x.float()))


def test_a_transcoder_starts_at_the_means_of_what_its_units_are_to_reconstruct():
    torch.manual_seed(0)
    x = torch.randn(500, 8) + 3
    y = x @ torch.randn(8, 5) + 2
    transcoder = rz.sae.Transcoder(8, 5, 32, active=4)
    before = transcoder.encoder.weight.detach().clone()
    transcoder.calibrate(x, y)
    centred = x * transcoder.scale - transcoder.mean
    wanted = y * transcoder.output_scale - transcoder.decoder.bias.detach()
    z = centred @ before.T
    expected = []
    for unit in range(32):
        rows = z[:, unit].argsort(descending=True)[:62]  # 4 of 32 of the samples, rounded
        mean = sum(z[row, unit] * wanted[row] for row in rows)
        expected.append(mean / mean.norm())
    torch.testing.assert_close(transcoder.decoder.weight.detach(), torch.stack(expected).T)
    assert transcoder.encode(x).count_nonzero().item() / 500 == pytest.approx(4, rel=0.03)
    # what is trained stays
    weights = [p.detach().clone() for p in (transcoder.encoder.weight, transcoder.decoder.weight)]
    transcoder.calibrate(x, y)
    assert torch.equal(transcoder.encoder.weight, weights[0])
    assert torch.equal(transcoder.decoder.weight, weights[1])


def test_a_crosscoder_starts_with_the_wanted_number_of_active_units():
    torch.manual_seed(0)
    x = {"early": 20 * torch.randn(1000, 4) + 5, "late": torch.randn(1000, 6)}
    crosscoder = rz.sae.Crosscoder({"early": 4, "late": 6}, 40, active=4)
    before = crosscoder.encoder.weight.detach().clone()
    crosscoder.calibrate(x)
    gain = (crosscoder.encoder.weight / before).mean()
    torch.testing.assert_close(crosscoder.encoder.weight.detach(), gain * before)
    assert 0.05 < gain < 1
    assert crosscoder.encode(x).count_nonzero().item() / 1000 == pytest.approx(4, rel=0.02)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_an_encoder_starts_without_overshooting_where_data_vary_in_few_directions(architecture):
    torch.manual_seed(0)
    x = torch.randn(2000, 8) * torch.tensor([30.0, 3, 3, 1, 1, 1, 0.1, 0.1]) + 5
    sae = rz.sae.SparseAutoencoder(8, 64, active=4, architecture=architecture)
    before = sae.encoder.weight.detach().clone()
    sae.calibrate(x)
    weight, dictionary = sae.encoder.weight.detach(), sae.decoder.weight.detach()
    gain = (weight / before).mean()
    torch.testing.assert_close(weight, gain * before)
    assert 0.05 < gain < 0.6
    # every unit is active in 4 of 64 samples, and no other gain reconstructs them better
    centred = x * sae.scale - sae.decoder.bias.detach()
    z = centred @ weight.T
    code = z * (z >= z.quantile(1 - 4 / 64, dim=0, interpolation="higher").clamp(min=0))
    errors = [(centred - g * code @ dictionary.T).square().sum() for g in (0.98, 1.0, 1.02)]
    assert errors[1] < min(errors[0], errors[2])
    if architecture == "jumprelu":
        assert sae.encode(x).count_nonzero().item() / 2000 == pytest.approx(4, rel=0.02)
    # a trained encoder keeps its weights
    with torch.no_grad():
        sae.encoder.weight[0, 0] += 1
    changed = sae.encoder.weight.detach().clone()
    sae.calibrate(x)
    assert torch.equal(sae.encoder.weight, changed)
