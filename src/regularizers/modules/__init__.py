"""The modules of a model: selection, outputs, masks, hooks, and the state of autograd."""

from regularizers.modules._autograd_state import (
    MODULES_SAVING_OUTPUT,
    Pass,
    current_pass,
    eager_only,
    has_ended,
    is_first_reentrant_pass,
    is_forward_mode,
    is_plain_forward,
    is_saved_anyway,
    is_transformed,
    is_vmap_batched,
    is_vmap_without_grad,
    may_hold_a_part_of_the_units,
    never_compiled,
    saved_tensors_are_hooked,
    simple_pass,
)
from regularizers.modules._check_model import (
    check_model,
)
from regularizers.modules._handles import (
    Handles,
)
from regularizers.modules._hooks import (
    Hook,
    OnLoad,
    check_untraced,
    is_recording,
    is_tracing,
    remove_inert_hooks,
)
from regularizers.modules._masks import (
    Masks,
    mask_of,
    masked,
)
from regularizers.modules._names import (
    ROOT,
    Where,
    Wheres,
    described,
    printable,
)
from regularizers.modules._nested import (
    PADDED,
    refuse_nested,
)
from regularizers.modules._outputs import (
    MODULES_WITH_KNOWN_AXES,
    Activation,
    activation_of,
    check_is_no_proxy,
    describe,
    initial_state,
    replace_in,
)
from regularizers.modules._processes import Processes, ProcessGroup, are_several
from regularizers.modules._select import (
    as_list,
    is_glob,
    is_matched_by,
    is_name_matched,
    nothing_matched,
    select_modules,
)
from regularizers.modules._sharded import (
    whole,
)
from regularizers.modules._totals import (
    Totals,
    totals_of,
)
from regularizers.modules._types import (
    Mask,
    Select,
)
from regularizers.modules._unread_marks import (
    UnreadMark,
    add_unread_warning,
    mark_as_read,
    warn_if_unread,
)

__all__ = [
    "MODULES_SAVING_OUTPUT",
    "MODULES_WITH_KNOWN_AXES",
    "PADDED",
    "ROOT",
    "Activation",
    "Handles",
    "Hook",
    "Mask",
    "Masks",
    "OnLoad",
    "Pass",
    "ProcessGroup",
    "Processes",
    "Select",
    "Totals",
    "UnreadMark",
    "Where",
    "Wheres",
    "activation_of",
    "add_unread_warning",
    "are_several",
    "as_list",
    "check_is_no_proxy",
    "check_model",
    "check_untraced",
    "current_pass",
    "describe",
    "described",
    "eager_only",
    "has_ended",
    "initial_state",
    "is_first_reentrant_pass",
    "is_forward_mode",
    "is_glob",
    "is_matched_by",
    "is_name_matched",
    "is_plain_forward",
    "is_recording",
    "is_saved_anyway",
    "is_tracing",
    "is_transformed",
    "is_vmap_batched",
    "is_vmap_without_grad",
    "mark_as_read",
    "mask_of",
    "masked",
    "may_hold_a_part_of_the_units",
    "never_compiled",
    "nothing_matched",
    "printable",
    "refuse_nested",
    "remove_inert_hooks",
    "replace_in",
    "saved_tensors_are_hooked",
    "select_modules",
    "simple_pass",
    "totals_of",
    "warn_if_unread",
    "whole",
]
