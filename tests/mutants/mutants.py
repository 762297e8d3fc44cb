"""Every mutant, and the edits that are no mutants because nothing can tell."""

from mutants.borders import BORDERS
from mutants.control import CONTROL
from mutants.deliveries import COLLECTING, INJECTING
from mutants.functions import FUNCTIONS
from mutants.mathematics import MATHEMATICS
from mutants.penalties import PENALTIES
from mutants.processes import PROCESSES
from mutants.shrinking import SHRINKING
from mutants.sites import SITES
from mutants.steps import STEPS
from mutants.temporal import TIME

# the slow ones first, so that none is left to the end alone
MUTANTS = [
    *(*PROCESSES, *INJECTING, *COLLECTING, *FUNCTIONS),
    *(*MATHEMATICS, *PENALTIES, *SHRINKING, *STEPS, *TIME, *SITES),
    *(*CONTROL, *BORDERS),
]

EQUIVALENT = {
    "Begin, Commit and End do not ask whether the ledger is closed": (
        "a closed ledger holds nothing that they could count, and its penalty() raises"
    ),
    "a strength is read as a number": (
        "compiled code breaks there, which costs time and makes the compiler warn; no gradient "
        "differs and nothing is compiled anew"
    ),
}
"""Edits after which the library does the same, by what they would do, with the reason."""
