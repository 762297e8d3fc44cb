"""Selects the cells to run: all of them, or a small choice for every day."""

from collections.abc import Iterator

from matrix.judge import Regime
from matrix.methods import OURS, Method
from matrix.penalties import CASES, GIVEN, OF_KERNELS, OF_SIX_UNITS, ONE_EACH, TRIMMED, Case
from matrix.regimes import GROUPS, REGIMES

_OF_KERNELS = [*GROUPS["Kernels"], *GROUPS["Kernels, within the step"]]
_OF_SIX_UNITS = [
    regime
    for group in ("Plain PyTorch", "Checkpointing", "Offloading", "Compiling", "Precision")
    for regime in GROUPS[group]
    if "view" not in regime.name
]
"""Regimes whose outputs are all (samples, 6)."""


def cases_of(regime: Regime, *, full: bool, brief: bool = False) -> list[Case]:
    """Return the penalties that a regime is run with; of compiled ones, one of each class.

    Args:
        regime: the regime.
        full: all of them, or a trimmed choice.
        brief: of a full run, whether the trimmed choice will do where a compiler is in it.
    """
    chosen = TRIMMED if brief and regime.compiles else _chosen(regime, full=full)
    return [case for case in chosen if regime.takes(case)]


def _chosen(regime: Regime, *, full: bool) -> list[Case]:
    of_kernels = OF_KERNELS if regime in _OF_KERNELS else []
    of_six_units = OF_SIX_UNITS if full and regime in _OF_SIX_UNITS and not regime.slow else []
    others = of_kernels if full else of_kernels[:1]
    return _of_activities(regime, full=full) + others + of_six_units


def _of_activities(regime: Regime, *, full: bool) -> list[Case]:
    if regime.slow:
        return TRIMMED if full else TRIMMED[-1:]
    if regime.compiles and full:
        return ONE_EACH
    if regime.compiles:
        return TRIMMED[-1:] if regime.briefly else [*TRIMMED[:2], *GIVEN[:1]]
    return CASES if full else TRIMMED


def concerns(regime: Regime, method: Method) -> bool:
    """Return whether `method` has a cell in the row of `regime`."""
    if method.ours and method.in_step != regime.in_step:
        return False
    return regime.applies(method) and (regime.copies or not method.copies)


def cells(*, full: bool) -> Iterator[tuple[Regime, Method, Case]]:
    """Yield the cells of the library's own columns."""
    for regime in REGIMES:
        for method in OURS:
            if concerns(regime, method):
                for case in cases_of(regime, full=full):
                    yield regime, method, case
