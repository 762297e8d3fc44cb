"""Wrong edits to the axes that modules know, and to what counts as a sample."""

from mutants.mutant import Mutant, attach


def samples(name: str) -> str:
    return attach(f"target_samples::{name}")


AXES = [
    Mutant(
        "pooled tokens are tokens",
        "modules/_outputs.py",
        "x.ndim == 2 and takes_single_sequences(module)",
        "x.ndim == 2",
        (attach("attention::a_layer_that_pools_its_tokens_has_samples"),),
    ),
    Mutant(
        "the weights of attention have a batch where there is none",
        "modules/_outputs.py",
        "return Activation(x, 0 if parts[0].ndim == 3 else ())",
        "return Activation(x, 0)",
        (attach("attention::one_sequence_without_a_batch_axis_is_a_batch_of_one"),),
    ),
    Mutant(
        "nested tensors have the batch where attention has it",
        "modules/_outputs.py",
        "if batch_first is None or x.is_nested:",
        "if batch_first is None:",
        (attach("nested::attention_has_the_batch_first_there"),),
    ),
    Mutant(
        "a stack of layers does not know its axes",
        "modules/_attention.py",
        "        module = next(iter(module.layers), module)\n",
        "        pass\n",
        (attach("attention::the_batch_is_averaged_whichever_axis_it_is"),),
    ),
    Mutant(
        "steps are samples though the user says which axes are",
        "modules/_outputs.py",
        "return axes if stated is not None or self.time_axis is None else",
        "return axes if self.time_axis is None else",
        (samples("what_is_said_of_a_recurrent_layer_goes_before_what_it_knows"),),
    ),
    Mutant(
        "a monitor counts sequences and not their steps",
        "monitor/_hooks.py",
        "axes = activation.sample_axes(self._batch_axis)",
        "axes = activation.batch_axis",
        (samples("the_monitor_counts_tokens_of_a_batch_that_comes_second"),),
    ),
    Mutant(
        "a layer that knows its axes is asked about them",
        "attach/reading/_target_measurements.py",
        "x.ndim == 3 and axes == 0 and time is None and term.batch_axis is None",
        "x.ndim == 3 and axes == 0 and term.batch_axis is None",
        (samples("each_step_of_each_sequence"),),
    ),
    Mutant(
        "an answer about axes is not heard",
        "attach/reading/_target_measurements.py",
        "time is None and term.batch_axis is None",
        "time is None",
        (samples("an_answer_is_taken"),),
    ),
    Mutant(
        "axes are asked about in every forward",
        "attach/reading/_site_targets.py",
        "self._warned_of_samples = not torch.compiler.is_compiling()",
        "self._warned_of_samples = False",
        (samples("three_axes_are_asked_about_once"),),
    ),
    Mutant(
        "the projection of an LSTM has gates",
        "attach/sites/_axis_roles.py",
        'gates = 1 if "_hr" in name else',
        "gates =",
        (attach("axis_roles::the_projection_of_an_lstm_has_rows_for_outputs"),),
    ),
    Mutant(
        "samples are counted along axes that a view does not have",
        "attach/sites/_axis_roles.py",
        'if view is not None and (term.batch_axis is not None or term.reduce == "batch_mean"):',
        "if False:",
        (attach("axis_roles::samples_along_axes_that_a_view_does_not_have"),),
    ),
]
