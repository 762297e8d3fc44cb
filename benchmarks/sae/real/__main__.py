"""Sparse codes of real activations, beside SAELens' trainers on the same store.

    python -m benchmarks.sae.real --text FILE --sites residual mlp --saelens INTERPRETER
    python -m benchmarks.sae.real --text FILE --sites encoder --encoder FOLDER

Sites: the residual stream and an MLP of a small language model that is trained here on the first
nine tenths of the text, and a layer of all-MiniLM-L6-v2. Every training sees the same rows in the
same order and number of steps; figures are of the last tenth of the text. Stores, the model and
a line for each training are kept in `--kept`, from which a run goes on.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from benchmarks.sae.real.sites import NAMES, as_file, site_of
from benchmarks.sae.real.table import table
from benchmarks.sae.real.training import ours, theirs

OURS = ("jumprelu", "batchtopk")
RATES = (1e-3, 3e-3, 1e-2, 2e-2)


def main() -> None:
    """Run what is not kept yet, and print the table."""
    options = parsed()
    torch.set_num_threads(1)
    options.kept.mkdir(parents=True, exist_ok=True)
    lines = options.kept / "trainings.jsonl"
    rows = [json.loads(line) for line in lines.read_text().splitlines()] if lines.exists() else []
    for site in options.sites:
        for seed in options.seeds:
            keys = [key for key in trainings(options, site, seed) if not is_kept(key, rows)]
            for row in run(options, site, seed, keys):
                rows.append(row)
                with lines.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
                print(row, file=sys.stderr, flush=True)
    print(table(rows))


def parsed() -> argparse.Namespace:
    """Return the options."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--text", type=Path, required=True, help="a file of text")
    parser.add_argument("--sites", nargs="+", default=["residual", "mlp"], choices=NAMES)
    parser.add_argument("--active", nargs="+", type=int, default=[16, 32, 64])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2])
    parser.add_argument("--rows", type=int, default=2_000_000, help="of each store, at least")
    parser.add_argument("--batch", type=int, default=2048)
    parser.add_argument("--steps", type=int, default=976, help="976 batches: each row once")
    parser.add_argument("--ours", nargs="*", default=[*OURS])
    parser.add_argument("--our-rates", nargs="+", type=float, default=[3e-3, 1e-2])
    parser.add_argument("--theirs", nargs="*", default=["batchtopk"])
    parser.add_argument("--rates", nargs="+", type=float, default=[*RATES], help="of theirs")
    parser.add_argument("--dead-window", type=int, default=1000, help="of theirs, in steps")
    parser.add_argument("--saelens", help="the interpreter of an environment with sae-lens")
    parser.add_argument("--encoder", type=Path, help="the files of all-MiniLM-L6-v2")
    parser.add_argument("--kept", type=Path, default=Path("runs/real"))
    return parser.parse_args()


def trainings(options: argparse.Namespace, site: str, seed: int) -> Iterator[dict[str, Any]]:
    """Yield what says which training, one after another."""
    for active in options.active:
        common = {"site": site, "active": active, "seed": seed, "rows": options.rows}
        common |= {"batch": options.batch, "steps": options.steps}
        for architecture in options.ours:
            for rate in options.our_rates:
                yield common | {"by": "ours", "trainer": architecture, "rate": rate}
        for trainer in options.theirs if options.saelens else ():
            for rate in options.rates:
                key = {"by": "SAELens", "trainer": trainer, "rate": rate}
                yield common | key | {"dead_window": options.dead_window}


def is_kept(key: dict[str, Any], rows: list[dict[str, Any]]) -> bool:
    """Return whether a training has its line."""
    return any(key.items() <= row.items() for row in rows)


def run(
    options: argparse.Namespace, name: str, seed: int, keys: list[dict[str, Any]]
) -> Iterator[dict[str, Any]]:
    """Yield the line of each training of a site with one seed."""
    if not keys:
        return
    site = site_of(name, options.text, options.kept, options.rows, options.encoder)
    stores = site.store(options.kept / f"{name}-{options.rows}")
    for key in keys:
        if key["by"] == "ours":
            yield key | ours(site, stores, key)
    others = [key for key in keys if key["by"] != "ours"]
    if others:
        path = options.kept / f"{name}-{seed}.f32"
        with as_file(stores, options.batch, seed, options.steps, path):
            for key in others:
                yield key | theirs(site, stores, key, options.saelens, path)


if __name__ == "__main__":
    main()
