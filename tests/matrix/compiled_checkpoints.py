"""Regimes of checkpoints inside compiled programs, and of compiled blocks inside checkpoints."""

from matrix.checkpointed import by_reentering, non_reentrant, without_early_stop
from matrix.compiled import by_block, in_parts
from matrix.inplace import CHANGES
from matrix.judge import Must, Regime, exact
from matrix.methods import Method
from matrix.penalties import Case
from matrix.training import IN_PLACE, REENTRANT, collect_may_say, reads_the_input, training


def _reentrant(method: Method, case: Case) -> Must:
    return exact(method, case) if method.injects else Must(words=REENTRANT)


def _in_place(method: Method, case: Case) -> Must:
    """Allow an error where the compiler gives up and plain PyTorch runs instead."""
    return Must(words=IN_PLACE) if reads_the_input(method, case) else Must()


_perhaps = collect_may_say(*REENTRANT)

REGIMES = [
    Regime(
        "checkpoint inside compile",
        training(prepare=in_parts, call=non_reentrant),
        must=_perhaps,
        compiles=True,
    ),
    *[
        Regime(
            f"checkpoint inside compile, {name}",
            training(prepare=in_parts, call=non_reentrant, after=after),
            must=_in_place,
            copies=True,
            compiles=True,
        )
        for name, after in CHANGES.items()
    ],
    Regime(
        "reentrant checkpoint inside compile",
        training(prepare=in_parts, call=by_reentering),
        must=_reentrant,
        compiles=True,
    ),
    Regime(
        "compiled block inside a checkpoint",
        training(prepare=by_block, call=non_reentrant),
        must=_perhaps,
        compiles=True,
    ),
    Regime(
        "compiled block inside a checkpoint without early stop",
        training(prepare=by_block, call=without_early_stop),
        must=_perhaps,
        compiles=True,
    ),
    *[
        Regime(
            f"compiled block inside a checkpoint without early stop, {name}",
            training(prepare=by_block, call=without_early_stop, after=after),
            must=_in_place,
            copies=True,
            compiles=True,
        )
        for name, after in CHANGES.items()
    ],
]
