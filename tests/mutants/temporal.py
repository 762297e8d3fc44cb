"""Wrong edits to penalties of what changes in time, and to masks."""

from mutants.mutant import Mutant, arrays, attach


def temporal(name: str) -> str:
    return attach(f"temporal::{name}")


TIME = [
    Mutant(
        "time-first states are read as batch-first",
        "modules/_outputs.py",
        "return Activation(x, batch_axis, time_axis=1 - batch_axis)",
        "return Activation(x, batch_axis, time_axis=1)",
        (temporal("recurrent_layers_say_which_axis_is_time"),),
    ),
    Mutant(
        "a single sequence has time at axis 1",
        "modules/_outputs.py",
        "return Activation(x, (), time_axis=0)",
        "return Activation(x, (), time_axis=1)",
        (temporal("a_sequence_without_a_batch_has_time_first"),),
    ),
    Mutant(
        "a carried state is that of the first layer",
        "modules/_outputs.py",
        "(given[0] if isinstance(given, tuple) else given)[-1]",
        "(given[0] if isinstance(given, tuple) else given)[0]",
        (temporal("a_state_carried_over_joins_the_first_difference_by_choice"),),
    ),
    Mutant(
        "a state given by name is not seen",
        "attach/reading/_tap.py",
        'return initial_state(module, inputs, (keywords or {}).get("hx"), self._site)',
        "return initial_state(module, inputs, None, self._site)",
        (temporal("a_state_carried_over_joins_the_first_difference_by_choice"),),
    ),
    Mutant(
        "an axis that contradicts the layer is taken",
        "attach/reading/_time_axis.py",
        "if stated is not None and stated % ndim != known:",
        "if False:",
        (temporal("an_axis_that_contradicts_the_layer"),),
    ),
    Mutant(
        "the function of a rule is not asked for its mask",
        "attach/reading/_tap.py",
        "if self._rule.mask is not None:",
        "if False:",
        (temporal("a_mask_may_be_a_function_of_the_inputs_of_the_module"),),
    ),
    Mutant(
        "a mask outlives its context",
        "modules/_masks.py",
        "self._by_module, self.any = before, bool(before)",
        "pass",
        (temporal("a_mask_counts_for_penalties_that_are_not_temporal_too"),),
    ),
    Mutant(
        "another mask in the backward pass goes unseen",
        "attach/reading/_functions.py",
        "        if not same:\n",
        "        if False:\n",
        (temporal("under_a_checkpoint_another_mask_in_the_backward_pass_is_an_error"),),
    ),
    Mutant(
        "a pair counts if either step is valid",
        "penalties/_neighbours.py",
        "mask[_later(axis)] & mask[_earlier(axis)]",
        "mask[_later(axis)] | mask[_earlier(axis)]",
        (arrays("temporal::a_mask_equals_the_sequences_one_by_one"),),
    ),
    Mutant(
        "a mask counts its later steps alone",
        "penalties/_neighbours.py",
        "mask[_later(axis)] & mask[_earlier(axis)]",
        "mask[_later(axis)]",
        (arrays("temporal::a_gap_in_the_mask_breaks_two_pairs"),),
    ),
    Mutant(
        "a change pulls its later state alone",
        "penalties/_neighbours.py",
        "with_zeros(xp, slope, axis, before=1) - with_zeros(xp, slope, axis, after=1)",
        "with_zeros(xp, slope, axis, before=1)",
        (arrays("temporal::values_by_hand"),),
    ),
    Mutant(
        "a change pulls the wrong way",
        "penalties/_neighbours.py",
        "with_zeros(xp, slope, axis, before=1) - with_zeros(xp, slope, axis, after=1)",
        "with_zeros(xp, slope, axis, after=1) - with_zeros(xp, slope, axis, before=1)",
        (arrays("temporal::values_by_hand"),),
    ),
    Mutant(
        "time may be the batch",
        "penalties/_difference.py",
        "if axis in batch:",
        "if False:",
        (arrays("temporal::axes_that_cannot_be_time"),),
    ),
    Mutant(
        "no step of time is no error",
        "penalties/_difference.py",
        "if length == 0:",
        "if False:",
        (arrays("temporal::no_step_is_an_error"),),
    ),
]
