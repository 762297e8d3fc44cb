"""One training of an autoencoder by either library, and its figures on the text held out."""

from __future__ import annotations

import json
import math
import subprocess
import time
import warnings
from pathlib import Path
from typing import Any

import torch
from benchmarks.sae.real.sites import Site, shuffled

import regularizers as rz
from regularizers.sae import SparseAutoencoder, StoredActivations

TIMES = 16
"""Units for each dimension."""

NORMALIZED = {"normalize_activations": "expected_average_only_in"}
"""Their scaling of inputs to a mean norm of √d, folded at the end."""


def ours(site: Site, stores: tuple[Path, Path], key: dict[str, Any]) -> dict[str, Any]:
    """Train by the library, and measure."""
    data = shuffled(stores[0], key["batch"], key["seed"])
    (width,) = data.widths.values()
    torch.manual_seed(key["seed"])
    sae = SparseAutoencoder(width, TIMES * width, key["active"], key["trainer"])
    began = time.process_time()
    with warnings.catch_warnings(record=True) as said:
        warnings.simplefilter("always")
        history = rz.sae.train(
            sae, data, steps=key["steps"], learning_rate=key["rate"], seed=key["seed"]
        )
    seconds = time.process_time() - began
    notes = {"said": sorted({str(one.message) for one in said}), "revived": history.revived[-1]}
    return measured(site, stores, sae, seconds) | notes


def theirs(
    site: Site, stores: tuple[Path, Path], key: dict[str, Any], interpreter: str, file: Path
) -> dict[str, Any]:
    """Train by SAELens in its environment on a file of the same rows, and measure what it saved.

    Args:
        site: the site.
        stores: its activations.
        key: which training.
        interpreter: of an environment with sae-lens.
        file: the rows in the order of `shuffled`, those held out last.
    """
    held_out = StoredActivations(stores[1], shuffle=False)
    (width,) = held_out.widths.values()
    out = file.with_suffix(".out")
    command = [
        *[interpreter, "-m", "benchmarks.sae.real.theirs"],
        *["--trainer", key["trainer"], "--data", str(file), "--out", str(out)],
        *["--shape", f"{file.stat().st_size // (4 * width)},{width}"],
        *["--held-out", str(held_out.rows), "--units", str(TIMES * width)],
        *["--active", str(key["active"]), "--seed", str(key["seed"])],
        *["--learning-rate", str(key["rate"]), "--steps", str(key["steps"])],
        *["--batch", str(key["batch"]), "--options", json.dumps(NORMALIZED)],
        *["--dead-window", str(key["dead_window"])],
    ]
    said = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout
    sae = rz.sae.load(out, active=key["active"])
    return measured(site, stores, sae, float(said.splitlines()[-1]))


def measured(
    site: Site, stores: tuple[Path, Path], sae: SparseAutoencoder, seconds: float
) -> dict[str, Any]:
    """Return the figures of an autoencoder on the text held out."""
    sae.eval()
    evaluation = rz.sae.evaluate(sae, StoredActivations(stores[1], shuffle=False))
    recovered = site.recovered(sae)
    return {
        "l0": evaluation.l0,
        "explained_variance": evaluation.explained_variance,
        "recovered": math.nan if recovered is None else recovered.recovered_from_mean,
        "loss": math.nan if recovered is None else recovered.loss,
        "reconstructed": math.nan if recovered is None else recovered.reconstructed,
        "mean_ablated": math.nan if recovered is None else recovered.mean_ablated,
        "dead": evaluation.dead,
        "seconds": seconds,
    }
