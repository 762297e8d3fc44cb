"""Every way to find a strength or to measure does what it is timed for."""

import math

import pytest
import torch
from benchmarks.speed.control import cases
from benchmarks.speed.control.networks import Network, networks
from benchmarks.speed.control.step import BLOCK, SETTLED, Steps
from benchmarks.speed.control.ways import METRICS, MONITOR, NO_PENALTY, name_of, ways_of
from benchmarks.speed.settings import Settings

QUICK = Settings(quick=True, seconds=0.0, rounds=1)
NETWORKS = networks(QUICK)
WITH_TARGETS = [(n, formula) for n in NETWORKS for formula in n.formulas]

pytestmark = pytest.mark.usefixtures("one_thread")
every_network = pytest.mark.parametrize("network", NETWORKS, ids=lambda network: network.name)


@pytest.fixture
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def steps(network: Network, name: str) -> Steps:
    return Steps(network, ways_of(network)[name])


def weights(network: Network, name: str) -> list[torch.Tensor]:
    return [p.detach() for p in steps(network, name).model.parameters()]


@every_network
def test_a_number_trains_as_the_line_does(network, monkeypatch):
    strong = dict.fromkeys(network.formulas, 0.1)
    monkeypatch.setattr("benchmarks.speed.control.ways.STRENGTHS", strong)
    plain = weights(network, NO_PENALTY)
    for formula in network.formulas:
        ours = weights(network, name_of(formula, "a number"))
        by_hand = weights(network, name_of(formula, "by hand"))
        # of 60 steps of Adam in float32
        torch.testing.assert_close(ours, by_hand, rtol=1e-2, atol=1e-3)
        assert not torch.allclose(plain[0], ours[0], rtol=1e-2, atol=1e-3)


@pytest.mark.parametrize(
    ("network", "formula"),
    WITH_TARGETS,
    ids=[f"{n.name}, {formula}" for n, formula in WITH_TARGETS],
)
def test_a_target_is_sought_in_every_step(network, formula):
    trained = steps(network, name_of(formula, "a target"))
    reg = trained.made.read
    reached = reg.targets()
    assert len(reached) == len(network.sites_of(trained.model))
    assert all(0 < one.measured < math.inf for one in reached.values())
    assert all(one.strength > 1e-20 for one in reached.values())
    assert reg.state_dict()["steps"] == SETTLED
    trained()
    assert reg.state_dict()["steps"] == SETTLED + BLOCK


@every_network
def test_the_metrics_by_hand_are_those_of_the_monitor(network):
    by_hand, monitor = steps(network, METRICS).made.read, steps(network, MONITOR).made.read
    numbers = monitor.as_dict()
    for site, metrics in by_hand.items():
        for name, number in metrics.as_dict().items():
            assert numbers[f"{site or 'model'}/{name}"] == pytest.approx(number, rel=1e-5), name


def test_blocks_keep_the_phase_of_every_tenth_step():
    assert BLOCK % 10 == 0
    assert SETTLED >= 60
    assert SETTLED % BLOCK == 0


def test_all_ways_of_a_network_are_one_case():
    assert [case.what for case in cases(QUICK)] == [network.name for network in NETWORKS]
    assert all(case.limit == NO_PENALTY for case in cases(QUICK))


def test_a_whole_run_has_the_networks_of_the_page():
    whole = networks(Settings())
    assert [network.name for network in whole] == [
        "256→2048→256, batch 2048",
        "64→1024→64, batch 512",
        "8 × 512, batch 256",
        "LSTM 256→256, batch 32, 70 steps",
    ]
    assert [len(network.sites_of(network.build())) for network in whole] == [1, 1, 8, 1]
