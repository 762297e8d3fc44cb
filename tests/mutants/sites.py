"""Wrong edits to what is penalised: outputs, weights, roles, strengths."""

from mutants.mutant import SQUARES, Mutant, attach, cell

SITES = [
    Mutant(
        "the batch axis of a recurrent layer is ignored",
        "modules/_outputs.py",
        "return _sequence_activation(x, batch_first=module.batch_first)",
        "return _sequence_activation(x, batch_first=True)",
        (attach("recurrent::the_batch_is_averaged_whichever_axis_it_is"),),
    ),
    Mutant(
        "packed sequences have the batch first",
        "modules/_outputs.py",
        "batch_axis = 0 if module.batch_first else 1",
        "batch_axis = 0",
        (attach("recurrent::packed_sequences_count_what_is_in_them"),),
    ),
    Mutant(
        "the padding of a PackedSequence counts",
        "modules/_outputs.py",
        "return Activation(x, batch_axis, mask, 1 - batch_axis, selected.data)",
        "return Activation(x, batch_axis, None, 1 - batch_axis, selected.data)",
        (attach("recurrent::other_penalties_and_reductions_of_packed_sequences"),),
    ),
    Mutant(
        "select is ignored",
        "modules/_outputs.py",
        "x = output if select is None else _selected(output, select, site)",
        "x = output",
        (attach("outputs::select_by_index_key_attribute_or_function"),),
    ),
    Mutant(
        "a tied weight counts twice",
        "attach/sites/_site.py",
        "if site.parameter.trainable and site.parameter.identity not in seen:",
        "if site.parameter.trainable:",
        (attach("weights::tied_weights_count_once"),),
    ),
    Mutant(
        "frozen weights count",
        "attach/sites/_site.py",
        "if site.parameter.trainable and site.parameter.identity not in seen:",
        "if site.parameter.identity not in seen:",
        (attach("weights::frozen_weights_do_not_count_whenever_they_were_frozen"),),
    ),
    Mutant(
        "the weight of a norm is a kernel",
        "attach/sites/_roles.py",
        'if isinstance(holder, _NORMS):\n        return "norm", False',
        'if isinstance(holder, _NORMS):\n        return "kernel", False',
        (attach("roles::norms_embeddings_and_slopes_are_neither"),),
    ),
    Mutant(
        "a parametrized weight is read in training mode",
        "attach/sites/_parameter.py",
        "            part.training = False\n",
        "            pass\n",
        (attach("parametrized::spectral_norm_is_one_site_and_reading_it_moves_no_buffer"),),
    ),
    Mutant(
        "reading a parametrized weight leaves it in evaluation mode",
        "attach/sites/_parameter.py",
        "            part.training = mode\n",
        "            part.training = False\n",
        (attach("parametrized::reading_a_noisy_weight_draws_no_noise_and_leaves_its_modes"),),
    ),
    Mutant(
        "strengths are ignored",
        "attach/sites/_strengths.py",
        "return unit * (value.to(unit.dtype) if value.is_cpu else value.to(unit))",
        "return unit",
        (attach("gradients::mlp"),),
    ),
    Mutant(
        "strengths are applied twice",
        "attach/sites/_strengths.py",
        "return unit * (value.to(unit.dtype) if value.is_cpu else value.to(unit))",
        "return unit * value.to(unit) ** 2",
        (attach("gradients::mlp"),),
    ),
    Mutant(
        "a change of strength is ignored",
        "attach/sites/_strengths.py",
        "                self._values[key].fill_(value)\n",
        "",
        (cell("compile, 20 strengths", "inject", SQUARES),),
    ),
    Mutant(
        "a weight that functional_call has taken back is read",
        "attach/reading/_weights_in_loss.py",
        "if not any(source is one for one in then):",
        "if False:",
        (
            cell("kernels, torch.func.grad", "collect", SQUARES),
            cell("kernels, functional_call", "inject", SQUARES),
        ),
    ),
    Mutant(
        "a module that was replaced is not missed",
        "attach/sites/_inventory.py",
        "if children.get(name) is not child:",
        "if False:",
        (attach("regimes::a_module_that_was_replaced_is_missed"),),
    ),
]
