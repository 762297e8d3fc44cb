"""Wrong edits to how targets are measured, when, and what goes on from a saved state."""

from mutants.mutant import Mutant, attach

GAUGE = "attach/reading/_gauge.py"
MEASURED = "attach/reading/_target_measurements.py"
CONTROLLER = "attach/control/_controller.py"
TARGETS = "attach/control/_targets.py"


def scale(name: str) -> str:
    return attach(f"target_scale::{name}")


def gate(name: str) -> str:
    return attach(f"target_gates::{name}")


def read(name: str) -> str:
    return attach(f"target_readings::{name}")


def counted(name: str) -> str:
    return attach(f"target_counts::{name}")


def moving(name: str) -> str:
    return attach(f"target_schedules::{name}")


def zeros(name: str) -> str:
    return attach(f"target_zeros::{name}")


def weights(name: str) -> str:
    return attach(f"target_zeros_measured::{name}")


def loss(name: str) -> str:
    return attach(f"target_loss::{name}")


def shared(name: str) -> str:
    return attach(f"target_shared::{name}")


def temporal(name: str) -> str:
    return attach(f"target_differences::{name}")


def resumed(name: str) -> str:
    return attach(f"target_resume::{name}")


def journal(name: str) -> str:
    return attach(f"journal::{name}")


HELD = read("between_two_readings_the_last_scale_is_held")
EVERY_SIZE = counted("it_is_the_count_by_hand_at_every_size")
NOT_FINITE = counted("an_output_that_is_not_finite_stops_the_law")

TARGET_MUTANTS = [
    # when the gradients are measured
    Mutant(
        "a tenth step is taken for an eleventh",
        GAUGE,
        "self._since >= _EVERY - 1",
        "self._since >= _EVERY",
        (HELD,),
    ),
    Mutant(
        "a step without a gradient counts as a reading",
        GAUGE,
        "        if self.has_scale:\n",
        "        if True:\n",
        (read("without_a_forward_the_reading_waits"),),
    ),
    Mutant(
        "a scale is forgotten in the next step",
        CONTROLLER,
        "(found > 0) & (found < torch.inf), found, self._scale)",
        "(found > 0) & (found < torch.inf), found, torch.nan)",
        (scale("a_gradient_that_overflows_leaves_the_last"),),
    ),
    Mutant(
        "the count of readings begins anew after a restart",
        GAUGE,
        'self._readings, self._since = int(saved.get("readings", 0)), int(saved.get("since", 0))',
        "self._readings, self._since = 0, 0",
        (read("the_count_of_readings_goes_on_after_a_restart"),),
    ),
    Mutant(
        "whether gradients are due is forgotten in a saved state",
        GAUGE,
        'self.is_due = bool(saved.get("due", True))',
        "self.is_due = True",
        (read("the_count_of_readings_goes_on_after_a_restart"),),
    ),
    Mutant(
        "squares of a tiny gradient underflow",
        GAUGE,
        "        squares.append(torch.dot(wide, wide))\n",
        "        squares.append(torch.dot(piece, piece).double())\n",
        (scale("the_gradient_of_a_tiny_strength_is_not_lost"),),
    ),
    Mutant(
        "a gradient is measured where the output is 0",
        GAUGE,
        "piece = sign.mul_(piece)",
        "pass",
        (scale("it_is_that_of_the_formula"),),
    ),
    Mutant(
        "samples of norm 0 have a slope",
        "penalties/_l2.py",
        "return xp.sum(xp.astype(saved[0] != 0, xp.float64))",
        "return xp.sum(xp.astype(saved[0] >= 0, xp.float64))",
        (scale("samples_that_are_0_have_no_slope_of_their_norm"),),
    ),
    Mutant(
        "a root mean square is taken for a mean of norms",
        "attach/reading/_target_measurements.py",
        'return frame.reduce == "batch_mean" and () != frame.units == batch.unit_axes',
        "return True",
        (scale("a_norm_is_measured_as_its_target_defines_it"),),
    ),
    Mutant(
        "only the last piece of a large gradient counts",
        GAUGE,
        "torch.stack(squares).sum()",
        "squares[-1]",
        (scale("it_is_the_same_in_every_way_of_reading"),),
    ),
    # gates
    Mutant(
        "the headroom of a gate is added once",
        GAUGE,
        "loss * self.headroom**2",
        "loss * self.headroom",
        (gate("the_scale_is_three_times_that_of_the_window"),),
    ),
    Mutant(
        "the penalty is measured outside of the window too",
        "attach/reading/_functions.py",
        'measure_gradient(gradient, ctx.window, "penalty", request.gauge)',
        'measure_gradient(gradient, None, "penalty", request.gauge)',
        (gate("the_scale_is_three_times_that_of_the_window"),),
    ),
    Mutant(
        "the norm of a sign is taken from the count at a gate",
        "attach/reading/_functions.py",
        "counts = counts and mask is None and window is None",
        "counts = counts and mask is None",
        (gate("the_scale_is_three_times_that_of_the_window"),),
    ),
    Mutant(
        "the loss is measured outside of the window too",
        MEASURED,
        "        if window is not None:\n            return window\n",
        "",
        (gate("the_scale_is_three_times_that_of_the_window"),),
    ),
    # counts
    Mutant(
        "what is not finite is counted as 0",
        MEASURED,
        'totals[wanted].add(totals["absolute"], alpha=0)',
        "totals[wanted]",
        (NOT_FINITE,),
    ),
    Mutant(
        "what is beyond a threshold is counted though it is not finite",
        "control/_targets.py",
        "xp.sum(xp.sign(size)) + 0 * xp.sum(size)",
        "xp.sum(xp.sign(size))",
        (NOT_FINITE,),
    ),
    Mutant(
        "the threshold is not taken off",
        "control/_targets.py",
        "size = xp.clip(size - self.threshold, min=0.0)",
        "pass",
        (EVERY_SIZE,),
    ),
    Mutant(
        "a share is counted per sample",
        MEASURED,
        "batch.samples if target.is_per_sample else batch.elements",
        "batch.samples",
        (EVERY_SIZE,),
    ),
    # targets that move, and bounds
    Mutant(
        "a target stays where it began",
        "attach/control/_goal.py",
        "wanted = check_target(self._schedule.at(step), name)",
        "wanted = check_target(self._schedule.at(0), name)",
        (moving("the_law_is_given_the_target_of_its_step"),),
    ),
    Mutant(
        "a target that moved is kept in its tensor",
        CONTROLLER,
        "if known != numbers or ",
        "if not known or ",
        (moving("the_law_is_given_the_target_of_its_step"),),
    ),
    Mutant(
        "a bound keeps a little strength",
        CONTROLLER,
        "strength = torch.where(is_off, QUIET, strength)",
        "pass",
        (moving("a_bound_that_holds_by_itself_needs_no_strength"),),
    ),
    Mutant(
        "an equality is turned off as a bound is",
        CONTROLLER,
        "is_off = self._inequality() & ",
        "is_off = ",
        (moving("a_bound_and_an_equality_are_told_apart_at_one_law"),),
    ),
    Mutant(
        "a bound has the law of an equality",
        "control/_target.py",
        "return AT_MOST if self.at_most else EQUAL",
        "return EQUAL",
        (moving("a_bound_that_holds_by_itself_needs_no_strength"),),
    ),
    # zeros
    Mutant(
        "weights that are not 0 are counted as zeros",
        "control/_target_zeros.py",
        "return batch.elements - xp.sum(xp.sign(xp.abs(x))), batch.elements",
        "return xp.sum(xp.sign(xp.abs(x))), batch.elements",
        (weights("what_is_measured_is_the_share_after_the_step"),),
    ),
    Mutant(
        "a share of zeros is given to the law as it is",
        "control/_target_zeros.py",
        "return 1 - measured, 1 - wanted",
        "return measured, wanted",
        (weights("what_is_measured_is_the_share_after_the_step"),),
    ),
    Mutant(
        "targets that rise and targets that fall share a law",
        CONTROLLER,
        "            and type(goal.target).as_falling is type(first.target).as_falling\n",
        "",
        (zeros("a_rule_and_a_target_of_an_output_stand_side_by_side"),),
    ),
    Mutant(
        "a pruned weight pulls where it is pruned",
        "attach/step/_weight_targets.py",
        "mask = self.site.parameter.mask",
        "mask = None",
        (weights("a_pruned_weight_pulls_where_it_is_read"),),
    ),
    Mutant(
        "the gradient of a weight of half precision is lost",
        "attach/step/_weight_targets.py",
        "slope = slope.to(torch.promote_types(slope.dtype, torch.float32))",
        "pass",
        (weights("a_weight_of_half_precision_has_a_scale"),),
    ),
    Mutant(
        "each weight of a rule has a strength of its own",
        "control/_target_zeros.py",
        'return self.over == "rule"',
        "return False",
        (zeros("all_weights_of_a_rule_have_one_strength"),),
    ),
    Mutant(
        "a pruned weight is measured where it is pruned",
        "attach/step/_weight_targets.py",
        "weight = self.site.parameter.read().detach()",
        "weight = self.weight.detach()",
        (weights("a_pruned_weight_counts_what_the_model_reads"),),
    ),
    # the loss
    Mutant(
        "a step without a loss goes on",
        TARGETS,
        "            if goal.gauge.is_empty:\n",
        "            if False:\n",
        (loss("a_step_without_a_loss_says_what_to_do_and_changes_nothing"),),
    ),
    Mutant(
        "losses of several batches add up",
        TARGETS,
        "torch.as_tensor(loss, dtype=torch.float64).detach(), 1)",
        "torch.as_tensor(loss, dtype=torch.float64).detach(), goal.gauge.is_empty)",
        (loss("losses_of_accumulated_batches_are_averaged"),),
    ),
    Mutant(
        "a loss that is a number is rounded",
        TARGETS,
        "torch.as_tensor(loss, dtype=torch.float64).detach()",
        "torch.as_tensor(loss).detach()",
        (loss("losses_of_accumulated_batches_are_averaged"),),
    ),
    Mutant(
        "a loss is given to the law as it is",
        "control/_target_loss.py",
        "return _LEAST + (excess + abs(excess)) / 2, wanted / wanted",
        "return measured, wanted",
        (loss("the_law_is_given_what_falls_and_ten_times_the_value"),),
    ),
    Mutant(
        "a loss is compared with the first of its penalties",
        TARGETS,
        "[values[key] for key in goal.keys if key in values]",
        "[values[key] for key in goal.keys[:1] if key in values]",
        (loss("the_law_is_given_what_falls_and_ten_times_the_value"),),
    ),
    Mutant(
        "rules with one target of the loss have strengths of their own",
        "attach/control/_grouping.py",
        'group = "loss", target',
        'group = "loss", target, entry.key',
        (loss("several_rules_have_one_strength"),),
    ),
    Mutant(
        "an injected loss is not measured",
        "attach/_regularization.py",
        'give_loss(loss, "scale_from")',
        'give_loss(0 * loss, "scale_from")',
        (loss("what_is_measured_is_the_loss_without_penalties"),),
    ),
    # shared strengths and differences
    Mutant(
        "sites that share a strength have one each",
        "attach/control/_grouping.py",
        "elif target.shares or rule.shared:",
        "elif target.shares:",
        (shared("all_sites_have_the_same_strength_in_every_step"),),
    ),
    Mutant(
        "terms of one rule share a strength",
        "attach/control/_grouping.py",
        'group = "rule", id(rule), number',
        'group = "rule", id(rule)',
        (shared("each_term_of_a_sum_is_shared_by_itself"),),
    ),
    Mutant(
        "a temporal target measures the output",
        MEASURED,
        "    if not isinstance(term, Difference):\n        return activation\n",
        "    return activation\n",
        (temporal("a_sample_is_each_step_of_each_sequence"),),
    ),
    Mutant(
        "a sequence whose batch comes second is read as if it came first",
        "attach/collect/_tap.py",
        "Activation(x, plan.request.batch_axis)",
        "Activation(x, 0)",
        (temporal("a_sample_is_each_step_of_each_sequence"),),
    ),
    Mutant(
        "differences to padding are measured",
        MEASURED,
        "between.mask, term.time_axis % x.ndim",
        "None, term.time_axis % x.ndim",
        (temporal("differences_to_padding_are_left_out"),),
    ),
    Mutant(
        "a known time axis is asked about",
        MEASURED,
        "    if isinstance(term, Difference):  # its time axis is known\n        return False\n",
        "",
        (temporal("the_time_axis_of_another_module_is_stated"),),
    ),
    # what comes to the host, and what is kept
    Mutant(
        "steps that are not sent are lost",
        "attach/control/_observed.py",
        "        if wait and self._kept:\n            self._send()\n",
        "",
        (journal("all_arrive_once_and_in_order_if_they_are_waited_for"),),
    ),
    Mutant(
        "the first step is sent with the tenth",
        "attach/control/_observed.py",
        "self._steps == 0 or ",
        "",
        (journal("the_first_step_and_then_each_tenth_are_sent"),),
    ),
    Mutant(
        "the last copy is read first",
        "attach/control/_observed.py",
        "self._copies.popleft()",
        "self._copies.pop()",
        (journal("a_copy_that_has_not_arrived_is_not_waited_for"),),
    ),
    Mutant(
        "a copy is waited for",
        "attach/control/_observed.py",
        "while self._copies and (wait or self._copies[0].has_arrived):",
        "while self._copies:",
        (journal("a_copy_that_has_not_arrived_is_not_waited_for"),),
    ),
    Mutant(
        "a strength that is none is never known",
        "attach/control/_goal.py",
        "if math.isfinite(observed.measured) and not (",
        "if False and not (",
        (journal("a_bad_strength_is_raised_when_it_is_known"),),
    ),
    Mutant(
        "a strength that is none is kept until it is known",
        CONTROLLER,
        "is_valid = is_valid & (returned >= 0) & (returned < torch.inf)",
        "pass",
        (journal("a_bad_strength_is_raised_when_it_is_known"),),
    ),
    Mutant(
        "a law that has begun begins anew",
        "control/_proportional_integral.py",
        "state.looked_on >= _OBSERVED_STEPS",
        "state.looked_on > 4 * _OBSERVED_STEPS",
        (resumed("a_former_state_goes_on"), "tests/control/test_law.py"),
    ),
    Mutant(
        "a state of version 0.1 has no scale",
        "attach/control/_saved.py",
        'return law["scale_total"] / weight if weight else float("nan")',
        'return float("nan")',
        (resumed("a_former_state_has_its_last_scale_in_the_average"),),
    ),
    Mutant(
        "the last scale is not restored",
        CONTROLLER,
        'self._scale = with_number(self._scale, number, saved["scale"] or torch.nan)',
        "pass",
        (resumed("strengths_and_weights_are_those_of_the_run_that_was_not_stopped"),),
    ),
]
"""All of them."""
