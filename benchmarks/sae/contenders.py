"""Steps of SAELens' trainers, timed in turns with another program.

    python -m benchmarks.sae.contenders time --features 64 --units 256 --against "ours=COMMAND"

Runs in an environment with sae-lens and this library. The other program speaks as in
`interleaved.py`. All use one thread. On the same samples, `regularizers sparse-autoencoder
superposition --against saelens` compares what they learn.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shlex
import sys

import torch
from benchmarks.sae.interleaved import interleave, serve, table

# their trainers are built in one place, which the comparison in the recipe shares
from regularizers.recipes.superposition import _saelens as saelens


def main() -> None:
    """Run what the command line asks for."""
    arguments = parsed()
    torch.set_num_threads(1)
    {"time": timed, "steps": steps}[arguments.what](arguments)


def parsed() -> argparse.Namespace:
    """Return the arguments."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    kinds = parser.add_subparsers(dest="what", required=True)
    for name in ("time", "steps"):
        kind = kinds.add_parser(name)
        kind.add_argument("--trainer", choices=saelens.CLASSES, default="batchtopk")
        kind.add_argument("--features", type=int, required=True)
        kind.add_argument("--units", type=int, required=True)
        kind.add_argument("--active", type=float, default=8)
        kind.add_argument("--coefficient", type=float, help="of the penalty; default: theirs")
        kind.add_argument("--widths", type=json.loads, default=[], help="of Matryoshka, as JSON")
        kind.add_argument("--options", type=json.loads, default={}, help="further, as JSON")
        kind.add_argument("--learning-rate", type=float, default=3e-3)
        kind.add_argument("--seed", type=int, default=0)
        kind.add_argument("--batch", type=int, default=4096)
        kind.add_argument("--rounds", type=int, default=20)
        kind.add_argument("--steps", type=int, default=5, help="in a round")
        kind.add_argument("--against", action="append", default=[], help="NAME=COMMAND")
    return parser.parse_args()


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

    with saelens.silenced():
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


if __name__ == "__main__":
    main()
