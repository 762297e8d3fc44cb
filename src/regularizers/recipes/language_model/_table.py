"""The table: perplexities of all variants, and what AR and TAR did."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping, Sequence

from regularizers._text import table
from regularizers.recipes.language_model._metrics import Metrics
from regularizers.recipes.language_model._training import Learned
from regularizers.recipes.language_model._variants import ALL, DROPOUTS

Results = Mapping[str, Sequence[Learned]]
"""Maps the name of each variant to the results of its seeds."""

_MANY = 1e6
"""From here on a number is written with an exponent."""


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
        f"training perplexity{mark}",
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
            _norm(learned.epochs[-1].norm for learned in seeds),
            _norm(learned.epochs[-1].change for learned in seeds),
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
        f"* Up to {100 * unknown:.2g} % of a text is <unk>, which is easily predicted and has no "
        f"bytes:",
        "  perplexities compare within this vocabulary alone, and there are no bits per byte (-).",
    ]


def _notes(results: Results) -> list[str]:
    seeds, epochs = len(results[ALL]), len(results[ALL][0].epochs)
    without, with_both = (
        [learned.epochs[-1].perplexity for learned in results[name]] for name in (DROPOUTS, ALL)
    )
    changes = [100 * (b / a - 1) for a, b in zip(without, with_both, strict=True)]
    finite = all(map(math.isfinite, changes))
    together = (
        f"{statistics.fmean(changes):+z.1f} %" if finite else "not compared, as some diverged"
    )
    spread = ""
    if seeds > 1 and finite:
        spread = (
            f" (seed by seed {', '.join(f'{change:+z.1f}' for change in changes)} %; one standard "
            f"deviation of {DROPOUTS} is {100 * _relative_deviation(without):.1f} %)"
        )
    return [
        f"Perplexity after epoch {epochs}, and the lowest after any epoch"
        + (f"; mean ± standard deviation of {seeds} seeds." if seeds > 1 else "."),
        "Training perplexity: in evaluation, of the beginning of the training text.",
        "Norm and step change: root mean square of ‖h[t]‖ and ‖h[t+1] − h[t]‖, last layer, "
        "validation text.",
        f"AR and TAR together, all else equal: {together}{spread}.",
    ]


def _relative_deviation(values: Sequence[float]) -> float:
    return statistics.stdev(values) / statistics.fmean(values)


def _spread(values: Iterable[float], digits: int = 1) -> str:
    values = list(values)
    mean = statistics.fmean(values)
    form = f".{digits}f" if mean < _MANY else ".3g"
    if len(values) == 1 or not all(map(math.isfinite, values)):
        return f"{mean:{form}}"
    return f"{mean:{form}} ± {statistics.stdev(values):{form}}"


def _norm(values: Iterable[float]) -> str:
    mean = statistics.fmean(values)
    return f"{mean:{'.2f' if 0.1 <= mean < _MANY or mean == 0 else '.3g'}}"
