"""Wrong edits to which step is seen, and to steps of pruned and viewed weights."""

from mutants.mutant import Mutant, attach


def changed(name: str) -> str:
    return attach(f"changed_weights::{name}")


def roles(name: str) -> str:
    return attach(f"axis_roles_of_sites::{name}")


def inner(name: str) -> str:
    return attach(f"inner_optimizers::{name}")


def unseen(name: str) -> str:
    return attach(f"unseen_steps::{name}")


def carried(name: str) -> str:
    return attach(f"carried::{name}")


def twice(name: str) -> str:
    return attach(f"attached_twice::{name}")


PRUNED = changed("a_step_penalises_the_pruned_weight")
SHRUNK = changed("a_proximal_step_shrinks_what_is_not_pruned_alone")
BEGUN_ANEW = carried(
    "steps_made_by_hand_that_begin_anew_after_the_model_was_restored_are_said_once"
)

ATTACHED = [
    Mutant(
        "the slope at a pruned weight is not masked",
        "attach/step/_pruned.py",
        "mask * self.weight, self.reference) * mask",
        "mask * self.weight, self.reference)",
        (PRUNED,),
    ),
    Mutant(
        "what is pruned has a part in the slope of the rest",
        "attach/step/_pruned.py",
        "mask * self.weight, self.reference) * mask",
        "self.weight, self.reference) * mask",
        (PRUNED,),
    ),
    Mutant(
        "the scale of a fused optimizer is ignored at pruned weights",
        "attach/step/_pruned.py",
        "if scale is not None:",
        "if False:",
        (changed("a_step_of_a_pruned_weight_under_a_grad_scaler"),),
    ),
    Mutant(
        "a pruned weight is turned round where the optimizer maximises",
        "attach/step/_pruned.py",
        "sign * constant_factor(weight, unit)",
        "constant_factor(weight, unit)",
        (changed("a_step_that_maximises_penalises_the_pruned_weight_all_the_same"),),
    ),
    Mutant(
        "what is pruned has a part in the groups that are shrunk",
        "attach/step/_proximal.py",
        "self._shrunk(mask * self.weight, step, terms)",
        "self._shrunk(self.weight, step, terms)",
        (SHRUNK,),
    ),
    Mutant(
        "what is pruned becomes 0 for good",
        "attach/step/_proximal.py",
        "torch.where(mask != 0, shrunk, self.weight)",
        "shrunk",
        (SHRUNK,),
    ),
    Mutant(
        "a pruned weight is shrunk together with others, without its mask",
        "attach/step/_proximal_foreach.py",
        "alone = proximal.mask or proximal.view",
        "alone = proximal.view",
        (SHRUNK,),
    ),
    Mutant(
        "another mask is not looked at",
        "attach/step/_apply.py",
        "            yield mask()\n",
        "            pass\n",
        (changed("a_mask_that_becomes_one_of_other_numbers_has_no_proximal_step"),),
    ),
    Mutant(
        "groups are added to the loss as the weight lies",
        "attach/reading/_weights.py",
        "x if entry.view is None else x.reshape(entry.view)",
        "x",
        (roles("group_lasso_in_the_loss"),),
    ),
    Mutant(
        "the slope of groups is that of the weight as it lies",
        "attach/step/_weight_gradients.py",
        "if view is not None:",
        "if False:",
        (roles("group_lasso_within_the_step"),),
    ),
    Mutant(
        "penalties of several views are one",
        "attach/step/_foreach_gradients.py",
        'unit, getattr(weight, "device_mesh", None), entry.view',
        'unit, getattr(weight, "device_mesh", None)',
        (roles("group_lasso_within_the_step"),),
    ),
    Mutant(
        "groups are shrunk as the weight lies",
        "attach/step/_proximal.py",
        "if self.view is None:",
        "if True:",
        (roles("a_proximal_step_of_groups_and_elements_by_hand"),),
    ),
    Mutant(
        "the step sizes of groups lie as the weight does",
        "attach/step/_proximal.py",
        "step = step.reshape(self.view)",
        "pass",
        (roles("a_proximal_step_of_adam_shrinks_each_group_by_hand"),),
    ),
    Mutant(
        "a second penalty takes the view of the first away",
        "attach/step/_step_plan.py",
        "proximal_weight.view = entry.view or proximal_weight.view",
        "proximal_weight.view = entry.view",
        (roles("a_proximal_step_of_groups_and_elements_by_hand"),),
    ),
    Mutant(
        "an optimizer that is only known to another is attached",
        "attach/step/_inner_optimizers.py",
        "if not is_optimizer or any(id(p) in own for p in _parameters(one)):",
        "if True:",
        (inner("an_optimizer_that_is_only_known_to_another_is_left_alone"),),
    ),
    Mutant(
        "of a wrapper several optimizers within are overlooked",
        "attach/step/_inner_optimizers.py",
        "value if isinstance(value, (list, tuple)) else [value]",
        "[value]",
        (inner("of_a_wrapper_of_several_each_is_attached"),),
    ),
    Mutant(
        "an optimizer that is a property of a wrapper is overlooked",
        "attach/step/_inner_optimizers.py",
        ', getattr(given, "optimizer", None)]',
        "]",
        (inner("of_a_wrapper_the_optimizer_within_is_attached"),),
    ),
    Mutant(
        "an optimizer that skips __init__ has no hooks",
        "attach/step/_inner_optimizers.py",
        "    if has_hooks and getattr(type(optimizer).step",
        "    if True or getattr(type(optimizer).step",
        (inner("an_optimizer_without_init_is_attached_by_itself"),),
    ),
    Mutant(
        "an optimizer within a wrapper may be any",
        "attach/step/_inner_optimizers.py",
        "        check_optimizer(optimizer)\n",
        "        pass\n",
        (inner("lbfgs_within_a_wrapper_raises"),),
    ),
    Mutant(
        "a step that was seen is none",
        "attach/step/_unseen_steps.py",
        "if self._steps != self._steps_before:",
        "if False:",
        (unseen("a_step_between_two_backward_passes_is_seen"),),
    ),
    Mutant(
        "every backward pass begins the comparison anew",
        "attach/step/_unseen_steps.py",
        "if watch is not None and watch._sample is None:",
        "if watch is not None:",
        (unseen("an_update_before_another_backward_pass_is_noticed"),),
    ),
    Mutant(
        "a state that is loaded is taken for a step",
        "attach/step/_unseen_steps.py",
        'the weight changed on purpose."""\n        self._sample = None',
        'the weight changed on purpose."""',
        (unseen("a_state_that_is_loaded_is_none"),),
    ),
    Mutant(
        "averages are taken for steps after others were seen",
        "attach/step/_unseen_steps.py",
        "if by_data and self._steps:",
        "if False:",
        (unseen("averages_written_through_data_are_none"),),
    ),
    Mutant(
        "half of two steps is taken for one",
        "attach/step/_unseen_steps.py",
        "(by_data or within_step)",
        "by_data",
        (unseen("the_first_half_of_a_two_step_optimizer_is_none"),),
    ),
    Mutant(
        "halves of steps add up, though whole ones were seen between",
        "attach/step/_unseen_steps.py",
        "self._sample, self._moved = None, 0",
        "self._sample = None",
        (unseen("the_first_half_of_a_two_step_optimizer_is_none"),),
    ),
    Mutant(
        "NaN is taken for another NaN",
        "attach/step/_unseen_steps.py",
        "str(_some(weight).tolist()) != str(self._values.tolist())",
        "_some(weight).tolist() != self._values.tolist()",
        (unseen("a_weight_that_is_nan_and_stays_is_none"),),
    ),
    Mutant(
        "one weight of an optimizer is watched",
        "attach/step/_apply.py",
        "[*plain[:1], *plain[-1:]]",
        "plain[:1]",
        (unseen("an_update_of_the_last_weight_alone_is_noticed"),),
    ),
    Mutant(
        "a loss that is injected does not ask for steps",
        "attach/_regularization.py",
        "            self._applied.check_steps(within_step=True)\n"
        "        self._control.used()\n"
        "        scaled = self._delivery",
        "            pass\n        self._control.used()\n        scaled = self._delivery",
        (unseen("an_injected_loss_says_so_too"),),
    ),
    Mutant(
        "a report does not ask for steps",
        "attach/_regularization.py",
        "            self._applied.check_steps(within_step=False)\n",
        "            pass\n",
        (unseen("an_update_by_hand_is_noticed"),),
    ),
    Mutant(
        "a state that was loaded before attaching is not found",
        "attach/step/_carried_state.py",
        "        self._restore(optimizer)\n        return [",
        "        return [",
        (carried("a_state_that_was_loaded_before_attaching_is_gone_on_from"),),
    ),
    Mutant(
        "a state is gone on from again and again",
        "attach/step/_carried_state.py",
        "states.pop(self._name_in(states), None)",
        "states.get(self._name_in(states))",
        (carried("a_state_that_was_loaded_before_attaching_is_gone_on_from"),),
    ),
    Mutant(
        "the last Regularization alone is carried",
        "attach/step/_carried_state.py",
        "{**groups[0].get(_KEY, {}), self._name:",
        "{self._name:",
        (carried("several_regularizations_each_find_their_own"),),
    ),
    Mutant(
        "a state of other rules is taken for one of these",
        "attach/step/_carried_state.py",
        "crc32(repr(self._control.rules()).encode())",
        "len(self._control.rules())",
        (carried("a_state_of_other_rules_is_said"),),
    ),
    Mutant(
        "a state without strengths is said each time",
        "attach/step/_carried_state.py",
        "        self._warned = True\n",
        "",
        (carried("a_state_without_it_is_said_once"),),
    ),
    Mutant(
        "a model that is restored by itself goes unsaid",
        "attach/control/_control.py",
        "            self._loaded.warn()\n",
        "            pass\n",
        (BEGUN_ANEW,),
    ),
    Mutant(
        "a model that is restored in the middle is said to begin anew",
        "attach/control/_control.py",
        "if self.steps == 0:",
        "if True:",
        (BEGUN_ANEW,),
    ),
    Mutant(
        "strengths that go on are said to begin anew",
        "attach/control/_control.py",
        "        self._loaded.strengths_restored()\n",
        "",
        (carried("steps_made_by_hand_that_go_on_say_nothing"),),
    ),
    Mutant(
        "a Regularization that is replaced goes on",
        "attach/step/_attach.py",
        "        other.detach()\n",
        "        pass\n",
        (twice("a_cell_that_is_run_again_replaces_what_it_made_before"),),
    ),
    Mutant(
        "one strength more makes another rule",
        "attach/sites/_site.py",
        "unit = dataclasses.replace(self.term, strength=1.0)",
        "unit = self.term",
        (twice("a_cell_that_is_run_again_replaces_what_it_made_before"),),
    ),
    Mutant(
        "some of the rules of another count twice",
        "attach/step/_replaced.py",
        "        if both:\n",
        "        if False:\n",
        (twice("a_rule_that_another_has_too_raises_and_changes_nothing"),),
    ),
    Mutant(
        "other rules on one weight are the same",
        "attach/sites/_sites.py",
        "found[id(parameter.owner), parameter.name, entry.signature]",
        "found[id(parameter.owner), parameter.name]",
        (twice("other_rules_on_the_same_weight_add_up"),),
    ),
]
