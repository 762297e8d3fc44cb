"""The trainings that are compared."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TypeAlias

import torch
from benchmarks.forgetting.tasks import PAIRS
from benchmarks.forgetting.training import Result, learned, then

SEEDS = (0, 1, 2, 3, 4)
STRENGTHS: Mapping[str, Sequence[float]] = {
    "nothing": (0.0,),
    "L2": (1e-4, 1e-3, 1e-2),
    "L2-SP": (1e-2, 3e-2, 1e-1, 3e-1, 1.0),
    "EWC": (10.0, 30.0, 100.0, 300.0, 1000.0, 3000.0, 10000.0),
}
"""λ of ½λ‖w‖², ½λ‖w − w*‖² and ½λΣF(w − w*)², by method."""

Key: TypeAlias = tuple[str, str, float]
Results: TypeAlias = dict[Key, list[Result]]
"""By pair, method and strength: one result for each seed."""


def measured(
    pairs: Sequence[str] = tuple(PAIRS),
    seeds: Sequence[int] = SEEDS,
    strengths: Mapping[str, Sequence[float]] = STRENGTHS,
) -> Results:
    """Train the networks on one thread, and return the results."""
    torch.set_num_threads(1)
    results: Results = {}
    for name in pairs:
        for seed in seeds:
            pair = PAIRS[name](seed)
            network = learned(pair, seed)
            for method, of_method in strengths.items():
                for strength in of_method:
                    result = then(network, pair, method, strength, seed)
                    results.setdefault((name, method, strength), []).append(result)
            print(f"\r{name}, seed {seed}   ", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return results
