"""Penalties on arrays: array in, scalar out, with an analytic gradient.

Nothing here imports an array library; what an array can do is asked of the array.
"""

from regularizers.penalties._activity import ActivityRegularization
from regularizers.penalties._base import Penalty, Sum
from regularizers.penalties._budget import Budget
from regularizers.penalties._elementary import Elementary
from regularizers.penalties._group_lasso import GroupLasso
from regularizers.penalties._huber import Huber
from regularizers.penalties._kl import KLSparsity
from regularizers.penalties._l1 import L1
from regularizers.penalties._l1l2 import L1L2
from regularizers.penalties._l2 import L2Norm, L2Squared
from regularizers.penalties._lp import Lp
from regularizers.penalties._orthogonal import Orthogonal
from regularizers.penalties._schedule import Schedule
from regularizers.penalties._strength import Strength
from regularizers.penalties._temporal import AR, TAR, Temporal

__all__ = [
    "AR",
    "L1",
    "L1L2",
    "TAR",
    "ActivityRegularization",
    "Budget",
    "Elementary",
    "GroupLasso",
    "Huber",
    "KLSparsity",
    "L2Norm",
    "L2Squared",
    "Lp",
    "Orthogonal",
    "Penalty",
    "Schedule",
    "Strength",
    "Sum",
    "Temporal",
]
