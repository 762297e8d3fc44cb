"""One short training of which the outcome is known, and what it shows."""

from __future__ import annotations

import math
import statistics
import warnings
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from benchmarks.controllers.outcome_networks import Data, Network, load
from benchmarks.controllers.outcomes import Scenario
from torch import Tensor, nn

import regularizers as rz

LAST = 50
TREND = 400


@dataclass
class Trace:
    """What each step of a training showed."""

    wanted: float
    measured: list[float] = field(default_factory=list)
    """The measured quantity, counted here and not by the library."""
    strength: list[float] = field(default_factory=list)
    loss: list[float] = field(default_factory=list)
    alive: list[int] = field(default_factory=list)
    """The units active in at least one sample of the batch."""
    law: list[dict[str, float]] = field(default_factory=list)
    """The state of the law after the step, if asked for."""
    warned: list[tuple[int, str]] = field(default_factory=list)
    """The step and text of each warning."""

    @property
    def end(self) -> float:
        """The mean of the last 50 measurements, over the target."""
        return sum(self.measured[-LAST:]) / len(self.measured[-LAST:]) / self.wanted

    @property
    def met_at(self) -> int | None:
        """The first step from which on all means of 50 measurements are within 5% of the target."""
        means = torch.tensor(self.measured, dtype=torch.float64).unfold(0, LAST, 1).mean(dim=1)
        met = ((means / self.wanted - 1).abs() <= 0.05).tolist()
        first = len(met)
        while first and met[first - 1]:
            first -= 1
        return None if first == len(met) else first + LAST

    @property
    def reached_at(self) -> int | None:
        """The first step at which the mean of 50 measurements is within 5% of the target."""
        means = torch.tensor(self.measured, dtype=torch.float64).unfold(0, LAST, 1).mean(dim=1)
        reached = ((means / self.wanted - 1).abs() <= 0.05).nonzero()
        return int(reached[0]) + LAST if len(reached) else None

    def foretold(self, after: int) -> float | None:
        """The steps more to the target if the last 400 go on as a line; None if they lead away.

        The line is that through the logarithms of measurement over target.
        """
        ratios = [m / self.wanted for m in self.measured[after - TREND : after]]
        slope = statistics.linear_regression(range(TREND), [math.log(r) for r in ratios]).slope
        off = math.log(statistics.fmean(ratios[-LAST:]))
        return -off / slope if off * slope < 0 else None

    @property
    def swing(self) -> tuple[float, float]:
        """Of the last 100 steps: the standard deviation over the target, and the autocorrelation.

        The autocorrelation is that of neighbouring steps: −1 if each swings to the other side.
        """
        last = torch.tensor(self.measured[-100:], dtype=torch.float64) / self.wanted
        off = last - last.mean()
        variance = float(off.square().mean())
        together = float((off[1:] * off[:-1]).mean())
        return math.sqrt(variance), together / variance if variance else 0.0

    @property
    def fall(self) -> float:
        """The median strength of the last 50 steps over that of 50 steps after the target is met.

        Met is when it first came within 5% of the target; 1 if it never did.
        """
        means = torch.tensor(self.measured, dtype=torch.float64).unfold(0, LAST, 1).mean(dim=1)
        met = ((means / self.wanted - 1).abs() <= 0.05).nonzero()
        if not len(met):
            return 1.0
        begin = int(met[0]) + LAST
        strength = torch.tensor(self.strength, dtype=torch.float64)
        return float(strength[-LAST:].median() / strength[begin - 1 : begin + LAST].median())


def train(
    scenario: Scenario, *, times: int = 1, constant: float | None = None, with_law: bool = False
) -> Trace:
    """Train one network.

    Args:
        scenario: what is trained.
        times: the factor of the number of steps.
        constant: a strength of L1 in place of the penalty with a target.
        with_law: whether to record the state of the law.
    """
    torch.set_num_threads(1)
    torch.manual_seed(scenario.seed)
    data = load(scenario.data)
    network = _network(scenario, data)
    optimizer = _optimizer(scenario, network)
    penalty = scenario.penalty if constant is None else rz.L1(constant)
    reg = rz.Regularization(network, [rz.activity(penalty, where="code")])
    target = scenario.target
    codes: list[Tensor] = []
    network.code.register_forward_hook(lambda *args: codes.append(args[2].detach()))
    key = next(iter(reg.strengths))
    trace = Trace(target.wanted)
    steps = scenario.steps * times
    batches = _batches(data, scenario)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for step in range(steps):
            x, y = next(batches)
            loss = scenario.factor * _loss(scenario, network, x, y, step / scenario.steps)
            charged = reg.penalty()
            optimizer.zero_grad()
            (loss if scenario.wrong == "penalty left out" else loss + charged).backward()
            if scenario.anneal:
                for group in optimizer.param_groups:
                    group["lr"] = scenario.rate * min(1.0, (steps - step) / (steps / 5))
            optimizer.step()
            if constant is None:
                reg.step()
            if scenario.held:
                network.hold_decoder()
            code = codes.pop()
            trace.measured.append(float(measure(target, code)))
            trace.strength.append(float(reg.strengths[key]))
            trace.loss.append(float(loss.detach()))
            if with_law:
                trace.alive.append(int((code != 0).any(dim=0).sum()))
                trace.law.append(dict(reg.state_dict()["controllers"][key]["law"]))
            trace.warned += [(step + 1, str(warning.message)) for warning in caught]
            caught.clear()
    reg.detach()
    return trace


def measure(target: Any, x: Tensor) -> Tensor:
    """Return what a target measures, by a formula of its own."""
    match target:
        case rz.TargetActive(units=None):
            return (x.abs() > target.threshold).double().mean()
        case rz.TargetActive():
            return (x.abs() > target.threshold).sum(dim=1).double().mean()
        case rz.TargetMean():
            return x.abs().double().mean()
        case rz.TargetNorm():
            return x.double().norm(dim=1).mean()
    raise TypeError(target)


def _network(scenario: Scenario, data: Data) -> Network:
    x, y = data
    outputs = x.shape[1] if y is x else int(y.max()) + 1
    network = Network(x.shape[1], scenario.hidden, scenario.code(), scenario.units, outputs)
    if scenario.orthogonal:
        network.begin_orthogonal(x.mean(dim=0))
    network.move_bias(scenario.bias)
    if scenario.held:
        network.hold_decoder()
    if scenario.wrong == "frozen encoder":
        network.encoder.requires_grad_(False)
    return network


def _optimizer(scenario: Scenario, network: Network) -> torch.optim.Optimizer:
    of = network.decoder if scenario.wrong == "encoder not in the optimizer" else network
    trained = [p for p in of.parameters() if p.requires_grad]
    return scenario.optimizer(trained, lr=scenario.rate)  # type: ignore[call-arg]


def _loss(scenario: Scenario, network: Network, x: Tensor, y: Tensor, time: float) -> Tensor:
    """Return the loss of a batch; `time` is the share of the steps that has passed."""
    match scenario.wrong:
        case "loss of something else":
            network(x)
            predicted = network.decoder(x.mean(dim=1, keepdim=True).expand(-1, scenario.units))
        case "code detached":
            predicted = network.decoder(network.code(network.encoder(x)).detach())
        case "overflow" if time > 0.3:
            predicted = network(x * math.inf)
        case _:
            predicted = network(x)
    if y.dtype == torch.long:
        return nn.functional.cross_entropy(predicted, y)
    return nn.functional.mse_loss(predicted, y)


def _batches(data: Data, scenario: Scenario) -> Iterator[Data]:
    x, y = data
    generator = torch.Generator().manual_seed(1000 + scenario.seed)
    while True:
        order = torch.randperm(len(x), generator=generator)
        for rows in order[: len(order) // scenario.batch * scenario.batch].split(scenario.batch):
            yield x[rows], y[rows]
