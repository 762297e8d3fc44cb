"""Directions that many errors share, and units that are started anew."""

import pytest
import torch
from torch.nn.functional import normalize

import regularizers as rz

# the pool of errors has no public way in, nor has how much is multiplied at once
from regularizers.sae import _residuals

# likewise
from regularizers.sae._joined import Joined

# likewise
from regularizers.sae._residuals import Residuals
from sae.problems import superposed


def pool(errors, batch=64):
    residuals = Residuals(batch, errors.shape[1], errors.shape[1], Joined(), errors)
    for some in errors.split(batch):
        residuals.add(some, some)
    return residuals


def test_directions_that_many_errors_share_are_found():
    generator = torch.Generator().manual_seed(0)
    missing = normalize(torch.randn(3, 20, generator=generator), dim=1)
    present = torch.rand(2048, 3, generator=generator) < torch.tensor([0.1, 0.09, 0.08])
    errors = present.float() @ missing + 0.02 * torch.randn(2048, 20, generator=generator)
    residuals = pool(errors)
    found, won = residuals.directions(3, 60, 0.05, 0.2, generator)
    assert len(found) == 3
    # the squares of the largest 5 % of projections, less 0.2 for each
    largest = (errors @ found.T).relu().topk(int(0.05 * 2048), dim=0).values
    torch.testing.assert_close(won, (largest**2 - 0.2).relu().sum(0) / 2048)
    assert won.tolist() == sorted(won.tolist(), reverse=True)
    cosines = (found @ missing.T).abs().max(dim=0).values
    assert (cosines > 0.93).all(), cosines
    torch.testing.assert_close(found.norm(dim=1), torch.ones(3))
    # of inputs that are the errors it is read along itself, less what the others share with it
    assert ((found * residuals.entries(found)).sum(1) > 0.75).all()


def test_errors_are_read_from_inputs_that_vary_most_along_another_direction():
    generator = torch.Generator().manual_seed(0)
    v, large = torch.eye(6)[0], normalize(torch.tensor([1.0, 1, 0, 0, 0, 0]), dim=0)
    present = torch.rand(2048, generator=generator) < 0.1
    errors = present[:, None] * v
    inputs = errors + 10 * torch.randn(2048, 1, generator=generator) * large
    inputs += 0.01 * torch.randn(2048, 6, generator=generator)
    residuals = Residuals(64, 6, 6, Joined(), errors)
    for some in zip(inputs.split(64), errors.split(64), strict=True):
        residuals.add(*some)
    (row,) = residuals.entries(v[None])
    assert row.norm().item() == pytest.approx(1)
    # the direction itself fires for what varies most; that of the regression does not
    fires = [(inputs @ of).topk(int(present.sum())).indices for of in (v, row)]
    by_itself, by_regression = [present[one].float().mean().item() for one in fires]
    assert by_itself < 0.3
    assert by_regression > 0.95
    # least squares over what fires, which is all that is there
    least, gain, won = residuals.fitted(row[None], v[None], present.sum().item() / 2048)
    z = inputs @ row
    code = torch.where(z >= least, z, 0)
    torch.testing.assert_close(gain, torch.linalg.lstsq(code[:, None], errors @ v[:, None])[0][0])
    left = (errors - gain * code[:, None] * v).square().sum()
    torch.testing.assert_close(won * 2048, (errors.square().sum() - left)[None], rtol=1e-3, atol=0)


def test_a_direction_is_found_once():
    generator = torch.Generator().manual_seed(0)
    only = normalize(torch.randn(1, 20, generator=generator), dim=1)
    errors = torch.rand(1024, 1, generator=generator) * only
    found, _ = pool(errors).directions(5, 20, 0.1, 0.0, generator)
    assert found.shape == (1, 20)
    torch.testing.assert_close(found, only)


def test_noise_is_worth_nothing():
    generator = torch.Generator().manual_seed(0)
    errors = 0.1 * torch.randn(2048, 20, generator=generator)
    _, won = pool(errors).directions(5, 20, 0.1, 0.25, generator)
    # the largest of 2048 projections is about 0.4
    assert (won < 1e-4).all()


def test_of_small_batches_few_rows_are_kept():
    residuals = Residuals(8, 2, 2, Joined(), torch.zeros(1))
    assert residuals.errors.shape == (48, 8, 2)


def test_the_oldest_batches_are_dropped():
    residuals = Residuals(12_288, 2, 2, Joined(), torch.zeros(1))
    for number in range(3):
        residuals.add(*[torch.full((12_288, 2), float(number))] * 2)
    assert residuals.rows == 24_576
    assert residuals.kept()[1].unique().tolist() == [1, 2]


def test_directions_are_the_same_whatever_is_multiplied_at_once(monkeypatch):
    errors = torch.randn(256, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)

    def found():
        residuals = pool(errors)
        generator = torch.Generator().manual_seed(1)
        directions, won = residuals.directions(40, 60, 0.1, 0.5, generator)
        fitted = residuals.fitted(directions, directions, 20 / 256)
        return directions, won, residuals.entries(directions), *fitted

    whole = found()
    assert 5 < len(whole[0]) < 40
    projections = (errors @ whole[0].T).sort(dim=0, descending=True).values
    torch.testing.assert_close(whole[3], projections[19])
    won = (projections[:25].square() - 0.5).clamp(min=0).sum(0) / 256
    torch.testing.assert_close(whole[1], won)
    # the inputs are the errors: the code is the projection, and its best factor is 1
    torch.testing.assert_close(whole[4], torch.ones_like(whole[4]))
    torch.testing.assert_close(whole[5], projections[:20].square().sum(0) / 256)
    monkeypatch.setattr(_residuals, "PRODUCTS", 256 * 7)
    for one, other in zip(found(), whole, strict=True):
        torch.testing.assert_close(one, other)


def trained(steps=50, optimizer=torch.optim.Adam, units=16, **options):
    """Return an autoencoder with three dead units after a look for idle ones, and what it had."""
    torch.manual_seed(0)
    x, _ = superposed(512)
    sae = rz.sae.SparseAutoencoder(8, units, active=2)
    sae.calibrate(x)
    with torch.no_grad():
        sae.encoder.bias[[1, 5, 9]] = -100.0
    opt = optimizer(sae.parameters(), 1e-3, **options)
    revival = rz.sae.Revival(sae, opt, steps=steps, every=10)
    states = []
    for _ in range(10):
        opt.zero_grad()
        found = sae.losses(x)
        found.loss.backward()
        opt.step()
        states = [{k: v.clone() for k, v in opt.state[p].items()} for p in sae.parameters()]
        revival.step(found.scaled, found.error, found.code)
    return sae, opt, revival, dict(zip(dict(sae.named_parameters()), states, strict=True)), x


def test_idle_units_get_a_direction_a_threshold_and_a_fresh_state():
    sae, opt, revival, before, x = trained()
    units, others = [1, 5, 9][: revival.revived], [u for u in range(16) if u not in (1, 5, 9)]
    assert units
    weight = sae.encoder.weight.detach()
    norm = weight[others].norm(dim=1).mean()
    # at half the norm of the others, or less where they would reconstruct more than is missing
    assert (weight[units].norm(dim=1) <= norm / 2 * (1 + 1e-6)).all()
    assert (weight[units].norm(dim=1) > 0).all()
    assert (sae.encoder.bias[units] == 0).all()
    dictionary = sae.decoder.weight.detach()[:, units].T
    torch.testing.assert_close(dictionary.norm(dim=1), torch.ones(len(units)))
    assert ((dictionary * normalize(weight[units], dim=1)).sum(1) > 0.3).all()
    # half as often as the mean unit, which fires in 2 of 16
    z = (x * sae.scale - sae.decoder.bias) @ weight[units].T
    rate = (z > sae.coding.threshold[units]).float().mean(0)
    assert ((rate - 0.5 * 2 / 16).abs() < 0.01).all()
    named = dict(sae.named_parameters())
    for name, axis in (("encoder.weight", 0), ("encoder.bias", 0), ("decoder.weight", 1)):
        first = opt.state[named[name]]["exp_avg"].movedim(axis, 0)
        second = opt.state[named[name]]["exp_avg_sq"].movedim(axis, 0)
        was = before[name]["exp_avg_sq"].movedim(axis, 0)
        assert (first[units] == 0).all()
        live = [u for u in range(16) if u not in (1, 5, 9)]
        torch.testing.assert_close(second[units], was[live].mean(0).expand_as(second[units]))
        torch.testing.assert_close(second[live], was[live])
        torch.testing.assert_close(first[live], before[name]["exp_avg"].movedim(axis, 0)[live])


@pytest.mark.parametrize(
    ("optimizer", "options"),
    [(torch.optim.SGD, {}), (torch.optim.SGD, {"momentum": 0.9}), (torch.optim.RMSprop, {})],
)
def test_other_optimizers_are_started_too(optimizer, options):
    sae, opt, revival, _, _ = trained(optimizer=optimizer, **options)
    assert revival.revived
    momentum = opt.state[sae.encoder.weight].get("momentum_buffer")
    if momentum is not None:
        assert (momentum[1] == 0).all()


def test_nothing_is_started_late_and_little_before():
    assert trained(steps=10, units=48)[2].revived == 0  # step 10 of 10 is beyond 95 %
    assert trained(steps=12, units=48)[2].revived == 1  # beyond 70 %: at least one, and 1 %
    assert trained(steps=50, units=48)[2].revived == 3  # at most a sixteenth of 48


def test_a_unit_stays_where_no_direction_would_explain_more():
    sae, opt, _, _, x = trained()
    found = sae.losses(x)
    faint = found.code * torch.where(torch.arange(16) == 3, 0.05, 1.0)
    for size, revived in ((0.01, 0), (1.0, 1)):
        revival = rz.sae.Revival(sae, opt, steps=50, every=10)
        for _ in range(10):
            revival.step(found.scaled, size * found.error, faint)
        assert revival.revived == revived


def test_a_resumed_revival_goes_on_as_it_would_have():
    sae, opt, revival, _, x = trained()
    again = rz.sae.Revival(sae, opt, steps=50, every=10)
    again.load_state_dict(revival.state_dict())
    assert again.revived == revival.revived
    assert again.idle.equal(revival.idle)
    assert again.state_dict()["generator"].equal(revival.state_dict()["generator"])
    weights = {name: value.clone() for name, value in sae.state_dict().items()}
    results = []
    for one in (revival, again):
        sae.load_state_dict(weights)
        with torch.no_grad():
            sae.encoder.bias[3] = -100.0
        for _ in range(10):
            found = sae.losses(x)
            one.step(found.scaled, found.error, found.code * (torch.arange(16) != 3))
        results.append({name: value.clone() for name, value in sae.state_dict().items()})
    assert all(results[0][name].equal(results[1][name]) for name in weights)
    assert not results[0]["encoder.weight"].equal(weights["encoder.weight"])
