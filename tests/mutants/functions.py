"""Wrong edits to the autograd Functions."""

from mutants.mutant import SQUARES, Mutant, attach, cell

FUNCTIONS = [
    Mutant(
        "the gradient has the wrong sign",
        "attach/_function.py",
        "return gradient.to(ctx.dtype), None, None",
        "return -gradient.to(ctx.dtype), None, None",
        (attach("gradients::mlp"),),
    ),
    Mutant(
        "the gradient forgets what comes from above",
        "attach/_function.py",
        "term.pullback(x, tuple(kept), cotangent, frame)",
        "term.pullback(x, tuple(kept), torch.ones_like(cotangent), frame)",
        (attach("function::value_and_gradient_are_those_of_the_plain_formula"),),
    ),
    Mutant(
        "the gradient of a small output forgets what comes from above",
        "attach/_quick.py",
        "return kept.to(cotangent.dtype).mul_(cotangent)",
        "return kept.to(cotangent.dtype)",
        (attach("function::value_and_gradient_are_those_of_the_plain_formula"),),
    ),
    Mutant(
        "the version of what was read at once is not compared",
        "attach/_function.py",
        "ctx.version = x._version if compares else None",
        "ctx.version = None",
        (cell("checkpoint without early stop, ReLU in place", "collect", SQUARES),),
    ),
    Mutant(
        "the version of what a checkpoint gives back is not compared",
        "attach/_function.py",
        "if ctx.version is not None and saved[0] is not None and saved[0]._version != ctx.version:",
        "if False:",
        (
            cell("checkpoint without early stop, ReLU in place", "collect", SQUARES),
            cell("checkpoint without early stop, residual +=", "collect", SQUARES),
        ),
    ),
    Mutant(
        "PyTorch's own words for a change in place come through",
        "attach/_function.py",
        'if "modified by an inplace operation" in str(error):',
        "if False:",
        (
            attach(
                "function_cost::an_in_place_change_of_what_was_saved_raises_before_a_wrong_gradient"
            ),
        ),
    ),
    Mutant(
        "copy=True does not copy",
        "attach/_function.py",
        "(copy or _must_copy())",
        "_must_copy()",
        (cell("ReLU in place after the site", "collect, copy=True", SQUARES),),
    ),
    Mutant(
        "nothing is copied where saved tensors are hooked",
        "attach/_function.py",
        "return torch.compiler.is_compiling() or saved_tensors_are_hooked()",
        "return torch.compiler.is_compiling()",
        (attach("regimes::a_change_in_place_of_what_a_hook_gives_back_later"),),
    ),
    Mutant(
        "nothing is copied while compiling",
        "attach/_function.py",
        "return torch.compiler.is_compiling() or saved_tensors_are_hooked()",
        "return saved_tensors_are_hooked()",
        (
            cell("compile, ReLU in place", "collect", SQUARES),
            cell("compile, residual +=", "collect", SQUARES),
        ),
    ),
    Mutant(
        "the input is saved where its signs would do",
        "attach/_function.py",
        "ctx.save_for_backward(x if signs is None else signs, None)",
        "ctx.save_for_backward(x, None)",
        (attach("function_cost::l1_saves_one_byte_an_element"),),
    ),
    Mutant(
        "what the statistic kept is constant in double backward",
        "attach/_function.py",
        'if term.keeps == "input" and torch.is_grad_enabled():',
        "if False:",
        (attach("function::first_and_second_derivatives_pass_finite_differences"),),
    ),
    Mutant(
        "the Function accumulates in half precision",
        "attach/_function.py",
        "reading.term.measure(frame.select(x.to(dtype)), frame)",
        "reading.term.measure(frame.select(x), frame)",
        (attach("function_cost::half_precision_is_accumulated_in_float32"),),
    ),
    Mutant(
        "the mask is forgotten in the gradient",
        "attach/_function.py",
        "gradient = frame.select(term.pullback(x, tuple(kept), cotangent, frame))",
        "gradient = term.pullback(x, tuple(kept), cotangent, frame)",
        (attach("function::value_and_gradient_are_those_of_the_plain_formula"),),
    ),
    Mutant(
        "the batch axis of the rule is ignored",
        "attach/taps/_tap.py",
        "batch_axis if term.batch_axis is None else term.batch_axis",
        "batch_axis",
        (attach("rules::batch_axis_of_an_activity"),),
    ),
    Mutant(
        "a small output is not copied",
        "attach/taps/_collecting.py",
        "x = output.clone()\n            self._ledger",
        "x = output\n            self._ledger",
        (attach("together::a_change_in_place_comes_too_late"),),
    ),
    Mutant(
        "a checkpoint's second forward records small outputs again",
        "attach/_regime.py",
        "        _task() == -1\n        and _saved_hooks(True) is None\n",
        "        True\n",
        ("tests/matrix/test_matrix.py::test_small_outputs_too",),
    ),
    Mutant(
        "what is read together has the strength of the first",
        "attach/_together.py",
        "[strengths[key] * constant for key in keys]",
        "[strengths[keys[0]] * constant for key in keys]",
        (attach("together::each_site_has_its_strength_and_settings"),),
    ),
    Mutant(
        "penalties that are not alike are read together",
        "attach/_together.py",
        "alike.setdefault(unit, unit)",
        "alike.setdefault(type(unit), unit)",
        (attach("together::each_site_has_its_strength_and_settings"),),
    ),
    Mutant(
        "records of several processes lose their order",
        "attach/_together.py",
        "return [record if isinstance(record, Record) else read[id(record)] for record in records]",
        "return [r for r in records if isinstance(r, Record)] + list(read.values())",
        (attach("together::records_stay_in_their_order"),),
    ),
    Mutant(
        "a kernel forgets what comes from above",
        "attach/_fused.py",
        "cotangent * term.element_slope(xp, kept.to(cotangent.dtype))",
        "1 * term.element_slope(xp, kept.to(cotangent.dtype))",
        (attach("fused::value_and_gradient"),),
    ),
]
