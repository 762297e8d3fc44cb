"""Wrong edits to what is known of outputs, and to who may read them."""

from mutants.mutant import Mutant, attach

TWO_PASSES = attach("threads::two_backward_passes_at_once_do_not_mix_their_scales")

BORDERS = [
    Mutant(
        "attention is read as batch-first",
        "modules/_attention.py",
        "return batch_first if isinstance(batch_first, bool) else None",
        "return True",
        (attach("attention::the_batch_is_averaged_whichever_axis_it_is"),),
    ),
    Mutant(
        "the weights of attention have the batch second",
        "modules/_outputs.py",
        "return Activation(x, 0 if parts[0].ndim == 3 else ())",
        "return Activation(x, 1 if parts[0].ndim == 3 else ())",
        (attach("attention::the_weights_of_attention_have_the_batch_first"),),
    ),
    Mutant(
        "attention goes the plain way",
        "modules/_outputs.py",
        "MODULES_WITH_KNOWN_AXES = (nn.RNNBase, nn.RNNCellBase, *ATTENTION)",
        "MODULES_WITH_KNOWN_AXES = (nn.RNNBase, nn.RNNCellBase)",
        (attach("attention::a_sum_over_elements_goes_by_the_batch_too"),),
    ),
    Mutant(
        "a target counts sequences",
        "attach/reading/_target_measurements.py",
        "activation.sample_axes(term.batch_axis), mask",
        "activation.batch_axis if term.batch_axis is None else term.batch_axis, mask",
        (attach("target_samples::each_step_of_each_sequence"),),
    ),
    Mutant(
        "nobody is asked about three axes",
        "attach/reading/_target_measurements.py",
        "return x.ndim == 3 and axes == 0 and time is None and term.batch_axis is None",
        "return False",
        (attach("target_samples::three_axes_are_asked_about_once"),),
    ),
    Mutant(
        "marks that were read are warned of",
        "attach/sites/_marks.py",
        "            mark_as_read(module)",
        "            pass",
        ("tests/layers/test_unread.py::test_what_a_regularization_has_read_is_not_warned_of",),
    ),
    Mutant(
        "each mark of a model is warned of",
        "modules/_unread_marks.py",
        "if backward == _warned_in:",
        "if False:",
        ("tests/layers/test_unread.py::test_several_marks_of_a_model_are_one_warning",),
    ),
    Mutant(
        "forwards of several threads are added up",
        "attach/collect/_ledger.py",
        "            self._several_threads\n            or self._thread not in (None, here)\n",
        "            self._thread not in (None, here)\n",
        (attach("threads::forwards_of_two_threads_are_not_added_up"),),
    ),
    Mutant(
        "a forward of another thread is collected",
        "attach/collect/_ledger.py",
        "            self._several_threads\n            or self._thread not in (None, here)\n",
        "            self._several_threads\n",
        (attach("threads::a_forward_of_another_thread_is_not_collected"),),
    ),
    Mutant(
        "compiled forwards of another thread are collected",
        "attach/collect/_ledger.py",
        "if origin is not None and origin.item() < 0 and origin.item() != -here:",
        "if False:",
        (attach("threads::compiled"),),
    ),
    Mutant(
        "two backward passes share a scale",
        "attach/inject/_scale.py",
        "elif self._armed_at[0] != task and self._armed_at[1] != thread:",
        "elif False:",
        (TWO_PASSES,),
    ),
    Mutant(
        "an optional site must fire",
        "attach/collect/_collect.py",
        "if not site.rule.optional:",
        "if True:",
        (attach("optional::a_site_that_never_fires_gives_0_and_one_that_does_counts"),),
    ),
    Mutant(
        "what a transform left behind stays",
        "attach/collect/_ledger.py",
        "has_ended(record.statistic):\n                self.clear()",
        "has_ended(record.statistic):",
        (attach("transforms::what_was_not_collected_within_it_is_said_once"),),
    ),
    Mutant(
        "a derivative is taken forwards",
        "modules/_autograd_state.py",
        "return forward_ad._current_level >= 0",
        "return False",
        (attach("transforms::a_derivative_taken_forwards_is_refused"),),
    ),
    Mutant(
        "means of nested tensors are read",
        "attach/reading/_check_nested.py",
        "if target or is_counted or not",
        "if target or not",
        (attach("nested::other_penalties_name_the_site_and_the_cure"),),
    ),
    Mutant(
        "differences in time of a cell are those of its units",
        "attach/sites/_suited.py",
        "if isinstance(term, Difference) and isinstance(site.module, nn.RNNCellBase):",
        "if False:",
        (attach("suited::differences_in_time_of_a_cell"),),
    ),
    Mutant(
        "a site without gradients is forgotten",
        "attach/collect/_tap.py",
        "self._ledger.without_gradients.add(self._site)",
        "pass",
        (attach("reversible::collect_says_inject_at_the_collection"),),
    ),
]
