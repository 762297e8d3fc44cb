"""Wrong edits to what follows models that change after they were attached."""

from mutants.mutant import Mutant, attach


def changed(name: str) -> str:
    return attach(f"changed_weights::{name}")


def outputs(name: str) -> str:
    return changed(f"outputs_that_are_added_later_join_{name}")


AFTER_ATTACHING = changed(
    "a_weight_that_is_computed_after_attaching_is_penalised_as_the_forward_uses_it"
)
ADDED = changed("weights_that_are_added_later_join")
OUTDATED = changed("what_an_unknown_hook_computes_must_be_of_the_last_parameters")

CHANGES = [
    Mutant(
        "reading a spectral norm of a hook moves its vectors",
        "attach/sites/_hook_weights.py",
        "do_power_iteration=False",
        "do_power_iteration=True",
        (AFTER_ATTACHING,),
    ),
    Mutant(
        "a weight_norm of a hook is not known",
        "attach/sites/_hook_weights.py",
        "elif isinstance(hook, WeightNorm):",
        "elif False:",
        (changed("what_is_computed_is_read_as_the_parameters_are_now"),),
    ),
    Mutant(
        "a pruned weight has no mask",
        "attach/sites/_hook_weights.py",
        '                partial(module.get_buffer, f"{name}_mask"),\n',
        "",
        (changed("a_step_penalises_the_pruned_weight"),),
    ),
    Mutant(
        "a mask of any numbers up to 1 is binary",
        "attach/sites/_hook_weights.py",
        "(mask == 0) | (mask == 1)",
        "(mask >= 0) & (mask <= 1)",
        (changed("a_mask_of_other_numbers_has_no_proximal_step"),),
    ),
    Mutant(
        "a computed weight is frozen with any of its parts",
        "attach/sites/_parameter.py",
        "return any(source is not None and source.requires_grad for",
        "return all(source is not None and source.requires_grad for",
        (attach("parametrized::a_parametrized_weight_is_frozen_with_its_parts"),),
    ),
    Mutant(
        "all that hooks compute in one module is one weight",
        "attach/sites/_parameter.py",
        "else (id(self.owner), self.name)",
        "else id(self.owner)",
        (changed("two_pruned_weights_of_one_module_are_two"),),
    ),
    Mutant(
        "what an unknown hook computes is gone",
        "attach/sites/_parameter.py",
        "if own and left_by_hook(self.owner, self.name) is not None:",
        "if False:",
        (AFTER_ATTACHING,),
    ),
    Mutant(
        "a complex weight is read",
        "attach/sites/_parameter.py",
        "if not tensor.is_floating_point():",
        "if False:",
        (changed("a_weight_that_becomes_complex_raises_by_its_name"),),
    ),
    Mutant(
        "a rule may mean a complex weight",
        "attach/sites/_select_weights.py",
        "if weight is not None and weight.requires_grad and weight.is_complex():",
        "if False:",
        (changed("a_complex_weight_raises_by_its_name"),),
    ),
    Mutant(
        "what a known hook computes is read as its last forward left it",
        "attach/sites/_parameter.py",
        "        if known is not None:\n            return known.compute()\n",
        "",
        (changed("what_is_computed_is_read_as_the_parameters_are_now"),),
    ),
    Mutant(
        "what an unknown hook computed without gradients is a constant",
        "attach/sites/_parameter.py",
        "(torch.is_grad_enabled() and self.trainable and not left.requires_grad)",
        "False",
        (changed("what_an_unknown_hook_computed_without_gradients_raises"),),
    ),
    Mutant(
        "a part that an unknown hook uses is a kernel",
        "attach/reading/_weights_in_loss.py",
        "                check_is_whole(parameter)\n",
        "                pass\n",
        (changed("a_part_that_an_unknown_hook_turned_out_to_use_raises"),),
    ),
    Mutant(
        "modules and weights that are added are not noticed",
        "attach/sites/_inventory.py",
        "list(map(len, self._registries)) != self._sizes\n",
        "False\n",
        (ADDED,),
    ),
    Mutant(
        "weights that are added to a module are not noticed",
        "attach/sites/_inventory.py",
        "            *[module._parameters for module in modules],\n",
        "",
        (changed("a_weight_that_is_added_to_a_module_joins"),),
    ),
    Mutant(
        "a module in the place of another is not noticed",
        "attach/sites/_inventory.py",
        "list(chain.from_iterable(map(dict.values, self._parents))) != self._children",
        "False",
        (attach("regimes::a_module_that_was_replaced_is_missed"),),
    ),
    Mutant(
        "a weight in the place of None is not noticed",
        "attach/sites/_inventory.py",
        "any(owned.get(name) is not None for owned, name in self._empty)",
        "False",
        (changed("a_bias_that_is_added_later_joins"),),
    ),
    Mutant(
        "weights join once more whenever others are added",
        "attach/sites/_site.py",
        "return [p for p in selected if (p.owner, p.full_name) not in known]",
        "return list(selected)",
        (ADDED,),
    ),
    Mutant(
        "outputs join once more whenever others are added",
        "attach/sites/_sites.py",
        "if (id(rule), module) not in known",
        "if True",
        (outputs("before_they_are_computed"),),
    ),
    Mutant(
        "outputs that are added join after their first forward",
        "attach/sites/_follow_hook.py",
        "                follow()\n",
        "                pass\n",
        (outputs("before_they_are_computed"),),
    ),
    Mutant(
        "outputs that are added are not injected",
        "attach/_regularization.py",
        "        self._handles += self._delivery.add(activities, ",
        "        self._delivery.add([], ",
        (changed("injected_outputs_that_are_added_later_join"),),
    ),
    Mutant(
        "outputs that are added are suited to anything",
        "attach/_regularization.py",
        "        check_suited(activities)\n",
        "",
        (attach("suited::what_is_added_later_is_judged_too"),),
    ),
    Mutant(
        "a schedule of what is added begins anew",
        "attach/_regularization.py",
        "self._strengths.add(self._sites.entries, self._control.steps)",
        "self._strengths.add(self._sites.entries)",
        (changed("what_is_added_later_stands_where_the_schedule_does"),),
    ),
    Mutant(
        "the steps of an optimizer leave out what is added",
        "attach/_regularization.py",
        "            self._applied.follow()\n",
        "            pass\n",
        (changed("a_weight_added_later_joins_the_steps_once_the_optimizer_holds_it"),),
    ),
    Mutant(
        "a step of what an unknown hook uses is not looked at again",
        "attach/reading/_weights_in_loss.py",
        "if recorded is not None and recorded != _versions(parameter):",
        "if False:",
        (OUTDATED,),
    ),
    Mutant(
        "only a first forward is recorded",
        "attach/reading/_weights_in_loss.py",
        "                self._versions[parameter.full_name] = _versions(parameter)\n",
        "                self._versions.setdefault(parameter.full_name, _versions(parameter))\n",
        (OUTDATED,),
    ),
    Mutant(
        "a forward that does not count is recorded",
        "attach/reading/_weights_in_loss.py",
        "if is_recording(model) and not self.paused:",
        "if is_recording(model):",
        (attach("paused::weights_that_a_paused_forward_borrows_are_not_meant"),),
    ),
    Mutant(
        "a weight that was frozen since keeps its last report",
        "attach/reading/_weights_in_loss.py",
        "values |= {entry.key: torch.zeros(()) for entry in site.entries}",
        "pass",
        (attach("report::a_weight_that_was_frozen_since_is_reported_as_zero"),),
    ),
    Mutant(
        "a collection forgets what did not fire",
        "attach/collect/_collect.py",
        "self.last = last if self.last is None else self.last | last",
        "self.last = last",
        (
            attach(
                "silence::a_site_that_merely_did_not_fire_this_time_gives_zero_and_keeps_its_"
                "last_report"
            ),
        ),
    ),
]
