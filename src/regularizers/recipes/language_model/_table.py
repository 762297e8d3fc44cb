"""The table: perplexities of all variants, and what AR and TAR did."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

from regularizers._text import table
from regularizers.recipes.language_model._training import Learned
from regularizers.recipes.language_model._variants import ALL, DROPOUTS

Results = Mapping[str, Sequence[Learned]]
"""Maps the name of each variant to the results of its seeds."""


def results_table(results: Results) -> str:
    """Return a table of the figures of all variants over their seeds, with notes."""
    header = (
        "trained with",
        "validation perplexity",
        "lowest",
        "training perplexity",
        "norm",
        "step change",
    )
    cells = [header] + [
        (
            name,
            _spread(learned.epochs[-1].perplexity for learned in seeds),
            _spread(min(e.perplexity for e in learned.epochs) for learned in seeds),
            _spread(learned.training_perplexity for learned in seeds),
            f"{statistics.fmean(learned.epochs[-1].norm for learned in seeds):.2f}",
            f"{statistics.fmean(learned.epochs[-1].change for learned in seeds):.2f}",
        )
        for name, seeds in results.items()
    ]
    return "\n".join([table(cells, right=range(1, 6)), *_notes(results)])


def _notes(results: Results) -> list[str]:
    seeds, epochs = len(results[ALL]), len(results[ALL][0].epochs)
    without, with_both = (
        [learned.epochs[-1].perplexity for learned in results[name]] for name in (DROPOUTS, ALL)
    )
    changes = [100 * (b / a - 1) for a, b in zip(without, with_both, strict=True)]
    spread = ""
    if seeds > 1:
        spread = (
            f" (seed by seed {', '.join(f'{change:+.1f}' for change in changes)} %; one standard "
            f"deviation of {DROPOUTS} is {100 * _relative_deviation(without):.1f} %)"
        )
    return [
        f"Perplexity after epoch {epochs}, and the lowest after any epoch"
        + (f"; mean ± standard deviation of {seeds} seeds." if seeds > 1 else "."),
        "Training perplexity: in evaluation, of the beginning of the training text.",
        "Norm and step change: root mean square of ‖h[t]‖ and ‖h[t+1] − h[t]‖, last layer, "
        "validation text.",
        f"AR and TAR together, all else equal: {statistics.fmean(changes):+.1f} %{spread}.",
    ]


def _relative_deviation(values: Sequence[float]) -> float:
    return statistics.stdev(values) / statistics.fmean(values)


def _spread(values: Iterable[float]) -> str:
    values = list(values)
    mean = f"{statistics.fmean(values):.1f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.1f}"
