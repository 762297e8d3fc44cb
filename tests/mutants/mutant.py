"""A mutant: one small wrong edit, and the tests that should catch it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "regularizers"

L1 = "L1(0.3, reduce='batch_mean')"
SQUARES = "L2Squared(0.3, reduce='batch_mean')"
SEVERAL = (
    "L1(0.1, reduce='sum') + KLSparsity(0.3, 0.25, reduce='sum', epsilon=0.125) + "
    "L2Norm(0.5, reduce='batch_mean')"
)


@dataclass(frozen=True)
class Mutant:
    """A wrong edit of one file of the package.

    Args:
        name: what is wrong, in words.
        file: relative to the package.
        old: text that occurs in the file exactly once.
        new: what takes its place.
        tests: the tests that should fail, as pytest is given them.
    """

    name: str
    file: str
    old: str
    new: str
    tests: tuple[str, ...]

    def applied(self, source: str) -> str:
        """Return `source` with the edit.

        Raises:
            ValueError: the old text does not occur exactly once, or the edit changes nothing.
        """
        count = source.count(self.old)
        if count != 1:
            raise ValueError(f"{self.name}: the old text occurs {count} times in {self.file}")
        if self.old == self.new:
            raise ValueError(f"{self.name}: old and new text are the same")
        return source.replace(self.old, self.new)


def attach(name: str) -> str:
    """Return a test of the PyTorch side, from `file::test`, in whichever wing its file is."""
    file, _, test = name.partition("::")
    return f"{_in_a_wing(file)}::test_{test}"


@cache
def _in_a_wing(file: str) -> str:
    found = sorted((ROOT / "tests" / "attach").rglob(f"test_{file}.py"))
    if len(found) != 1:
        raise ValueError(f"expected one test_{file}.py in tests/attach, found {len(found)}")
    return found[0].relative_to(ROOT).as_posix()


def arrays(name: str) -> str:
    """Return a test of the penalties on arrays, from `file::test`."""
    return f"tests/penalties/test_{name.replace('::', '.py::test_')}"


def cell(regime: str, method: str, penalty: str) -> str:
    """Return the test of one cell of the matrix."""
    return f"tests/matrix/test_matrix.py::test_is_exact_or_says_so[{regime}-{method}-{penalty}]"
