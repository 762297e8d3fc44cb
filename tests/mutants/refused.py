"""Wrong edits to what is refused or warned of."""

from mutants.mutant import Mutant, attach

REFUSED = [
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
        "if torch._C._get_tracing_state() is not None:",
        "if False:",
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
