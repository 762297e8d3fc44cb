"""Sparse codes on problems whose dictionary is known, beside SAELens' trainers.

    python -m benchmarks.sae.superposed --problems A2 A8 B8 --seeds 1 2
    python -m benchmarks.sae.superposed --saelens INTERPRETER --rates 3e-3 1e-2

Every training sees the same samples once, in batches of 512. Each of theirs is run at every rate,
and the best by explained variance is shown. Figures are of fresh samples. A line for each
training is printed when it ends and kept in `--kept`, from which a run goes on.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

import regularizers as rz
from regularizers.sae import SparseAutoencoder, Superposition

SAMPLES = {"A2": 1_000_000, "A8": 1_000_000, "B8": 600_000}
ACTIVE = {"A2": 2.8, "A8": 8.0, "B8": 8.0}
HELD_OUT = 51_200
BATCH = 512
OURS = ("jumprelu", "batchtopk")
THEIRS = ("topk", "batchtopk", "matryoshka", "jumprelu", "gated", "l1")
SEARCHED = ("jumprelu", "gated", "l1")
COLUMNS = ("l0", "explained_variance", "f1", "mcc", "dead", "seconds")


def main() -> None:
    """Run what is not kept yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--problems", nargs="+", default=[*SAMPLES], choices=[*SAMPLES])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--ours", nargs="*", default=[*OURS])
    parser.add_argument("--theirs", nargs="*", default=[*THEIRS])
    parser.add_argument("--units", type=float, default=1.0, help="times the features")
    parser.add_argument("--saelens", help="the interpreter of an environment with sae-lens")
    parser.add_argument("--rates", nargs="+", type=float, default=[1e-3, 3e-3, 1e-2, 2e-2])
    parser.add_argument("--kept", type=Path, default=Path("runs/superposed.jsonl"))
    options = parser.parse_args()
    torch.set_num_threads(1)
    options.kept.parent.mkdir(parents=True, exist_ok=True)
    lines = options.kept.read_text().splitlines() if options.kept.exists() else []
    rows = [json.loads(line) for line in lines]
    for key, work in cells(options):
        if not any(key.items() <= row.items() for row in rows):
            rows.append(key | work())
            with options.kept.open("a") as kept:
                kept.write(json.dumps(rows[-1]) + "\n")
            print(rows[-1], file=sys.stderr, flush=True)
    print(table(rows))


def cells(
    options: argparse.Namespace,
) -> Iterator[tuple[dict[str, Any], Callable[[], dict[str, Any]]]]:
    """Yield what says which training, and what runs it."""
    for name in options.problems:
        for seed in options.seeds:
            common = {"problem": name, "seed": seed, "units": options.units}
            for architecture in options.ours:
                key = common | {"by": "ours", "trainer": architecture, "rate": 3e-3}
                yield key, lambda k=key: ours(k)
            for trainer in options.theirs if options.saelens else ():
                for rate in options.rates:
                    key = common | {"by": "SAELens", "trainer": trainer, "rate": rate}
                    yield key, lambda k=key: theirs(k, options.saelens)


def samples_of(name: str, seed: int) -> Any:
    """Return the batches that every training of a problem sees."""
    return Superposition.named(name).batches(BATCH, SAMPLES[name] // BATCH, seed=100 + seed)


def ours(key: dict[str, Any]) -> dict[str, Any]:
    """Train by the library, and measure."""
    problem = Superposition.named(key["problem"])
    data = samples_of(key["problem"], key["seed"])
    torch.manual_seed(key["seed"])
    units = round(problem.features * key["units"])
    sae = SparseAutoencoder(problem.dimensions, units, ACTIVE[key["problem"]], key["trainer"])
    began = time.process_time()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        rz.sae.train(sae, data, seed=key["seed"])
        if key["trainer"] == "l1":
            rz.sae.debias(sae, data, seed=key["seed"])
    seconds = time.process_time() - began
    return measured(sae, problem, seconds) | {"said": [str(one.message) for one in said]}


def theirs(key: dict[str, Any], interpreter: str) -> dict[str, Any]:
    """Train by SAELens in its environment, and measure what it saved."""
    problem = Superposition.named(key["problem"])
    data = samples_of(key["problem"], key["seed"])
    with tempfile.TemporaryDirectory() as scratch:
        path, out = Path(scratch) / "samples.f32", Path(scratch) / "out"
        rows = len(data) * BATCH
        file = np.memmap(path, np.float32, "w+", shape=(rows + HELD_OUT, problem.dimensions))
        for number, batch in enumerate(data):
            file[number * BATCH : (number + 1) * BATCH] = batch.numpy()
        held_out = problem.batches(BATCH, HELD_OUT // BATCH, seed=99)
        file[rows:] = np.concatenate([batch.numpy() for batch in held_out])
        file.flush()
        command = [
            *[interpreter, "-m", "benchmarks.sae.contenders", "train"],
            *["--trainer", key["trainer"], "--data", str(path), "--out", str(out)],
            *["--shape", f"{rows + HELD_OUT},{problem.dimensions}", "--held-out", str(HELD_OUT)],
            *["--units", str(round(problem.features * key["units"]))],
            *["--active", str(ACTIVE[key["problem"]]), "--seed", str(key["seed"])],
            *["--learning-rate", str(key["rate"])],
            *(["--match-l0"] if key["trainer"] in SEARCHED else []),
        ]
        subprocess.run(command, check=True, capture_output=True)
        result = json.loads((out / "result.json").read_text())
        sae = rz.sae.load(out, active=ACTIVE[key["problem"]])
        return measured(sae, problem, result["cpu_s"])


def measured(sae: SparseAutoencoder, problem: Superposition, seconds: float) -> dict[str, Any]:
    """Return the figures of an autoencoder on fresh samples."""
    sae.eval()
    evaluation = rz.sae.evaluate(sae, problem.batches(BATCH, HELD_OUT // BATCH, seed=99))
    truth = rz.sae.compare_with_truth(sae, problem, samples=HELD_OUT, seed=98)
    return {
        "l0": evaluation.l0,
        "explained_variance": evaluation.explained_variance,
        "f1": truth.f1,
        "mcc": truth.mcc,
        "dead": evaluation.dead,
        "surplus": truth.surplus,
        "seconds": seconds,
    }


def table(rows: list[dict[str, Any]]) -> str:
    """Return the means over seeds, of each trainer at its best rate."""
    lines = ["| | " + " | ".join(COLUMNS) + " |", "|---|" + "---|" * len(COLUMNS)]
    kinds = dict.fromkeys([(r["problem"], r["units"], r["by"], r["trainer"]) for r in rows])
    for kind in kinds:
        mine = [r for r in rows if (r["problem"], r["units"], r["by"], r["trainer"]) == kind]
        by_rate = {
            rate: [r for r in mine if r["rate"] == rate] for rate in {r["rate"] for r in mine}
        }
        means = {
            rate: {c: sum(r[c] for r in some) / len(some) for c in COLUMNS}
            for rate, some in by_rate.items()
        }
        rate, best = max(means.items(), key=lambda item: item[1]["explained_variance"])
        problem, units, by, trainer = kind
        seeds = len(by_rate[rate])
        name = f"{problem} × {units:g}: {by} {trainer}, {rate:g}, {seeds} seeds"
        lines.append(f"| {name} | " + " | ".join(f"{best[c]:.4g}" for c in COLUMNS) + " |")
    return "\n".join(lines)


if __name__ == "__main__":
    main()
