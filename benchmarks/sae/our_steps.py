"""Steps of this library's training, as they are asked for on standard input.

python -m benchmarks.sae.contenders time --features 64 --units 256
    --against "ours=PYTHON -m benchmarks.sae.our_steps --features 64 --units 256"

What the target of active units costs is the difference to `--strength`, a constant. A learning rate
of 0 holds both codes at one density, the one that training begins with.
"""

from __future__ import annotations

import argparse
import itertools

import torch
from benchmarks.sae.interleaved import serve

import regularizers as rz


def main() -> None:
    """Prepare a training on normal data, and take its steps."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--features", type=int, required=True)
    parser.add_argument("--units", type=int, required=True)
    parser.add_argument("--active", type=float, default=8)
    parser.add_argument("--architecture", default="jumprelu")
    parser.add_argument("--batch", type=int, default=4096)
    parser.add_argument("--learning-rate", type=float, default=3e-3)
    parser.add_argument("--strength", type=float, help="of jumprelu's L0, in place of the target")
    options = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    given = [torch.randn(options.batch, options.features) for _ in range(8)]
    sae = rz.sae.SparseAutoencoder(
        options.features, options.units, options.active, options.architecture
    )
    sae.calibrate(torch.cat(given))
    optimizer = torch.optim.Adam(sae.parameters(), options.learning_rate, betas=(0.9, 0.99))
    rules = sae.rules()
    if options.strength is not None:
        rules[0] = rz.activity(rz.L0(options.strength), where="coding.gate")
    reg = rz.Regularization(sae, rules)
    reg.attach(optimizer)
    revival = rz.sae.Revival(sae, optimizer, steps=100_000)
    batches = itertools.cycle(given)

    def step() -> None:
        found = sae.losses(next(batches))
        optimizer.zero_grad()
        (found.loss + reg.penalty()).backward()
        torch.nn.utils.clip_grad_norm_(sae.parameters(), 1.0)
        optimizer.step()
        revival.step(found.scaled, found.error, found.code)

    serve(step)


if __name__ == "__main__":
    main()
