"""Files between this library and SAELens, both ways: encodings and outputs compared.

    python -m benchmarks.sae.check_files /path/to/an/environment/with/sae-lens/bin/python

Ours: autoencoders with drawn parameters and an input scale that is not 1, which SAELens opens.
Theirs: trained by SAELens for a hundred steps and saved by its `save_inference_model`, with decoder
norms that are not 1; and its TopK checkpoint, which is not folded. Ends with 1 where a difference
is above 1e-6 of the largest value. The environment has this library beside sae-lens.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from regularizers.errors import RegularizersError
from regularizers.sae import SparseAutoencoder
from regularizers.sae.files import load, save

FEATURES, UNITS, ACTIVE, SAMPLES = 64, 256, 8, 4096
WITHIN = 1e-6
OURS = ("l1", "topk", "jumprelu", "batchtopk", "gated", "matryoshka")


class Line(NamedTuple):
    """One file, read by the other library."""

    way: str
    name: str
    code: float
    output: float
    other_support: int
    l0: float


def main() -> None:
    """Compare all, print the table."""
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        x = torch.randn(SAMPLES, FEATURES, generator=torch.Generator().manual_seed(0))
        np.save(folder / "x.npy", x.numpy())
        written, refused = ours(folder / "ours", x)
        command = [sys.argv[1], "-m", "benchmarks.sae.check_theirs", name]
        subprocess.run(command, check=True)
        lines = [line("ours -> SAELens", folder / "ours" / each) for each in written]
        for path in sorted((folder / "theirs").iterdir()):
            try:
                results(load(path, active=ACTIVE), x, path / "ours.npz")
            except RegularizersError as error:
                refused[path.name] = f"{type(error).__name__}: {error}"
            else:
                lines.append(line("SAELens -> ours", path))
    print("| | | encodings differ by | outputs differ by | elements active in one | L0 |")
    print("|---|---|---|---|---|---|")
    for each in lines:
        print(
            f"| {each.way} | {each.name} | {each.code:.1e} | {each.output:.1e} "
            f"| {each.other_support} | {each.l0:.1f} |"
        )
    for name, why in refused.items():
        print(f"{name}: {why}")
    raise SystemExit(bool(refused) or any(max(each.code, each.output) > WITHIN for each in lines))


def ours(folder: Path, x: torch.Tensor) -> tuple[list[str], dict[str, str]]:
    """Save one autoencoder of each architecture; return which, and why others could not be."""
    written, refused = [], {}
    for name in OURS:
        try:
            sae = drawn(name, x)
            path = save(sae, folder / name)
        except (RegularizersError, AttributeError, KeyError) as error:
            refused[name] = f"{type(error).__name__}: {error}"
            continue
        results(sae, x, path.with_suffix(".npz"))
        written.append(name)
    for name in written:
        (folder / f"{name}.npz").replace(folder / name / "ours.npz")
    return written, refused


@torch.no_grad()
def drawn(name: str, x: torch.Tensor) -> SparseAutoencoder:
    """Return an autoencoder with drawn parameters, about ACTIVE units and a scale of 2.7."""
    torch.manual_seed(1)
    nested = (32, 64, UNITS) if name == "matryoshka" else None
    architecture = "batchtopk" if nested else name
    sae = SparseAutoencoder(FEATURES, UNITS, ACTIVE, architecture=architecture, nested=nested)
    sae.scale.fill_(2.7)
    sae.encoder.weight.mul_(0.5 + torch.rand(UNITS, 1))
    sae.decoder.bias.normal_(0, 0.2)
    if sae.encoder.bias is not None and name != "gated":
        sae.encoder.bias.normal_(-3 if name == "l1" else 0, 0.3)
    z = sae.encoder(sae.scaled(x), sae.offset)
    count = len(x) * ACTIVE // UNITS
    levels = z.topk(count + 1, dim=0).values[-2:].mean(0).clamp(min=0)  # at no sample
    state = sae.state_dict()
    if name == "jumprelu":
        state["coding.gate.threshold"].copy_(levels)
    elif architecture == "batchtopk":
        state["coding.threshold"].fill_(levels.mean())
    elif name == "gated":
        state["coding.gate.bias"].copy_(-levels)
        state["coding.log_scale"].normal_(0, 0.3)
        state["coding.bias"].normal_(0, 0.3)
    return sae.eval()


@torch.no_grad()
def results(sae: SparseAutoencoder, x: torch.Tensor, path: Path) -> None:
    """Write what an autoencoder here gives."""
    np.savez(path, code=sae.encode(x).numpy(), output=sae(x).numpy())


def line(way: str, folder: Path) -> Line:
    """Return how far the two libraries are apart on one file."""
    here, there = np.load(folder / "ours.npz"), np.load(folder / "theirs.npz")
    code, output = (
        float(np.abs(here[k] - there[k]).max() / max(np.abs(there[k]).max(), 1))
        for k in ("code", "output")
    )
    fired = there["code"] != 0
    other = int((fired != (here["code"] != 0)).sum())
    return Line(way, folder.name, code, output, other, float(fired.sum(1).mean()))


if __name__ == "__main__":
    main()
