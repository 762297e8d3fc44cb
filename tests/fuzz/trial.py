"""One case run to its verdict."""

from __future__ import annotations

import warnings

import torch

from fuzz.case import Case
from fuzz.excuses import is_excused
from fuzz.loop import Loop
from fuzz.thresholds import sizes
from fuzz.verdict import Invalid, Mismatch, Verdict, first_words
from regularizers.errors import RegularizersError


def run(case: Case) -> Verdict:
    """Return what becomes of a case."""
    verdict = _tried(case)
    if verdict.is_finding:
        without = control(case)
        if without.is_finding:
            return Verdict("invalid", without.words, without.detail)
    return verdict


def control(case: Case) -> Verdict:
    """Return what becomes of the same program without the library."""
    return _tried(case, bare=True)


def _tried(case: Case, *, bare: bool = False) -> Verdict:
    with warnings.catch_warnings(record=True) as said, sizes(case.thresholds):
        warnings.simplefilter("always")
        try:
            Loop(case, bare=bare).run()
        except Mismatch as mismatch:
            # where a state is lost, a warning that names the cure is as good as an error
            if any("state_dict" in str(warning.message) for warning in said):
                return Verdict("raises", "warning: state_dict")
            return Verdict("wrong", mismatch.what, mismatch.detail)
        except Invalid as invalid:
            return Verdict("invalid", first_words(invalid), str(invalid))
        except RegularizersError as error:
            kind = "raises" if is_excused(case, str(error)) else "refused"
            return Verdict(kind, first_words(error), str(error))
        except Exception as error:
            kind = "raises" if is_excused(case, str(error)) else "crash"
            return Verdict(kind, first_words(error), f"{type(error).__name__}: {error}")
        finally:
            torch.set_grad_enabled(True)
    return Verdict("exact")
