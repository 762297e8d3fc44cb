"""Wrong edits to what happens within the step of an optimizer."""

from mutants.mutant import Mutant, attach


def optimizer(name: str) -> str:
    return attach(f"attach_optimizer::{name}")


def together(name: str) -> str:
    return attach(f"step_together::{name}")


STEPS = [
    Mutant(
        "the penalty is added before a closure",
        "attach/step/_optimizer_hooks.py",
        "            loss = closure()\n            before(self._optimizer)\n",
        "            before(self._optimizer)\n            loss = closure()\n",
        (optimizer("a_closure_computes_the_gradient_before_the_penalty_is_added"),),
    ),
    Mutant(
        "a closure given by name is not seen",
        "attach/step/_optimizer_hooks.py",
        'closure = kwargs["closure"] if "closure" in kwargs else next(iter(args[1:]), None)',
        "closure = next(iter(args[1:]), None)",
        (optimizer("a_closure_computes_the_gradient_before_the_penalty_is_added"),),
    ),
    Mutant(
        "a step within a step counts again",
        "attach/step/_optimizer_hooks.py",
        "return steps > 1",
        "return False",
        (optimizer("a_step_within_a_step_of_the_same_optimizer_counts_once"),),
    ),
    Mutant(
        "a scaler that the optimizer applies goes unseen",
        "attach/step/_optimizer_hooks.py",
        'if kwargs.get("grad_scaler") is not None:',
        "if False:",
        (attach("attach_refusals::a_scaler_that_the_optimizer_applies_itself"),),
    ),
    Mutant(
        "the scale of a fused optimizer is ignored",
        "attach/step/_apply.py",
        "plan.add(scale)",
        "plan.add(None)",
        (optimizer("under_a_grad_scaler_it_is_as_without"),),
    ),
    Mutant(
        "a maximised objective is penalised with the same sign",
        "attach/step/_step_plan.py",
        '-1 if group.get("maximize") else 1',
        "1",
        (optimizer("a_maximised_objective_is_penalised_all_the_same"),),
    ),
    Mutant(
        "a step without a backward pass is penalised",
        "attach/step/_apply.py",
        "            return  # a step without a backward pass changes nothing\n",
        "            pass\n",
        (optimizer("a_step_without_any_gradient_changes_nothing"),),
    ),
    Mutant(
        "strengths that change are not seen",
        "attach/step/_step_plan.py",
        "if self._strengths_version != self._strengths.version:",
        "if self._strengths_version is None:",
        (optimizer("strengths_can_change_between_steps"),),
    ),
    Mutant(
        "weights that are unfrozen are not seen",
        "attach/step/_apply.py",
        "return [*found, *[one for n in unusual for one in self._depends_on(n)]]",
        "return found",
        (optimizer("a_frozen_weight_that_the_optimizer_holds_is_penalised_once_it_is_trained"),),
    ),
    Mutant(
        "every optimizer penalises every weight",
        "attach/step/_apply.py",
        "if self._ownership.optimizer_of(weight) is optimizer:",
        "if True:",
        (optimizer("several_optimizers_each_penalise_what_they_hold"),),
    ),
    Mutant(
        "weights stay in the loss too",
        "attach/_regularization.py",
        "        self._delivery.weights.leave()\n",
        "",
        (optimizer("the_penalty_leaves_weights_out_and_the_penalties_report_them"),),
    ),
    Mutant(
        "the hooks of an optimizer stay after detach",
        "attach/_regularization.py",
        "        self._handles += handles\n",
        "",
        (optimizer("the_optimizer_keeps_the_regularization_until_it_is_detached"),),
    ),
    Mutant(
        "a parameter added later is not seen",
        "attach/step/_ownership.py",
        "a is b and m == n for",
        "a is b for",
        (optimizer("a_weight_put_into_a_group_later_is_penalised"),),
    ),
    Mutant(
        "a weight that no optimizer holds is left out",
        "attach/step/_ownership.py",
        "        if missing:\n",
        "        if False:\n",
        (attach("attach_refusals::an_optimizer_that_holds_none_of_the_weights"),),
    ),
    Mutant(
        "the slope of squares lacks its 2",
        "attach/step/_weight_gradients.py",
        "_same_weights, constant=2.0",
        "_same_weights, constant=1.0",
        (optimizer("the_update_is_that_of_the_optimizers_own_weight_decay"),),
    ),
    Mutant(
        "a mean over elements is added as a sum",
        "attach/step/_weight_gradients.py",
        "return one_over(term.denominator(_frame(term, weight))) * _CLOSED",
        "return _CLOSED",
        (optimizer("the_update_is_that_of_the_penalty_in_the_loss"),),
    ),
    Mutant(
        "a weight without a gradient is passed over",
        "attach/step/_foreach_gradients.py",
        "        weight.grad = torch.zeros_like(weight)\n",
        "        return torch.zeros_like(weight)\n",
        (optimizer("a_weight_without_a_gradient_gets_the_penaltys_alone"),),
    ),
    Mutant(
        "momentum does not lengthen the step",
        "attach/step/_proximal.py",
        'rate * (1 - group["dampening"]) / (1 - momentum) if momentum else rate',
        "rate",
        (attach("proximal_steps::l1_reaches_the_lasso"),),
    ),
    Mutant(
        "dampening does not shorten the step",
        "attach/step/_proximal.py",
        '(1 - group["dampening"]) / (1 - momentum)',
        "1 / (1 - momentum)",
        (attach("proximal_steps::l1_reaches_the_lasso"),),
    ),
    Mutant(
        "Adam's threshold is not elementwise",
        "attach/step/_proximal.py",
        'return group["lr"] / ((second / correction).sqrt() + group["eps"])',
        'return group["lr"] / ((second / correction).mean().sqrt() + group["eps"])',
        (together("weights_are_shrunk_bit_for_bit_as_the_penalty_shrinks_arrays"),),
    ),
    Mutant(
        "the second moment is not corrected",
        "attach/step/_proximal.py",
        'return second, 1 - group["betas"][1] ** exponent',
        "return second, 1.0",
        (attach("proximal_steps::the_step_of_adam_is_the_one_it_made"),),
    ),
    Mutant(
        "amsgrad's largest second moment is ignored",
        "attach/step/_proximal.py",
        'second = state["max_exp_avg_sq"] if group["amsgrad"] else state["exp_avg_sq"]',
        'second = state["exp_avg_sq"]',
        (attach("proximal_steps::the_step_of_adam_is_the_one_it_made"),),
    ),
    Mutant(
        "a step that a fused optimizer left out shrinks",
        "attach/step/_proximal.py",
        "return step if found_inf is None else step * (found_inf.to(weight.device) == 0)",
        "return step",
        (optimizer("a_step_whose_gradient_overflowed_changes_nothing"),),
    ),
    Mutant(
        "a weight that was not updated is shrunk",
        "attach/step/_proximal.py",
        "        if self.weight.grad is None:\n            return\n",
        "        if not optimizer.state[self.weight]:\n            return\n",
        (together("weights_are_shrunk_bit_for_bit_as_the_penalty_shrinks_arrays"),),
    ),
    Mutant(
        "a weight that was not updated is shrunk together with others",
        "attach/step/_proximal_foreach.py",
        "for p, keys in self._members if p.weight.grad is not None]",
        "for p, keys in self._members if optimizer.state[p.weight]]",
        (attach("proximal_steps::with_sgd_a_weight_without_a_gradient_is_left_alone"),),
    ),
    Mutant(
        "weights shrunk together overlook that a fused optimizer left out a step",
        "attach/step/_proximal_foreach.py",
        'getattr(optimizer, "found_inf", None) is not None',
        "False",
        (optimizer("a_step_whose_gradient_overflowed_changes_nothing"),),
    ),
    Mutant(
        "many weights are shrunk by Adam's uncorrected threshold",
        "attach/step/_proximal_foreach.py",
        "torch._foreach_div(seconds, corrections)",
        "torch._foreach_mul(seconds, 1.0)",
        (attach("proximal_steps::the_step_of_adam_is_the_one_it_made"),),
    ),
    Mutant(
        "squares leave the step of what follows as it was",
        "attach/step/_proximal_foreach.py",
        "            steps = torch._foreach_div(steps, sizes)\n",
        "",
        (together("weights_are_shrunk_bit_for_bit_as_the_penalty_shrinks_arrays"),),
    ),
    Mutant(
        "two rules alike at one weight count once",
        "attach/step/_foreach_gradients.py",
        "factors[penalty, index] += strengths[key] * constant",
        "factors[penalty, index] = strengths[key] * constant",
        (together("rules_alike_at_one_weight_add_up"),),
    ),
]
