"""Wrong edits to what several processes share."""

from mutants.mutant import Mutant

RANKS = "tests/distributed/test_ranks.py"
TWO_PROCESSES = "tests/attach/test_two_processes.py"

PROCESSES = [
    Mutant(
        "the all-reduce is forgotten",
        "attach/collect/_all_reduce.py",
        "        dist.all_reduce(total, group=group)\n",
        "",
        (RANKS,),
    ),
    Mutant(
        "the all-reduce is forgotten in the backward",
        "attach/collect/_all_reduce.py",
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
        "attach/collect/_all_reduce.py",
        "statistic=statistic, denominator=denominator.to(like.device, like.dtype))",
        "statistic=statistic)",
        (RANKS,),
    ),
    Mutant(
        "a part of the units is taken for all of them",
        "attach/reading/_tap.py",
        "if may_hold_a_part_of_the_units(module, model):",
        "if False:",
        (RANKS,),
    ),
    Mutant(
        "a sharded weight is penalised by its part",
        "attach/reading/_weights.py",
        "yield entry, whole(value)",
        "yield entry, value.to_local() if isinstance(value, DTensor) else value",
        (TWO_PROCESSES,),
    ),
    Mutant(
        "processes that recorded different sites add them up",
        "attach/collect/_all_reduce.py",
        "if largest != -smallest:",
        "if False:",
        (TWO_PROCESSES,),
    ),
    Mutant(
        "processes that share a batch need not state it",
        "modules/_processes.py",
        "return self._stated is None and are_several()",
        "return False",
        (TWO_PROCESSES,),
    ),
    Mutant(
        "penalties of the whole batch are collected part by part",
        "attach/collect/_collect.py",
        "if isinstance(record, Record) and self._spans_samples(record):",
        "if False:",
        (TWO_PROCESSES,),
    ),
    Mutant(
        "a sum that is injected is averaged over processes",
        "modules/_processes.py",
        "return 1 if group is None else dist.get_world_size(group)",
        "return 1",
        (TWO_PROCESSES,),
    ),
    Mutant(
        "a mean that is injected is added up over processes",
        "attach/inject/_tap.py",
        'return self._processes.size if term.reduce in (None, "sum") else 1',
        "return self._processes.size",
        (TWO_PROCESSES,),
    ),
    Mutant(
        "penalties of the whole batch are injected part by part",
        "attach/inject/_tap.py",
        "            if self._processes.group is not None:\n",
        "            if False:\n",
        (TWO_PROCESSES,),
    ),
    Mutant(
        "norms of flat parts are added up",
        "attach/reading/_weights.py",
        'if not additive and getattr(weight, "_fsdp_flattened", False):',
        "if False:",
        (TWO_PROCESSES,),
    ),
]
