"""Wrong edits to what is refused or warned of."""

from mutants.mutant import Mutant, attach

OPTIMIZERS = "tests/integrations/test_optimizers.py::test_"

REFUSED = [
    Mutant(
        "an optimizer may read the loss",
        "attach/step/_optimizer_hooks.py",
        "        check_closure(optimizer)\n",
        "",
        (OPTIMIZERS + "a_step_that_reads_the_loss_is_refused_where_it_is_given_one",),
    ),
    Mutant(
        "any optimizer that names the loss reads it",
        "attach/step/_reads_loss.py",
        "        and id(node) not in returned\n",
        "",
        (OPTIMIZERS + "of_pytorch_only_lbfgs_reads_the_loss",),
    ),
    Mutant(
        "a wrapper may read the loss",
        "attach/step/_refused_optimizers.py",
        "    if reads_loss(given):",
        "    if False:",
        (OPTIMIZERS + "a_wrapper_that_reads_the_loss",),
    ),
    Mutant(
        "gradients may be differentiated again",
        "attach/step/_apply.py",
        "        check_gradients(optimizer)\n",
        "",
        (OPTIMIZERS + "gradients_that_the_step_differentiates",),
    ),
    Mutant(
        "an optimizer of PyTorch is taken for one that differentiates gradients",
        "attach/step/_refused_optimizers.py",
        'if type(optimizer).__module__.startswith("torch.optim."):',
        "if False:",
        (OPTIMIZERS + "a_graph_of_gradients_is_nothing_to_an_optimizer_of_pytorch",),
    ),
    Mutant(
        "weights may be exchanged before the inner step",
        "attach/step/_refused_optimizers.py",
        'if _TRAIN_MODE in getattr(given, "__dict__", {}):',
        "if False:",
        (OPTIMIZERS + "a_schedule_free_wrapper",),
    ),
    Mutant(
        "weights that are not evaluated are constrained",
        "attach/step/_attach.py",
        "        check_projectable(ownership.optimizers)\n",
        "        pass\n",
        (OPTIMIZERS + "proximal_rules_and_constraints_of_a_schedule_free_optimizer",),
    ),
    Mutant(
        "a Monitor is in a trace",
        "monitor/_hooks.py",
        "        elif not is_tracing():\n            self._read(",
        "        else:\n            self._read(",
        (
            "tests/integrations/test_exporting.py::test_a_monitor_counts_no_forward_that_becomes_a_program",
        ),
    ),
    Mutant(
        "a target above 0 is taken for one that counts zeros",
        "attach/sites/_suited.py",
        "isinstance(target, TargetActive) and target.threshold == 0",
        "isinstance(target, TargetActive)",
        (attach("suited::a_target_that_counts_zeros_where_there_are_none"),),
    ),
    Mutant(
        "a forward of the user's own is judged by its class",
        "attach/sites/_suited.py",
        'isinstance(module, types) and own.startswith("torch.nn.")',
        "isinstance(module, types)",
        (attach("suited::a_forward_of_ones_own_may_put_out_anything"),),
    ),
    Mutant(
        "what a function selects is judged by the module",
        "attach/sites/_suited.py",
        "if not callable(site.rule.select):",
        "if True:",
        (attach("suited::what_a_function_selects_may_be_anything"),),
    ),
    Mutant(
        "any norm of a nested tensor is read",
        "attach/reading/_check_nested.py",
        'isinstance(term, L2Norm) and term.reduce == "sum"',
        "isinstance(term, L2Norm)",
        (attach("nested::other_penalties_name_the_site_and_the_cure"),),
    ),
    Mutant(
        "a trace has the hooks in it",
        "modules/_hooks.py",
        "    if is_tracing():",
        "    if False:",
        (attach("tracing::tracing_in_training_mode"),),
    ),
    Mutant(
        "a proxy is taken for a wrong output",
        "modules/_outputs.py",
        "if isinstance(x, torch.fx.Proxy):",
        "if False:",
        (attach("tracing::symbolic_tracing"),),
    ),
    Mutant(
        "a script fails in PyTorch's own words",
        "modules/_hooks.py",
        '.startswith("torch.jit.")',
        '.startswith("torch.script.")',
        (attach("tracing::scripting"),),
    ),
]
