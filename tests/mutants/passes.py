"""Wrong edits to passes that are recorded, paused, run in threads, or go through unread marks."""

from mutants.mutant import L1, SEVERAL, Mutant, attach, cell


def threads(name: str) -> str:
    return attach(f"threads::{name}")


def unread(name: str) -> str:
    return f"tests/layers/test_unread.py::test_{name}"


SEVERAL_THREADS = threads("forwards_of_two_threads_are_not_added_up")

SAVED = [
    Mutant(
        "an array that was saved whole is taken for its signs once it is differentiated again",
        "attach/reading/_functions.py",
        "        ctx.saves = saves\n",
        "        ctx.saves = request.saves\n",
        (cell("create_graph=True after relu", "collect", L1),),
    ),
    Mutant(
        "compiled code takes an array that was saved whole for its signs",
        "attach/reading/_functions.py",
        "ctx.saves = ctx.request.saves",
        "ctx.saves = ctx.request.term.saves",
        (attach("saved_anyway::compiled_it_keeps_no_signs"),),
    ),
    Mutant(
        "in a recorded backward pass the array is the slope",
        "attach/reading/_functions.py",
        "    if ctx.saves == \"sign\" and request.slope_is_sign:",
        "    if x is not None and request.slope_is_sign:",
        (cell("create_graph=True after relu", "collect", L1),),
    ),
    Mutant(
        "a small array that was saved whole is the slope",
        "attach/reading/_eager.py",
        "        if is_slope:\n",
        "        if kernel.slope_is_sign:\n",
        (cell("create_graph=True after relu", "collect", L1),
         attach("saved_anyway::the_gradient_is_that_of_autograd")),
    ),
    Mutant(
        "a large array that was saved whole is the slope",
        "attach/reading/_eager.py",
        "    if not is_slope:\n",
        "    if not kernel.slope_is_sign:\n",
        (attach("saved_anyway::the_gradient_is_that_of_autograd"),),
    ),

    Mutant(
        "a backward pass that is compiled is taken for one that runs",
        "attach/reading/_eager.py",
        "if torch.is_grad_enabled() or torch.compiler.is_compiling() or",
        "if torch.is_grad_enabled() or",
        (cell("compiled autograd after linear", "collect", SEVERAL),),
    ),
]  # fmt: skip

PAUSES = [
    Mutant(
        "inject keeps the values of the members of a vmap",
        "attach/inject/_tap.py",
        "if not compiling and not is_vmap_batched(value):",
        "if not compiling:",
        (attach("transforms::under_inject_the_next_step_is_exact"),),
    ),
    Mutant(
        "a pause goes on after an exception",
        "attach/_delivery.py",
        "        try:\n            yield\n        finally:\n            self._put(-1)\n",
        "        yield\n        self._put(-1)\n",
        (attach("paused::it_is_left_on_an_exception"),),
    ),
    Mutant(
        "the end of a pause opens what is detached",
        "attach/_delivery.py",
        "self._written.closed = self._is_closed or paused",
        "self._written.closed = paused",
        (attach("paused::a_detach_within_stays"),),
    ),
    Mutant(
        "a pause is none",
        "attach/_delivery.py",
        "self._written.closed = self._is_closed or paused",
        "self._written.closed = self._is_closed",
        (attach("paused::a_paused_forward_is_not_injected"),),
    ),
    Mutant(
        "an inner pause ends the outer one",
        "attach/_delivery.py",
        "self._contexts += more",
        "self._contexts = max(more, 0)",
        (attach("paused::a_forward_between_two_ends_does_not_count"),),
    ),
    Mutant(
        "a paused forward begins one that counts",
        "attach/collect/_forward_boundaries.py",
        "if is_recording(model) and not self._ledger.closed:\n            compiling",
        "if is_recording(model):\n            compiling",
        (attach("paused::a_forward_alone_within_leaves_nothing_to_collect"),),
    ),
    Mutant(
        "a paused forward within another lets it count",
        "attach/collect/_forward_boundaries.py",
        "if is_recording(model) and not self._ledger.closed:\n            self._ledger.commit()",
        "if is_recording(model):\n            self._ledger.commit()",
        (attach("paused::a_forward_that_raises_after_a_pass_through_itself_leaves_no_record"),),
    ),
    Mutant(
        "a paused forward within another ends it",
        "attach/collect/_forward_boundaries.py",
        "if is_recording(model) and not self._ledger.closed:\n            self._ledger.end()",
        "if is_recording(model):\n            self._ledger.end()",
        (attach("paused::a_pass_of_the_model_through_itself"),),
    ),
]

THREADS = [
    Mutant(
        "a change of thread is forgotten",
        "attach/collect/_ledger.py",
        "self._several_threads = self._several_threads or self._thread is not None",
        "self._several_threads = False",
        (SEVERAL_THREADS,),
    ),
    Mutant(
        "a thread whose forward raised is remembered",
        "attach/collect/_ledger.py",
        "        if not (self._forwards or self._outside):\n"
        "            self._thread, self._several_threads = None, False\n",
        "",
        (threads("a_forward_that_raised_in_another_thread_leaves_nothing"),),
    ),
    Mutant(
        "a thread that has collected is remembered",
        "attach/collect/_ledger.py",
        "self._thread, self._several_threads, self._has_compiled_records = None, False, False",
        "self._has_compiled_records = False",
        (threads("one_thread_after_the_other_is_exact"),),
    ),
    Mutant(
        "a backward pass within another is taken for one of another thread",
        "attach/inject/_scale.py",
        "elif self._armed_at[0] != task and self._armed_at[1] != thread:",
        "elif self._armed_at[0] != task:",
        (threads("two_backward_passes_of_one_thread_within_each_other"),),
    ),
]

MARKS = [
    Mutant(
        "marks that are unread are not watched",
        "attach/sites/_marks.py",
        "    add_unread_warning(module)\n",
        "",
        (unread("the_first_backward_pass_warns"),),
    ),
    Mutant(
        "a layer that is unread is not watched",
        "layers/_activity_penalty.py",
        "            warn_if_unread(self, x)\n",
        "            pass\n",
        (unread("the_first_backward_pass_warns"),),
    ),
    Mutant(
        "a leaf keeps the hook of a mark",
        "modules/_unread_marks.py",
        "            handle.remove()  # a leaf outlives the pass, and would keep the hook\n",
        "",
        (unread("a_leaf_keeps_no_hook"),),
    ),
    Mutant(
        "a site that need not fire is missed by inject",
        "attach/inject/_inject.py",
        "if not site.rule.optional:",
        "if True:",
        (attach("optional::under_inject"),),
    ),
]

PASSES = [*SAVED, *PAUSES, *THREADS, *MARKS]
