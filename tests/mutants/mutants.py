"""Every mutant, and the edits that are no mutants because nothing can tell."""

from mutants.attached import ATTACHED
from mutants.axes import AXES
from mutants.borders import BORDERS
from mutants.changes import CHANGES
from mutants.constrained import CONSTRAINED
from mutants.control import CONTROL
from mutants.deliveries import COLLECTING, INJECTING
from mutants.face import FACE
from mutants.functions import FUNCTIONS
from mutants.gates import GATES
from mutants.given import GIVEN
from mutants.mathematics import MATHEMATICS
from mutants.matrices import MATRICES
from mutants.noises import NOISES
from mutants.passes import PASSES
from mutants.penalties import PENALTIES
from mutants.plans import PLANS
from mutants.processes import PROCESSES
from mutants.pruning import PRUNING
from mutants.references import REFERENCES
from mutants.refused import REFUSED
from mutants.shrinking import SHRINKING
from mutants.sites import SITES
from mutants.steps import STEPS
from mutants.targets import TARGET_MUTANTS
from mutants.temporal import TIME

# the slow ones first, so that none is left to the end alone
MUTANTS = [
    *(*PROCESSES, *INJECTING, *COLLECTING, *FUNCTIONS),
    *(*MATHEMATICS, *PENALTIES, *SHRINKING, *STEPS, *TIME, *SITES),
    *MATRICES,
    *PRUNING,
    *(*CONTROL, *TARGET_MUTANTS, *BORDERS, *PLANS, *GIVEN),
    *(*PASSES, *AXES, *REFUSED, *CHANGES, *ATTACHED, *FACE),
    *NOISES,
    *CONSTRAINED,
    *REFERENCES,
    *GATES,
]

EQUIVALENT = {
    "a strength is read as a number": (
        "compiled code breaks there, which costs time and makes the compiler warn; no gradient "
        "differs and nothing is compiled anew"
    ),
    "a backward pass that is recorded is taken for a last one": (
        "what a kernel computes at once is recorded as any operation is, and in pieces it does not "
        "fit arrays of which something is recorded"
    ),
    "a tap keeps the strengths of its first forward while they are 0": (
        "the closer look that follows asks for the strengths again"
    ),
}
"""Edits after which the library does the same, by what they would do, with the reason."""
