"""Wrong edits to schedules, targets and what they are told."""

from mutants.mutant import Mutant, attach


def law(name: str) -> str:
    return f"tests/control/test_law.py::test_{name}"


def reached(name: str) -> str:
    return attach(f"control::{name}")


def own(name: str) -> str:
    return attach(f"own_targets::{name}")


def scale(name: str) -> str:
    return attach(f"target_scale::{name}")


def metric(name: str) -> str:
    return f"tests/monitor/test_own_metrics.py::test_{name}"


def regime(name: str) -> str:
    return attach(f"target_regimes::{name}")


FORMULAS = law("strengths_are_those_of_the_formulas")
SCALE = reached("of_l1_the_scale_is_samples_times_the_root_mean_square_of_the_pull")

CONTROL = [
    Mutant(
        "the integral winds up",
        "control/_proportional_integral.py",
        "(moved - most).clamp(math.log(self.least), 0.0)",
        "(moved - most).clamp(min=math.log(self.least))",
        (law("it_does_not_wind_up_where_no_strength_is_enough"),),
    ),
    Mutant(
        "the integral winds down",
        "control/_proportional_integral.py",
        "(moved - most).clamp(math.log(self.least), 0.0)",
        "(moved - most).clamp(max=0.0)",
        (law("it_does_not_wind_down_where_there_is_too_little_without_a_penalty"),),
    ),
    Mutant(
        "the strength has no upper end",
        "control/_proportional_integral.py",
        "share.add(e, alpha=gain).clamp(max=0.0)",
        "share.add(e, alpha=gain)",
        (FORMULAS,),
    ),
    Mutant(
        "the first strength is not brought to the scale",
        "control/_proportional_integral.py",
        "state.initial.log().clamp(least, greatest)",
        "state.initial.log().clamp(min=-20.0)",
        (law("it_begins_between_a_twentieth_and_a_fifth_of_the_scale"),),
    ),
    Mutant(
        "the integral falls while nothing is active",
        "control/_proportional_integral.py",
        "addcmul(measured.sign(), e, value=self.integral)",
        "add(e, alpha=self.integral)",
        (law("where_nothing_is_active_the_integral_stands"),),
    ),
    Mutant(
        "an overflow is averaged in",
        "attach/control/_controller.py",
        "is_valid = total.clamp(0.0, _LARGEST) == total",
        "is_valid = total == total",
        (own("a_measure_that_is_not_finite_leaves_the_strength"),),
    ),
    Mutant(
        "an average is not corrected for its beginning",
        "control/_average.py",
        "return self.total / self.weight if",
        "return self.total / self.steps if",
        (law("an_average_is_that_of_the_values_weighted_by_age"),),
    ),
    Mutant(
        "sums of one step go on into the next",
        "attach/reading/_gauge.py",
        "self._since >= _EVERY - 1\n        self._clear()\n",
        "self._since >= _EVERY - 1\n",
        (reached("an_interrupted_run_goes_on_as_if_it_had_not_been"), FORMULAS, SCALE,
         reached("the_target_is_reached"),),
    ),
    Mutant(
        "the strength of the penalty's pull is not taken out",
        "attach/control/_controller.py",
        "self.strength * (loss / penalty).sqrt()",
        "(loss / penalty).sqrt()",
        (SCALE,),
    ),
    Mutant(
        "the loss's gradient counts where nothing is active",
        "attach/reading/_target_measurements.py",
        'measure_gradient(gradient, counted, "loss", gauge)',
        'measure_gradient(gradient, None, "loss", gauge)',
        (SCALE,),
    ),
    Mutant(
        "the gradient of the penalty is not measured",
        "attach/reading/_functions.py",
        'gradient = measure_gradient(gradient, ctx.window, "penalty", request.gauge)',
        "pass",
        (scale("it_is_that_of_the_formula"),),
    ),
    Mutant(
        "the gradient of the penalty is measured in half precision",
        "attach/reading/_functions.py",
        "dtype = ctx.dtype if request.gauge is None else cotangent.dtype",
        "dtype = ctx.dtype",
        (regime("half_precision_is_close"),),
    ),
    Mutant(
        "the gradient that is measured is lost",
        "attach/reading/_target_measurements.py",
        '"loss", gauge)\n    return gradient\n',
        '"loss", gauge)\n    return 0 * gradient\n',
        (attach("target_readings::a_penalty_beside_it_is_whole_where_nothing_is_measured"),),
    ),
    Mutant(
        "masked elements count in a gradient",
        "attach/reading/_target_measurements.py",
        "    selected: Tensor = frame.select(counted)\n",
        "    selected: Tensor = counted\n",
        (reached("masked_elements_are_not_counted"),),
    ),
    Mutant(
        "what a checkpoint repeats is measured twice",
        "attach/inject/_tap.py",
        "if amount is not None and at is not Pass.RECOMPUTED:",
        "if amount is not None:",
        (regime("what_a_checkpoint_repeats_counts_once"),),
    ),
    Mutant(
        "processes do not add up what they measure",
        "attach/control/_targets.py",
        "        dist.all_reduce(sums, group=group)\n",
        "        pass\n",
        ("tests/distributed/test_targets.py",),
    ),
    Mutant(
        "a law's strength is not checked",
        "attach/control/_check_update.py",
        "not (math.isfinite(strength) and strength >= 0):",
        "False:",
        (attach("journal::a_bad_number_is_raised_at_once"),),
    ),
    Mutant(
        "a law turns its penalty off, which is then measured no more",
        "attach/control/_controller.py",
        "strength = returned.clamp(min=QUIET)",
        "strength = returned",
        (own("a_strength_of_0_is_still_measured"),),
    ),
    Mutant(
        "a law is given the state of the step before last",
        "attach/control/_controller.py",
        "self._state, self.strength, self._scale = update.state, update.strength, update.scale",
        "self.strength, self._scale = update.strength, update.scale",
        (own("a_law_returns_a_number_or_a_tensor"),),
    ),
    Mutant(
        "a target is measured where a mask leaves out",
        "attach/reading/_target_measurements.py",
        "        if batch.valid is not None:\n",
        "        if False:\n",
        (own("what_is_masked_is_not_measured"),),
    ),
    Mutant(
        "a metric's counts divide in single precision",
        "monitor/metrics/_sums.py",
        "    return (x.cpu() if widest(x.device) != torch.float64 else x).to(torch.float64)\n",
        "    return x\n",
        (metric("sums_are_kept_wide_and_counts_divide_exactly"),),
    ),
    Mutant(
        "a metric's sums are kept as they come",
        "monitor/metrics/_sums.py",
        "return x.to(widest(x.device) if x.dtype.is_floating_point else torch.int64)",
        "return x",
        (metric("sums_are_kept_wide_and_counts_divide_exactly"),),
    ),
    Mutant(
        "a metric is read without the batches that wait",
        "monitor/metrics/_streaming.py",
        "        if self._waiting is not None:\n",
        "        if False:\n",
        ("tests/monitor/test_pending.py::test_a_metric_that_is_held_is_current_in_every_step",),
    ),
    Mutant(
        "batches with a mask wait as if all of them counted",
        "monitor/_pending.py",
        "            and samples.valid is None\n",
        "",
        ("tests/monitor/test_pending.py::test_a_mask_and_another_layout_come_in_their_turn",),
    ),
    Mutant(
        "batches of any number of units wait together",
        "monitor/_pending.py",
        "            and samples.units == kind.units\n",
        "",
        ("tests/monitor/test_pending.py::test_another_number_of_units_raises_in_its_own_forward",),
    ),
    Mutant(
        "metrics of other settings merge",
        "monitor/metrics/_streaming.py",
        "or _settings(other) != _settings(self)",
        "or repr(other) != repr(self)",
        (metric("a_metric_may_be_a_plain_class"),),
    ),
    Mutant(
        "a metric's zeros count where a mask leaves out",
        "monitor/metrics/_samples.py",
        "return y if self.valid is None else torch.where(self.valid, y, torch.zeros_like(y))",
        "return y.nan_to_num() if y.is_floating_point() else y",
        (metric("what_is_selected_is_what_counts"),),
    ),
    Mutant(
        "a schedule is not checked at its step",
        "control/_steps.py",
        'return check_strength(strength, f"{site}: {schedule!r} at step {step}")',
        "return strength",
        (reached("a_schedule_that_gives_no_strength_names_the_step_and_changes_nothing"),),
    ),
    Mutant(
        "a step counts though it failed",
        "attach/control/_control.py",
        "        after = self.steps + 1\n",
        "        after = self.steps = self.steps + 1\n",
        (reached("a_schedule_that_gives_no_strength_names_the_step_and_changes_nothing"),),
    ),
    Mutant(
        "every optimizer makes a step",
        "attach/step/_attach.py",
        "        yield from StepHooks(first, None, lambda _: control.advance(), owner)",
        "        for o in dict.fromkeys([*optimizers, first]):\n"
        "            yield from StepHooks(o, None, lambda _: control.advance(), owner)",
        (reached("activities_alone_can_be_stepped_by_an_optimizer"),),
    ),
    Mutant(
        "a state forgets the sums of a step that was begun",
        "attach/reading/_gauge.py",
        "        if count:\n",
        "        if False:\n",
        (reached("an_interrupted_run_goes_on_as_if_it_had_not_been"),),
    ),
    Mutant(
        "a state is loaded though the rules are others",
        "attach/control/_control.py",
        "        if here != there:\n",
        "        if False:\n",
        (reached("a_state_of_other_rules_is_refused_whole"),),
    ),
]  # fmt: skip
