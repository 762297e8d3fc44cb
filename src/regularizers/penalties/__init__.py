"""Penalties on arrays: array in, scalar out, with an analytic gradient.

Nothing here imports an array library; what an array can do is asked of the array.
"""

from regularizers.penalties._budget import Budget
from regularizers.penalties._by_name import ActivityRegularization
from regularizers.penalties._decorrelation import Decorrelation
from regularizers.penalties._difference import Difference
from regularizers.penalties._elementwise import ElementwiseTerm, is_elementwise
from regularizers.penalties._elementwise_given import Elementwise
from regularizers.penalties._entropy import ConfidencePenalty, Entropy
from regularizers.penalties._formula import Formula, Saves
from regularizers.penalties._from_function import FromFunction
from regularizers.penalties._group_lasso import GroupLasso
from regularizers.penalties._hinge import Hinge
from regularizers.penalties._hoyer import Hoyer
from regularizers.penalties._huber import Huber
from regularizers.penalties._kl import KLSparsity
from regularizers.penalties._l0 import L0
from regularizers.penalties._l1 import L1
from regularizers.penalties._l1l2 import L1L2
from regularizers.penalties._l2 import L2Norm, L2Squared
from regularizers.penalties._laplacian import Laplacian
from regularizers.penalties._log_sum import LogSum
from regularizers.penalties._lp import Lp
from regularizers.penalties._matrix_term import MatrixTerm, Several
from regularizers.penalties._orthogonal import Orthogonal
from regularizers.penalties._penalty import Penalty, Sum
from regularizers.penalties._proximal import STAGES, check_proximal, is_number, proximal
from regularizers.penalties._spectral import Spectral
from regularizers.penalties._temporal import AR, TAR, Temporal
from regularizers.penalties._term import Term
from regularizers.penalties._total_variation import TotalVariation
from regularizers.penalties.arrays import (
    Array,
    Axes,
    Denominator,
    Frame,
    Namespace,
    Reduce,
    Side,
)
from regularizers.penalties.strength import Schedule, Strength, StrengthLike

__all__ = [
    "AR",
    "L0",
    "L1",
    "L1L2",
    "STAGES",
    "TAR",
    "ActivityRegularization",
    "Array",
    "Axes",
    "Budget",
    "ConfidencePenalty",
    "Decorrelation",
    "Denominator",
    "Difference",
    "Elementwise",
    "ElementwiseTerm",
    "Entropy",
    "Formula",
    "Frame",
    "FromFunction",
    "GroupLasso",
    "Hinge",
    "Hoyer",
    "Huber",
    "KLSparsity",
    "L2Norm",
    "L2Squared",
    "Laplacian",
    "LogSum",
    "Lp",
    "MatrixTerm",
    "Namespace",
    "Orthogonal",
    "Penalty",
    "Reduce",
    "Saves",
    "Schedule",
    "Several",
    "Side",
    "Spectral",
    "Strength",
    "StrengthLike",
    "Sum",
    "Temporal",
    "Term",
    "TotalVariation",
    "check_proximal",
    "is_elementwise",
    "is_number",
    "proximal",
]
