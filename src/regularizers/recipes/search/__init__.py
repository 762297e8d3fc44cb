"""Strengths that are found: trials on parts of the training samples, reported on others."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from regularizers.recipes.search._names import check_search
from regularizers.recipes.search._plan import Plan, Strength, Values, checkpoint_of, named
from regularizers.recipes.search._with import command_with

if TYPE_CHECKING:
    from regularizers.recipes._run_folder import RunFolder

__all__ = [
    "Plan",
    "Strength",
    "Values",
    "check_search",
    "checkpoint_of",
    "command_with",
    "find",
    "named",
]


def find(plan: Plan, folder: RunFolder, title: str, command: Callable[[Values], str]) -> None:
    """Run the trials that a folder lacks, and print and draw what they found.

    Args:
        plan: which strengths are searched, and how they are judged.
        folder: the folder of the run; it keeps `search.journal`, `search.json` and `picture.png`.
        title: the data and the network, for the picture.
        command: gives the command line that uses strengths.

    Raises:
        ConfigurationError: a network without the penalties, or every other one, did not train.
        RunFolderError: the journal is damaged.
    """
    # imported here, so that a mistyped option fails without loading optuna and matplotlib
    from regularizers.recipes.search._picture import draw
    from regularizers.recipes.search._study import searched
    from regularizers.recipes.search._table import outcome_table

    outcome = searched(plan, folder)
    with folder.written("picture.png") as path:
        draw(plan, outcome, title, path)
    print(f"\n{outcome_table(plan, outcome)}\n")
    values = outcome.best.values if outcome.is_better else dict.fromkeys(outcome.best.values, 0.0)
    if not outcome.is_better:
        print("No trial was better than without on the inner parts: leave these penalties out.")
    print(f"To use what was found: {command(values)}")
    print(
        f"The figures (search.json), the picture (picture.png) and the trials are in {folder.path}"
    )
