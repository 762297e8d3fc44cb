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
)
from regularizers.attach.sites._select_weights import (
    check_is_whole,
)
from regularizers.attach.sites._sites import (
    ActivitySite,
    Entry,
    Sites,
    WeightGroup,
    WeightSite,
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

__all__ = [
    "ActivitySite",
    "Entry",
    "FollowHook",
    "Parameter",
    "Reference",
    "Roles",
    "Sites",
    "Strengths",
    "WeightGroup",
    "WeightSite",
    "all_rules",
    "check_is_whole",
    "check_suited",
    "is_binary",
    "regularize",
    "weight_decay_groups",
]
