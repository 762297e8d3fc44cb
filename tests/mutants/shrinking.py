"""Wrong edits to proximal steps."""

from mutants.mutant import Mutant, arrays

SHRINKING = [
    Mutant(
        "elements are not shrunk to 0 but beyond",
        "penalties/_shrink.py",
        "return x - xp.clip(x, -threshold, threshold)",
        "return x - threshold * xp.sign(x)",
        (arrays("prox::by_hand"),),
    ),
    Mutant(
        "squares shrink by half",
        "penalties/_l2.py",
        "factor = 1 + 2 * (",
        "factor = 1 + (",
        (arrays("prox::by_hand"),),
    ),
    Mutant(
        "squares leave the step of the others as it was",
        "penalties/_l2.py",
        "return x / factor, step / factor",
        "return x / factor, step",
        (arrays("prox::a_numerical_solver_finds_nothing_better"),),
    ),
    Mutant(
        "blocks are shrunk before elements",
        "penalties/_proximal.py",
        '= ("squares", "elements", "blocks")',
        '= ("squares", "blocks", "elements")',
        (arrays("prox::a_numerical_solver_finds_nothing_better"),),
    ),
    Mutant(
        "elements are shrunk by the sum, whatever the reduction",
        "penalties/_l1.py",
        "step * per(frame.xp, strength, frame.count)",
        "step * strength",
        (arrays("prox::by_hand"),),
    ),
    Mutant(
        "blocks are shrunk by the sum, whatever the reduction",
        "penalties/_blocks.py",
        "threshold = step * per(frame.xp, strength, self.divisor(frame))",
        "threshold = step * strength",
        (arrays("prox::by_hand"),),
    ),
    Mutant(
        "the mean of groups shrinks by their number alone",
        "penalties/_group_lasso.py",
        "return frame.blocks(within) * frame.along(within) ** 0.5",
        "return frame.blocks(within)",
        (arrays("prox::by_hand"),),
    ),
    Mutant(
        "a block that is NaN becomes 0",
        "penalties/_shrink.py",
        "return xp.where(norm <= threshold, xp.zeros_like(x), x * kept)",
        "return xp.where(norm > threshold, x * kept, xp.zeros_like(x))",
        (arrays("prox::nan_is_seen"),),
    ),
    Mutant(
        "a block with a step of each element is shrunk as if it had one",
        "penalties/_shrink.py",
        "return {shape[axis - missing] for axis in within if axis >= missing} <= {1}",
        "return True",
        (arrays("prox::a_numerical_solver_finds_nothing_better"),),
    ),
    Mutant(
        "the norm of a shrunk block is searched too shortly",
        "penalties/_shrink.py",
        "_ITERATIONS = 10",
        "_ITERATIONS = 4",
        (arrays("prox::blocks_whose_steps_spread_over_decades"),),
    ),
    Mutant(
        "small blocks are shrunk without scaling first",
        "penalties/_shrink.py",
        "scale = safe_scale(xp, xp.max(xp.abs(x), axis=axes, keepdims=True))",
        "scale = xp.ones_like(xp.max(xp.abs(x), axis=axes, keepdims=True))",
        (arrays("prox::blocks_of_every_size"),),
    ),
    Mutant(
        "two penalties of blocks are shrunk one after the other",
        "penalties/_proximal.py",
        "if len(blocks) > 1:",
        "if False:",
        (arrays("prox::two_penalties_of_blocks"),),
    ),
    Mutant(
        "a penalty without a proximal form is left out",
        "penalties/_proximal.py",
        "        if term.stage is None:\n",
        "        if False:\n",
        (arrays("prox::a_penalty_without_a_proximal_form"),),
    ),
    Mutant(
        "a negative step is taken",
        "penalties/_proximal.py",
        "if not 0 <= float(step) < math.inf:",
        "if False:",
        (arrays("prox::a_step_that_is_negative_or_not_finite"),),
    ),
]
