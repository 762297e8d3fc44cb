"""SAELens' side of `check_files`: opens ours, trains and saves its own. Needs sae-lens."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from sae_lens import SAE

# their trainers are built in one place, which the comparison in the recipe shares
from regularizers.recipes.superposition import _saelens as saelens

FEATURES, UNITS, ACTIVE, STEPS, BATCH = 64, 256, 8, 100, 512


def main() -> None:
    """Write `theirs.npz` beside each file."""
    torch.set_num_threads(1)
    folder = Path(sys.argv[1])
    x = torch.from_numpy(np.load(folder / "x.npy"))
    for path in sorted((folder / "ours").iterdir()):
        results(path, x)
    for trainer in saelens.CLASSES:
        sae = trained(trainer)
        path = folder / "theirs" / trainer
        sae.save_inference_model(path)
        results(path, x)
        if trainer == "topk":
            path = folder / "theirs" / "topk-checkpoint"
            sae.save_model(path)
            results(path, x)


def trained(trainer: str) -> Any:
    """Return an autoencoder of theirs after some steps on normal data."""
    options = saelens.settings(trainer, UNITS, ACTIVE, None, [])
    sae = saelens.build(trainer, FEATURES, UNITS, options, 0)
    batches = (torch.randn(BATCH, FEATURES) + 0.3 for _ in range(STEPS))
    settings = {"steps": STEPS, "batch": BATCH, "learning_rate": 3e-3}
    with saelens.silenced():
        return saelens.trainer_of(sae, batches, **settings).fit()


@torch.no_grad()
def results(path: Path, x: torch.Tensor) -> None:
    """Write what SAELens gives for the file in a folder."""
    sae = SAE.load_from_disk(path)
    code = sae.encode(x)
    np.savez(path / "theirs.npz", code=code.numpy(), output=sae.decode(code).numpy())


if __name__ == "__main__":
    main()
