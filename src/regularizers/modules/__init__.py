"""The modules of a model: selection, outputs, masks, hooks, and the state of autograd."""

from regularizers.modules._autograd_state import (
    SAVING_THEIR_RESULT,
    Pass,
    current_pass,
    has_ended,
    is_batched_alone,
    is_first_reentrant_pass,
    is_forward_mode,
    is_of_members,
    is_plain_forward,
    is_saved_anyway,
    is_transformed,
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
    KNOWING_THEIR_AXES,
    Activation,
    activation_of,
    check_is_no_proxy,
    describe,
    replace_in,
    state_before,
)
from regularizers.modules._select import (
    as_list,
    is_glob,
    is_matched_by,
    is_name_matched,
    nothing_matched,
    select_modules,
)
from regularizers.modules._types import (
    Mask,
    Select,
)
from regularizers.modules._unread_marks import (
    add_unread_warning,
    mark_as_read,
    warn_if_unread,
)

__all__ = [
    "KNOWING_THEIR_AXES",
    "PADDED",
    "ROOT",
    "SAVING_THEIR_RESULT",
    "Activation",
    "Handles",
    "Hook",
    "Mask",
    "Masks",
    "OnLoad",
    "Pass",
    "Select",
    "Where",
    "Wheres",
    "activation_of",
    "add_unread_warning",
    "as_list",
    "check_is_no_proxy",
    "check_model",
    "check_untraced",
    "current_pass",
    "describe",
    "described",
    "has_ended",
    "is_batched_alone",
    "is_first_reentrant_pass",
    "is_forward_mode",
    "is_glob",
    "is_matched_by",
    "is_name_matched",
    "is_of_members",
    "is_plain_forward",
    "is_recording",
    "is_saved_anyway",
    "is_transformed",
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
    "state_before",
    "warn_if_unread",
]
