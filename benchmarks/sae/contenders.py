"""SAELens' trainers on a given stream of samples. Runs in an environment with sae-lens.

    python -m benchmarks.sae.contenders train --trainer batchtopk --data samples.f32
        --shape 1000000,64 --units 256 --active 8 --learning-rate 1e-2 --out runs/batchtopk
    python -m benchmarks.sae.contenders time --features 64 --units 256 --against "ours=COMMAND"

`train` writes into `--out` their `cfg.json` and `sae_weights.safetensors` for evaluation, the same
tensors as `weights.npz`, and `result.json`: the settings, wall and processor time, and L0, EV and
dead units over the samples held out. `time` takes steps of theirs in turns with another program,
which speaks as in `interleaved.py`. Both use one thread.
"""

from __future__ import annotations

import argparse
import itertools
import json
import math
import shlex
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from benchmarks.sae import saelens
from benchmarks.sae.interleaved import interleave, serve, table
from benchmarks.sae.stream import Samples
from sae_lens import SAE

CLOSE = 0.02
"""How near the L0 that was asked for a search ends, as a share of it."""

SEARCHES = 4
"""Runs that a search takes at most."""


def main() -> None:
    """Run what the command line asks for."""
    arguments = parsed()
    torch.set_num_threads(1)
    {"train": train, "time": timed, "steps": steps}[arguments.what](arguments)


def parsed() -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    kinds = parser.add_subparsers(dest="what", required=True)
    for name in ("train", "time", "steps"):
        kind = kinds.add_parser(name)
        kind.add_argument("--trainer", choices=saelens.CLASSES, default="batchtopk")
        kind.add_argument("--units", type=int, required=True)
        kind.add_argument("--active", type=float, default=8)
        kind.add_argument("--coefficient", type=float, help="of the penalty; default: theirs")
        kind.add_argument("--widths", type=json.loads, default=[], help="of Matryoshka, as JSON")
        kind.add_argument("--options", type=json.loads, default={}, help="further, as JSON")
        kind.add_argument("--learning-rate", type=float, default=3e-3)
        kind.add_argument("--seed", type=int, default=0)
        kind.add_argument("--batch", type=int, default=512 if name == "train" else 4096)
        if name != "train":
            kind.add_argument("--features", type=int, required=True)
            kind.add_argument("--rounds", type=int, default=20)
            kind.add_argument("--steps", type=int, default=5, help="in a round")
            kind.add_argument("--against", action="append", default=[], help="NAME=COMMAND")
            continue
        kind.add_argument("--data", type=Path, required=True, help="a raw file of float32")
        kind.add_argument("--shape", type=_shape, required=True, help="samples,features")
        kind.add_argument("--held-out", type=int, default=65_536, help="the last of the file")
        kind.add_argument("--steps", type=int, help="default: each sample once")
        kind.add_argument("--dead-window", type=int, default=1000, help="steps without firing")
        kind.add_argument("--match-l0", action="store_true", help="search the coefficient")
        kind.add_argument("--out", type=Path, required=True)
    return parser.parse_args()


def train(arguments: argparse.Namespace) -> None:
    """Train, searching the coefficient if asked for, and write the best run."""
    samples = Samples(arguments.data, arguments.shape, arguments.held_out)
    if not arguments.match_l0:
        run(arguments, samples, arguments.coefficient)
        return
    if arguments.trainer not in saelens.SEARCHED:
        raise SystemExit(f"--match-l0: {arguments.trainer} is told how many units are active")
    tried: list[tuple[float, float]] = []
    best = math.inf
    while len(tried) < SEARCHES and best > math.log1p(CLOSE):
        coefficient = following(tried, arguments.active, arguments.coefficient or 1.0)
        result = run(arguments, samples, coefficient, keep_below=best)
        tried.append((coefficient, result["l0"]))
        best = min(best, abs(log_ratio(result["l0"], arguments.active)))


def following(tried: list[tuple[float, float]], active: float, first: float) -> float:
    """Return the coefficient to try next, from log L0 over its logarithm.

    Between runs on both sides of the L0 it is interpolated: by all runs where that stays between
    them, else by the nearest two. A code that has collapsed counts as one eightfold too sparse.
    Beyond runs on one side it goes on by a factor of 2 to 10.
    """
    if not tried:
        return first
    points = [(math.log(c), log_ratio(l0, active, most=8)) for c, l0 in tried]
    dense, sparse = [p for p in points if p[1] > 0], [p for p in points if p[1] <= 0]
    if dense and sparse:
        (x, y), (u, v) = min(dense, key=lambda p: p[1]), max(sparse, key=lambda p: p[1])
        through = lagrange(points)
        between = min(x, u) < through < max(x, u)
        return math.exp(through if between else x + (u - x) * y / (y - v))
    x, y = max(dense) if dense else min(sparse)
    step = min(max(abs(2 * y), math.log(2)), math.log(10))  # as if L0 went as c^-1/2
    return math.exp(x + math.copysign(step, y))


def lagrange(points: list[tuple[float, float]]) -> float:
    """Return x at y = 0 of the polynomial in y through points (x, y); NaN where two y are one."""
    if len({y for _, y in points}) < len(points):
        return math.nan
    others = [[q for j, (_, q) in enumerate(points) if j != i] for i in range(len(points))]
    weights = [
        math.prod(q / (q - y) for q in rest) for (_, y), rest in zip(points, others, strict=True)
    ]
    return sum(x * weight for (x, _), weight in zip(points, weights, strict=True))


def log_ratio(l0: float, active: float, most: float = 1e6) -> float:
    """Return the logarithm of an L0 over the one asked for, within ± that of `most`."""
    return math.log(min(max(l0 / active, 1 / most), most))


def run(
    arguments: argparse.Namespace,
    samples: Samples,
    coefficient: float | None,
    keep_below: float = math.inf,
) -> dict[str, Any]:
    """Train once, print the result, and write it if its L0 is nearer than `keep_below`."""
    a = arguments
    features = a.shape[1]
    count = a.steps or len(samples.train) // a.batch
    options = saelens.settings(a.trainer, a.units, a.active, coefficient, a.widths) | a.options
    sae = saelens.build(a.trainer, features, a.units, options, a.seed)
    trainer = saelens.trainer_of(
        sae,
        samples.batches(a.batch),
        steps=count,
        batch=a.batch,
        learning_rate=a.learning_rate,
        dead_window=a.dead_window,
    )
    wall, cpu = time.perf_counter(), time.process_time()
    trainer.fit()
    spent = {"wall_s": time.perf_counter() - wall, "cpu_s": time.process_time() - cpu}
    folder = a.out
    temporary = folder.with_name(folder.name + ".run")
    sae.save_inference_model(temporary)
    result = {
        "trainer": a.trainer,
        "saelens": saelens.VERSION,
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "options": options,
        "learning_rate": a.learning_rate,
        "seed": a.seed,
        "steps": count,
        "batch": a.batch,
        **spent,
        **measured(SAE.load_from_disk(temporary), samples),
    }
    print(json.dumps(result), flush=True)
    if abs(log_ratio(result["l0"], a.active)) < keep_below:
        folder.mkdir(parents=True, exist_ok=True)
        for path in temporary.iterdir():
            path.replace(folder / path.name)
        tensors = SAE.load_from_disk(folder).state_dict()
        np.savez(folder / "weights.npz", **{k: t.numpy() for k, t in tensors.items()})
        (folder / "result.json").write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")
    for path in temporary.iterdir():
        path.unlink()
    temporary.rmdir()
    return result


@torch.no_grad()
def measured(sae: SAE[Any], samples: Samples) -> dict[str, Any]:
    """Return L0, EV = 1 - Σ‖x - x̂‖² / Σ‖x - x̄‖², and the units that never fire."""
    mean = torch.zeros(sae.cfg.d_in, dtype=torch.float64)
    for x in samples.evaluated():
        mean += x.double().sum(0) / len(samples.held_out)
    fired, error, variance = torch.zeros(sae.cfg.d_sae), 0.0, 0.0
    for x in samples.evaluated():
        code = sae.encode(x)
        fired += (code != 0).sum(0)
        error += float((x - sae.decode(code)).double().square().sum())
        variance += float((x.double() - mean).square().sum())
    return {
        "l0": float(fired.sum()) / len(samples.held_out),
        "ev": 1 - error / variance,
        "dead": int((fired == 0).sum()),
        "held_out": len(samples.held_out),
    }


def steps(arguments: argparse.Namespace) -> None:
    """Take steps as they are asked for on standard input.

    The data are normal, the steps the first of a run: no unit counts as dead yet, so that the
    auxiliary loss costs nothing.
    """
    a = arguments
    torch.manual_seed(a.seed)
    given = [torch.randn(a.batch, a.features) for _ in range(8)]
    options = saelens.settings(a.trainer, a.units, a.active, a.coefficient, a.widths) | a.options
    sae = saelens.build(a.trainer, a.features, a.units, options, a.seed)
    trainer = saelens.trainer_of(
        sae, iter(()), steps=100_000, batch=a.batch, learning_rate=a.learning_rate
    )
    batches = itertools.cycle(given)

    def step() -> None:
        trainer.maybe_reset_sparsity()
        trainer.step(next(batches))
        trainer.n_training_steps += 1

    serve(step)


def timed(arguments: argparse.Namespace) -> None:
    """Print milliseconds a step, of theirs and of the programs it is compared with, in turns."""
    a = arguments
    own = [sys.executable, "-m", "benchmarks.sae.contenders", "steps", *_passed_on(a)]
    commands = {f"SAELens {a.trainer}": shlex.join(own)}
    commands |= dict(each.split("=", maxsplit=1) for each in a.against)
    results = interleave(commands, a.rounds, a.steps)
    print(f"{a.features} x {a.units}, batch {a.batch}, one thread, {a.rounds} rounds of {a.steps}")
    print(table(results))


def _passed_on(arguments: argparse.Namespace) -> list[str]:
    names = ("trainer", "features", "units", "active", "batch", "learning_rate", "seed")
    given = [f"--{name.replace('_', '-')}={getattr(arguments, name)}" for name in names]
    if arguments.coefficient is not None:
        given.append(f"--coefficient={arguments.coefficient}")
    return [
        *given,
        f"--widths={json.dumps(arguments.widths)}",
        f"--options={json.dumps(arguments.options)}",
    ]


def _shape(text: str) -> tuple[int, int]:
    samples, features = (int(part) for part in text.split(","))
    return samples, features


if __name__ == "__main__":
    main()
