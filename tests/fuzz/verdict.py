"""The verdict on a case, and the tolerance for equal numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import torch
from torch import Tensor

_LARGEST = 1e9
"""A training that diverges says nothing in single precision."""

TOLERANCES = {"float64": 1e-8, "float32": 5e-4, "half": 5e-2}
ROUNDING = {"float64": 1e-12, "float32": 1e-12, "half": 1e-2}
"""What is off whatever the size: in half precision a pull of order 1 is rounded at its site, and
may cancel almost wholly on its way back."""


class Verdict(NamedTuple):
    """What became of a case.

    It is `exact`; it `raises` where the program gives a reason to; it is `refused` without one; it
    is silently `wrong`; it ends in a `crash`, an error that is not the library's; or it is
    `invalid`, no program that PyTorch itself runs.
    """

    kind: str
    words: str = ""
    """The finding, or the first words of the error message."""
    detail: str = ""

    @property
    def is_finding(self) -> bool:
        return self.kind in ("wrong", "refused", "crash")

    def is_like(self, other: Verdict) -> bool:
        """Return whether both failed in the same way."""
        return (self.kind, self.words) == (other.kind, other.words)


class Mismatch(Exception):  # noqa: N818 -- a finding, not an error
    """Numbers that are not the same; `what` they are of."""

    def __init__(self, what: str, detail: str) -> None:
        super().__init__(f"{what}: {detail}")
        self.what = what
        self.detail = detail


class Invalid(Exception):  # noqa: N818 -- no error of the library's
    """A program that PyTorch does not run by itself."""


def first_words(error: BaseException) -> str:
    """Return the class of an error and the first words of its message, without names of sites."""
    message = str(error).partition("\n")[0]
    message = re.sub(r"^.*?where=[^ ]*\): ", "", message)
    site, colon, rest = message.partition(": ")
    if colon and " " not in site.strip() and rest:
        message = rest
    message = re.sub(r"(after|by|than|term) [A-Z]\w*\(.*?\) (had|is)\b", r"\1 … \2", message)
    words = re.sub(r"'[^']*'|[\d.]+|\b[abcdefg](\.inner)?(\.[a-z_0-9]+)?\b", "…", message).split()
    return f"{type(error).__name__}: {' '.join(words[:9])}"


def check(what: str, actual: Mapping[str, Tensor], expected: Mapping[str, Tensor], precision: str):
    """Raise unless every number is what it should be.

    Raises:
        Mismatch: one is not, or one is missing.
        Invalid: what is expected is not finite.
    """
    if actual.keys() != expected.keys():
        raise Mismatch(what, f"{sorted(actual)} instead of {sorted(expected)}")
    if not expected:
        return
    wide = {name: value.detach().double() for name, value in expected.items()}
    largest = max(float(value.norm()) for value in wide.values())
    if not (largest < _LARGEST and all(bool(v.isfinite().all()) for v in wide.values())):
        raise Invalid(f"{what}: not finite")
    tolerance = TOLERANCES[precision]
    for name, value in wide.items():
        error = float((actual[name].detach().double() - value).norm())
        size = float(value.norm())
        if not error <= tolerance * (size + 0.1 * largest) + ROUNDING[precision]:
            raise Mismatch(
                what, f"{name}: off by {error:.3g} of {size:.3g}{_shown(actual[name], value)}"
            )


def _shown(actual: Tensor, expected: Tensor) -> str:
    """Return the first elements of both."""
    first = [
        [float(f"{v:.4g}") for v in x.detach().flatten()[:3].tolist()] for x in (actual, expected)
    ]
    return f", {first[0]} instead of {first[1]}"


def zeros_for_missing(values: Mapping[str, Tensor | None], like: Mapping[str, Tensor]):
    """Return gradients, those that are None as zeros."""
    return {
        name: torch.zeros_like(like[name]) if value is None else value
        for name, value in values.items()
    }
