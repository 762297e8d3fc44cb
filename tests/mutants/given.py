"""Wrong edits to penalties from given functions, and to what checks penalties."""

from mutants.mutant import Mutant, arrays, attach


def faults(name: str) -> str:
    """Return the test of one fault that `check_penalty` is to see."""
    return f"tests/testing/test_faults.py::test_a_fault_is_said_in_words[{name}]"


_ELEMENT = "penalties/_elementwise_given.py"
_SLOPES = "penalties/_compared_slopes.py"
_WHOLE = "penalties/_from_function.py"

GIVEN = [
    Mutant(
        "a given slope is never compared",
        _SLOPES,
        "        sample.check_slope()\n",
        "        pass\n",
        (arrays("elementwise::another_functions_slope_is_refused_in_words"),),
    ),
    Mutant(
        "a kink is taken for a slope",
        _SLOPES,
        "if bend_of_half > 0.4 * bend_of_whole",
        "if bend_of_half > 4 * bend_of_whole",
        (arrays("elementwise::a_right_slope_is_taken_and_one_a_little_off_is_not"),),
    ),
    Mutant(
        "what depends on other elements is no matter",
        _SLOPES,
        "    sample.check_shapes()\n",
        "",
        (arrays("elementwise::what_is_no_function_of_each_element_is_refused_in_words"),),
    ),
    Mutant(
        "functions are compared again and again",
        _SLOPES,
        "if any(slope is other() for other in known):",
        "if any(False for other in known):",
        (arrays("elementwise::the_same_functions_are_compared_once"),),
    ),
    Mutant(
        "a given slope is not used",
        _ELEMENT,
        "        if self.slope is not None:\n            return self.slope(xp, x)\n",
        "",
        (arrays("elementwise::the_value_and_the_gradient_by_hand"),),
    ),
    Mutant(
        "the name is not that which was given",
        _ELEMENT,
        "return self.name or name_of(self.element, type(self).__name__)",
        "return name_of(self.element, type(self).__name__)",
        (attach("given_functions::keys_and_reports_show_the_name"),),
    ),
    Mutant(
        "a derivative is not in the graph of the array",
        "penalties/arrays/_derivative.py",
        "leaf = x if recorded else apart.requires_grad_()",
        "leaf = apart.requires_grad_()",
        (arrays("elementwise::torch_differentiates_it_twice"),),
    ),
    Mutant(
        "an array of inference mode is not copied",
        "penalties/arrays/_derivative.py",
        "x.clone() if x.is_inference() else x.detach()",
        "x.detach()",
        (arrays("elementwise::without_a_slope_nothing_need_be_recorded"),),
    ),
    Mutant(
        "a transform is not seen",
        "penalties/arrays/_derivative.py",
        "torch.compiler.is_compiling() or torch._C._functorch.peek_interpreter_stack() is not None",
        "torch.compiler.is_compiling()",
        (arrays("elementwise::transforms_of_torch_differentiate_it"),),
    ),
    Mutant(
        "compiled code differentiates within a Function",
        "attach/reading/_plan.py",
        "if self.request.term.differentiated and self.request.gauge is None:",
        "if False:",
        (
            "tests/matrix/test_matrix.py::test_is_exact_or_says_so"
            "[compiled block inside a checkpoint-inject-"
            "Elementwise(0.6, log_cosh, reduce='batch_mean')]",
        ),
    ),
    Mutant(
        "samples stay where they are",
        _WHOLE,
        "(*frame.batch, *frame.units)",
        "(*frame.units, *frame.batch)",
        (arrays("from_function::samples_are_the_first_axis_whichever_they_were"),),
    ),
    Mutant(
        "a part of a sample is masked as if it were whole",
        _WHOLE,
        "if not bool(xp.all(whole == xp.any(valid, axis=1))):",
        "if False:",
        (arrays("from_function::a_mask_that_cannot_be_is_refused_in_words"),),
    ),
    Mutant(
        "a mean is taken for a sum",
        _WHOLE,
        "        if self.additive is not None:\n            check_adds_up",
        "        if False:\n            check_adds_up",
        (arrays("from_function::what_cannot_be_is_refused_in_words"),),
    ),
    Mutant(
        "products of a function are rounded under autocast",
        _WHOLE,
        "value = in_own_precision(xp, partial(self.function, xp), given)",
        "value = self.function(xp, given)",
        (arrays("from_function::products_keep_their_precision_under_autocast"),),
    ),
    Mutant(
        "processes join what cannot be joined",
        "attach/collect/_collect.py",
        "        self._check_joins()\n        failed",
        "        failed",
        (attach("given_functions::processes_cannot_share_a_function_of_the_whole_batch"),),
    ),
    Mutant(
        "a function of the whole batch is divided at a site",
        "attach/rules/_rule.py",
        'or (usual if usual in term.reductions else "sum")',
        "or usual",
        (attach("given_functions::the_gradient_is_that_of_the_formula"),),
    ),
    Mutant(
        "the gradient is not compared with differences",
        "testing/_gradients.py",
        "    if near(got, expected, rtol=1e-5):\n        return\n",
        "    return\n",
        (faults("Factor"),),
    ),
    Mutant(
        "means are not tried on a batch that is there twice",
        "testing/_reductions.py",
        "    if not near(twice, value):",
        "    if False:",
        (faults("Ignoring"), faults("Samples")),
    ),
    Mutant(
        "what processes join is not tried",
        "testing/_additivity.py",
        "    if not near(got, case.value()):",
        "    if False:",
        (faults("Root"),),
    ),
    Mutant(
        "what lies behind a mask is not tried",
        "testing/_masks.py",
        "        if not near(got, value):",
        "        if False:",
        (faults("Masked"),),
    ),
    Mutant(
        "what is saved is not tried",
        "testing/_saved.py",
        "    if not near(got, expected):",
        "    if False:",
        (faults("Signs"), faults("Nothing")),
    ),
    Mutant(
        "a proximal step is not searched for a better point",
        "testing/_proximal.py",
        "        if objective(w) < here - tolerance:",
        "        if False:",
        (faults("Twice"), faults("Undivided")),
    ),
]
