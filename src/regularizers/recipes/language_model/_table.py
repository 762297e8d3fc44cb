"""The table: perplexities of all variants, and what AR and TAR did."""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Mapping, Sequence

from regularizers._text import table
from regularizers.recipes.language_model._metrics import Metrics
from regularizers.recipes.language_model._training import Learned
from regularizers.recipes.language_model._variants import ALL, DROPOUTS

Results = Mapping[str, Sequence[Learned]]
"""Maps the name of each variant to the results of its seeds."""


def results_table(results: Results, unknown: float = 0.0) -> str:
    """Return a table of the figures of all variants over their seeds, with notes.

    Args:
        results: of each variant by name, what its seeds came to.
        unknown: the share of `<unk>` in the text that has most of it.
    """
    mark = "*" if unknown else ""
    header = [
        "trained with",
        f"validation perplexity{mark}",
        "bits per byte",
        "lowest",
        "training perplexity",
        "norm",
        "step change",
    ]
    cells = [header] + [
        [
            name,
            _spread(learned.epochs[-1].perplexity for learned in seeds),
            _bits(learned.epochs[-1] for learned in seeds),
            _spread(min(e.perplexity for e in learned.epochs) for learned in seeds),
            _spread(learned.training_perplexity for learned in seeds),
            f"{statistics.fmean(learned.epochs[-1].norm for learned in seeds):.2f}",
            f"{statistics.fmean(learned.epochs[-1].change for learned in seeds):.2f}",
        ]
        for name, seeds in results.items()
    ]
    tested = [[one.test for one in seeds if one.test is not None] for seeds in results.values()]
    if all(tested):
        header += [f"test perplexity{mark}", "bits per byte"]
        for row, metrics in zip(cells[1:], tested, strict=True):
            row += [_spread(one.perplexity for one in metrics), _bits(metrics)]
    return "\n".join(
        [table(cells, right=range(1, len(header))), *_notes(results), *_vocabulary_note(unknown)]
    )


def _bits(metrics: Iterable[Metrics]) -> str:
    bits = [one.bits_per_byte for one in metrics]
    known = [one for one in bits if one is not None]
    return _spread(known, digits=3) if len(known) == len(bits) else "-"


def _vocabulary_note(unknown: float) -> list[str]:
    if not unknown:
        return ["Bits per byte compare with those of other vocabularies; perplexities do not."]
    return [
        f"* Up to {100 * unknown:.2g} % of a text is <unk>, which is easily predicted and stands for "
        f"no bytes:",
        "  perplexities compare within this vocabulary alone, and there are no bits per byte (-).",
    ]


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


def _spread(values: Iterable[float], digits: int = 1) -> str:
    values = list(values)
    mean = f"{statistics.fmean(values):.{digits}f}"
    return mean if len(values) == 1 else f"{mean} ± {statistics.stdev(values):.{digits}f}"
