"""Dead units in the comparison of controllers: which they are, and the new start they get."""

import math

import pytest
import torch
from benchmarks.controllers.network import Autoencoder
from benchmarks.controllers.revival import (
    draw_by_error,
    is_due,
    resample,
    reset_moments,
)
from benchmarks.controllers.silence import SILENT, Silence
from torch import Tensor, nn

FEATURES, UNITS = 6, 5
DEAD = torch.tensor([False, True, False, True, False])


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture
def x() -> Tensor:
    return torch.rand(40, FEATURES, generator=seeded(1))


@pytest.fixture
def network(x) -> Autoencoder:
    """A network of which `DEAD` never fire, trained for a few steps."""
    torch.manual_seed(0)
    network = Autoencoder(x.mean(dim=0), UNITS, nn.ReLU())
    with torch.no_grad():
        network.encoder.bias[DEAD] = -100.0
    return network


@pytest.fixture
def optimizer(network, x) -> torch.optim.Optimizer:
    """One whose moments are nowhere zero."""
    optimizer = torch.optim.NAdam(network.parameters(), 1e-3)
    for _ in range(3):
        optimizer.zero_grad()
        (network(x) - x).square().mean().backward()
        for parameter in network.parameters():
            parameter.grad += 0.1
        optimizer.step()
    with torch.no_grad():
        network.encoder.bias[DEAD] = -100.0
    return optimizer


# which units are dead


def test_a_unit_is_dead_after_so_many_silent_samples_in_a_row():
    silence = Silence(2)
    first_only = torch.tensor([1.0, 0.0]).repeat(SILENT // 2, 1)
    silence.update(first_only)
    assert silence.dead.tolist() == [False, False]
    silence.update(first_only)
    assert silence.dead.tolist() == [False, True]
    assert silence.since.tolist() == [0, SILENT]


def test_samples_are_counted_from_the_last_on_which_a_unit_was_active():
    silence = Silence(3)
    silence.update(torch.tensor([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 0.0]]))
    assert silence.since.tolist() == [2, 1, 3]
    silence.update(torch.tensor([[0.0, 0.0, 1.0], [0.0, 0.0, 0.0]]))
    assert silence.since.tolist() == [4, 3, 1]


def test_a_dead_unit_that_fires_again_counts_once_each_time():
    silence = Silence(2)
    silent, loud = torch.zeros(SILENT, 2), torch.ones(1, 2)
    for seen in (silent, loud, loud, silent, loud):
        silence.update(seen)
    assert silence.returned == 4


def test_a_unit_that_starts_anew_has_its_time_to_fire_and_counts_when_it_does():
    silence = Silence(2)
    silence.update(torch.zeros(SILENT, 2))
    silence.reset(torch.tensor([1]))
    assert silence.dead.tolist() == [True, False]
    assert silence.returned == 0
    silence.update(torch.tensor([[0.0, 1.0]]))
    assert silence.returned == 1


def test_what_is_known_of_silence_is_kept_with_a_network():
    one, other = Silence(2), Silence(2)
    one.update(torch.tensor([[0.0, 1.0]] * SILENT))
    other.load_state_dict(one.state_dict())
    other.update(torch.ones(1, 2))
    assert other.returned == 1


# the new start


@pytest.mark.parametrize(
    ("step", "due"), [(49, False), (50, True), (100, True), (700, True), (750, False)]
)
def test_a_new_start_is_due_every_50_steps_until_70_percent(step, due):
    assert is_due(step, 1000) is due


def test_only_dead_units_change_and_so_do_all_of_theirs(network, optimizer, x):
    before = {name: value.clone() for name, value in network.state_dict().items()}
    assert resample(network, DEAD, x, optimizer, seeded()).tolist() == [1, 3]
    after = network.state_dict()
    live = ~DEAD
    assert torch.equal(after["encoder.weight"][live], before["encoder.weight"][live])
    assert torch.equal(after["encoder.bias"][live], before["encoder.bias"][live])
    assert torch.equal(after["decoder.weight"][:, live], before["decoder.weight"][:, live])
    assert torch.equal(after["decoder.bias"], before["decoder.bias"])
    assert (after["encoder.weight"][DEAD] != before["encoder.weight"][DEAD]).all()
    assert (after["encoder.bias"][DEAD] != before["encoder.bias"][DEAD]).all()
    assert (after["decoder.weight"][:, DEAD] != before["decoder.weight"][:, DEAD]).all()


def test_a_new_unit_points_at_a_sample_and_fires_above_half_of_its_projection(
    network, optimizer, x
):
    live = ~DEAD
    row_norm = network.encoder.weight[live].norm(dim=1).mean().item()
    column_norm = network.decoder.weight[:, live].norm(dim=0).mean().item()
    resample(network, DEAD, x, optimizer, seeded())
    centre = network.decoder.bias.detach()
    for unit in (1, 3):
        row = network.encoder.weight[unit].detach()
        assert row.norm().item() == pytest.approx(row_norm / 2, rel=1e-5)
        cosines = nn.functional.cosine_similarity(x - centre, row[None], dim=1)
        sample = x[cosines.argmax()]
        assert cosines.max().item() == pytest.approx(1, abs=1e-6)
        column = network.decoder.weight[:, unit].detach()
        assert torch.allclose(column, column_norm * row / row.norm(), atol=1e-6)
        # half of the way from the centre to the sample is the threshold
        halfway = centre + (sample - centre) / 2
        before, after = halfway - 0.01 * (sample - centre), halfway + 0.01 * (sample - centre)
        coding = network.encode(torch.stack([centre, before, after, sample]))[:, unit]
        assert coding[:2].tolist() == [0, 0]
        assert coding[2] > 0
        projection = row_norm / 2 * (sample - centre).norm().item()
        assert coding[3].item() == pytest.approx(projection / 2, rel=1e-4)


def test_units_start_at_different_samples(network, optimizer, x):
    resample(network, torch.ones(UNITS, dtype=torch.bool), x, optimizer, seeded())
    rows = nn.functional.normalize(network.encoder.weight.detach(), dim=1)
    assert (rows @ rows.T - torch.eye(UNITS)).max() < 0.9999


def test_where_every_unit_is_dead_all_start_anew_with_finite_weights(network, optimizer, x):
    with torch.no_grad():
        network.encoder.bias.fill_(-100)
    dead = torch.ones(UNITS, dtype=torch.bool)
    assert len(resample(network, dead, x, optimizer, seeded())) == UNITS
    assert all(value.isfinite().all() for value in network.state_dict().values())
    assert (network.encode(x) > 0).any(dim=0).all()


def test_no_more_units_start_than_samples_have_an_error(network, optimizer, x):
    wrong = x.clone()
    with torch.no_grad():
        x = network(x).detach()
        for _ in range(200):  # a fixed point, which the network reproduces exactly
            x = network(x)
    x[0] = wrong[0]
    exact = (network(x) == x).all(dim=1)
    assert exact.sum() >= len(x) - 2
    before = network.encoder.weight.detach().clone()
    units = resample(network, DEAD, x, optimizer, seeded())
    assert len(units) == min(int((~exact).sum()), 2)
    if len(units) < 2:
        assert torch.equal(network.encoder.weight[3], before[3])


def test_a_network_that_has_diverged_is_left_alone(network, optimizer, x):
    with torch.no_grad():
        network.encoder.weight.fill_(math.nan)
    bias = network.encoder.bias.detach().clone()
    assert len(resample(network, DEAD, x, optimizer, seeded())) == 0
    assert torch.equal(network.encoder.bias, bias)


def test_the_same_generator_gives_the_same_start(network, optimizer, x):
    states = []
    for seed in (0, 0, 1):
        resample(network, DEAD, x, optimizer, seeded(seed))
        states.append(network.encoder.weight.detach().clone())
        with torch.no_grad():
            network.encoder.bias[DEAD] = -100.0
    assert torch.equal(states[0], states[1])
    assert not torch.equal(states[0], states[2])


def test_samples_are_drawn_in_proportion_to_their_squared_error():
    network = Autoencoder(torch.zeros(1), 1, nn.ReLU())
    with torch.no_grad():
        network.encoder.weight.zero_()  # it reconstructs everything as 0
    x = torch.tensor([[1.0], [2.0], [3.0], [0.0]])
    draws = 3000
    generator = seeded()
    drawn = torch.cat([draw_by_error(network, x, 1, generator) for _ in range(draws)])
    counts = torch.tensor([(drawn == value).sum() for value in (1.0, 2.0, 3.0)]).double()
    expected = draws * torch.tensor([1, 4, 9]).double() / 14
    assert counts.sum() == draws
    chi_squared = ((counts - expected) ** 2 / expected).sum().item()
    assert chi_squared < 13.8  # exceeded once in 1000 with 2 degrees of freedom


def test_the_moments_of_new_units_alone_start_anew_with_the_squares_of_live_ones(
    network, optimizer, x
):
    kept = {
        name: {key: value.clone() for key, value in optimizer.state[parameter].items()}
        for name, parameter in network.named_parameters()
    }
    resample(network, DEAD, x, optimizer, seeded())
    # what the states are called: a change of the optimizer is to be noticed here
    assert set(kept["encoder.bias"]) == {"step", "mu_product", "exp_avg", "exp_avg_sq"}
    for name, parameter in network.named_parameters():
        state, before = optimizer.state[parameter], kept[name]
        for key in ("step", "mu_product"):
            assert torch.equal(state[key], before[key])
        assert (before["exp_avg"] != 0).all()
        if name == "decoder.bias":
            assert all(torch.equal(state[key], before[key]) for key in before)
            continue
        # units from first to last
        axis = 1 if name == "decoder.weight" else 0
        for unit in range(UNITS):
            mean, square = (state[k].select(axis, unit) for k in ("exp_avg", "exp_avg_sq"))
            if not DEAD[unit]:
                assert torch.equal(mean, before["exp_avg"].select(axis, unit))
                assert torch.equal(square, before["exp_avg_sq"].select(axis, unit))
                continue
            live = [before["exp_avg_sq"].select(axis, one) for one in (0, 2, 4)]
            assert (mean == 0).all()
            assert torch.allclose(square, sum(live) / 3, rtol=1e-6, atol=0)


def test_the_first_update_of_a_new_unit_is_no_larger_than_the_learning_rate(network, optimizer, x):
    bias = network.encoder.bias
    moments = optimizer.state[bias]
    moments["step"].fill_(1000.0)  # late in a training, where bias corrections are over
    moments["mu_product"].fill_(0.0)
    resample(network, DEAD, x, optimizer, seeded())
    before = bias.detach().clone()
    optimizer.zero_grad()
    bias.grad = moments["exp_avg_sq"][~DEAD].mean().sqrt().expand_as(bias).clone()
    optimizer.step()
    assert ((bias - before).detach().abs()[DEAD] < optimizer.param_groups[0]["lr"]).all()


def test_before_the_first_update_there_are_no_moments(network):
    optimizer = torch.optim.NAdam(network.parameters())
    reset_moments(optimizer, network.encoder.weight, torch.tensor([1]), ~DEAD)
    assert not optimizer.state[network.encoder.weight]
