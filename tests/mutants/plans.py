"""Wrong edits to how activations are read by plans and by kernels."""

from mutants.mutant import Mutant, arrays, attach

TAP = "attach/reading/_tap.py"
PLAN = "attach/reading/_plan.py"
DIFFERENCES = "penalties/kernels/_differences.py"

PLANS = [
    Mutant(
        "copies are divided by another's denominator",
        "attach/collect/_batched.py",
        "signature = (unit_id, x.shape, x.dtype, x.device, record.denominator)",
        "signature = (unit_id, x.dtype, x.device)",
        (attach("together::records_stay_in_their_order"),),
    ),
    Mutant(
        "a single sequence is divided by its steps",
        "attach/collect/_tap.py",
        "CopiedOutput(plan.key, copy, plan.denominator)",
        "CopiedOutput(plan.key, copy, x.shape[0])",
        (attach("recurrent::one_sequence_without_a_batch_axis_is_a_batch_of_one"),),
    ),
    Mutant(
        "a kernel is that of a parent class",
        "penalties/kernels/_kernel.py",
        "make = KERNELS.get(type(formula))",
        "make = next((KERNELS[t] for t in type(formula).__mro__ if t in KERNELS), None)",
        (arrays("subclass::a_kernel_is_that_of_the_exact_type"),),
    ),
    Mutant(
        "the first of two states has the gradient of the second",
        DIFFERENCES,
        "gradient[self._steps(x, None, -1)] -= slope",
        "gradient[self._steps(x, None, -1)] += slope",
        ("tests/attach/reading/test_temporal.py",),
    ),
    Mutant(
        "inject loses the output of a recurrent layer",
        "attach/inject/_tap.py",
        "return injected if x is output else replace_in(output, x, injected, self._site)",
        "return injected",
        (attach("deliveries::the_states_of_a_recurrent_layer_are_replaced_in_its_output"),),
    ),
    Mutant(
        "inject reads an output that was changed though copy=True",
        "attach/inject/_tap.py",
        "read = x.clone() if self._copies else x",
        "read = x",
        (attach("function_cost::a_copy_of_an_output_that_its_module_keeps"),),
    ),
]
