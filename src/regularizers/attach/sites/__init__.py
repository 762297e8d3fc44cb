"""The sites that rules resolve to, the roles of parameters, and the strengths."""

from regularizers.attach.sites._follow_hook import (
    FollowHook,
)
from regularizers.attach.sites._hook_weights import (
    is_binary,
)
from regularizers.attach.sites._marks import (
    all_rules,
    regularize,
)
from regularizers.attach.sites._parameter import (
    Parameter,
)
from regularizers.attach.sites._reference import (
    Reference,
)
from regularizers.attach.sites._roles import (
    Roles,
    parameters_of,
)
from regularizers.attach.sites._select_weights import (
    check_is_whole,
    select_by_role,
)
from regularizers.attach.sites._site import (
    ActivitySite,
    Entry,
    SelectedWeights,
    SiteConstraint,
    WeightGroup,
    WeightSite,
)
from regularizers.attach.sites._sites import (
    Sites,
)
from regularizers.attach.sites._strengths import (
    Strengths,
)
from regularizers.attach.sites._suited import (
    check_suited,
)
from regularizers.attach.sites._weight_decay_groups import (
    weight_decay_groups,
)
from regularizers.attach.sites._with_bias import (
    WithBias,
)

__all__ = [
    "ActivitySite",
    "Entry",
    "FollowHook",
    "Parameter",
    "Reference",
    "Roles",
    "SelectedWeights",
    "SiteConstraint",
    "Sites",
    "Strengths",
    "WeightGroup",
    "WeightSite",
    "WithBias",
    "all_rules",
    "check_is_whole",
    "check_suited",
    "is_binary",
    "parameters_of",
    "regularize",
    "select_by_role",
    "weight_decay_groups",
]
