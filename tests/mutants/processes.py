"""Wrong edits to what several processes share."""

from mutants.mutant import Mutant

RANKS = "tests/distributed/test_ranks.py"
TWO_PROCESSES = "tests/attach/test_two_processes.py"

PROCESSES = [
    Mutant(
        "the all-reduce is forgotten",
        "attach/_across.py",
        "        dist.all_reduce(total, group=group)\n",
        "",
        (RANKS,),
    ),
    Mutant(
        "the all-reduce is forgotten in the backward",
        "attach/_across.py",
        "return AllReduce.apply(gradient.contiguous(), ctx.group), None",
        "return gradient, None",
        (RANKS,),
    ),
    Mutant(
        "norms are added up instead of squares",
        "penalties/_l2.py",
        'return self.reduce != "batch_mean"',
        "return False",
        (RANKS,),
    ),
    Mutant(
        "tallies are those of one process",
        "attach/_across.py",
        "statistic=statistic, tally=tally.to(like.device, like.dtype))",
        "statistic=statistic)",
        (RANKS,),
    ),
    Mutant(
        "a part of the units is taken for all of them",
        "attach/taps/_tap.py",
        "if may_hold_a_part_of_the_units(module, model):",
        "if False:",
        (RANKS,),
    ),
    Mutant(
        "a sharded weight is penalised by its part",
        "attach/_sites.py",
        "yield entry, value.full_tensor() if isinstance(value, DTensor) else value",
        "yield entry, value.to_local() if isinstance(value, DTensor) else value",
        (TWO_PROCESSES,),
    ),
    Mutant(
        "processes that recorded different sites add them up",
        "attach/_across.py",
        "if largest != -smallest:",
        "if False:",
        (TWO_PROCESSES,),
    ),
]
