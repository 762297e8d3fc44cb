"""Wrong edits to constraints."""

from mutants.mutant import Mutant, attach


def projections(name: str) -> str:
    return f"tests/constraints/test_projections.py::test_{name}"


def kept(name: str) -> str:
    return attach(f"constraints::{name}")


CONSTRAINED = [
    Mutant(
        "vectors that are short enough are lengthened to the limit",
        "constraints/_max_norm.py",
        "return xp.where(norm > self.limit, self.limit * direction, x)",
        "return self.limit * direction",
        (projections("by_hand"),),
    ),
    Mutant(
        "a projection goes all the way whatever the rate",
        "constraints/_min_max_norm.py",
        "moved = self.rate * wanted * direction + (1 - self.rate) * x",
        "moved = wanted * direction",
        (projections("by_hand"),),
    ),
    Mutant(
        "the axis is summed over, as in Keras",
        "constraints/_vectors.py",
        "if axis not in vectors]",
        "if axis in vectors]",
        (projections("vector_by_vector"),),
    ),
    Mutant(
        "norms are squared as they are",
        "constraints/_vectors.py",
        "norm, scale = scaled_norm(xp, x, self.axes_within(len(x.shape)))",
        "scale = xp.ones_like(x)\n        within = self.axes_within(len(x.shape))\n"
        "        norm = xp.sqrt(xp.sum(x * x, axis=within, keepdims=True))",
        (projections("norms_neither_overflow_nor_vanish"),),
    ),
    Mutant(
        "the radial part of a gradient is taken out by the weight as it is",
        "constraints/_unit_norm.py",
        "gradient = gradient - radial * direction",
        "gradient = gradient - radial * x",
        (projections("tangential_by_hand"),),
    ),
    Mutant(
        "an optimizer sees the radial part of a gradient",
        "attach/step/_step_plan.py",
        "            constrained.make_tangential()\n",
        "            pass\n",
        (kept("steps_are_those_of_the_optimizer_and_a_projection"),),
    ),
    Mutant(
        "thresholds of a sparse autoencoder may go below 0",
        "sae/_architectures.py",
        "        if self.threshold is not None:\n",
        "        if False:\n",
        ("tests/sae/test_autoencoder.py::test_a_loop_of_ones_own_keeps_thresholds_at_0_or_more",),
    ),
    Mutant(
        "the gradient of a penalty is added after the radial part was taken out",
        "attach/step/_step_plan.py",
        "        self._gradients.add(scale)\n",
        "        for constrained in self._constrained:\n"
        "            constrained.make_tangential()\n"
        "        self._gradients.add(scale)\n"
        "        return\n",
        (kept("the_gradient_of_a_penalty_is_constrained_too"),),
    ),
    Mutant(
        "a proximal step follows the projection",
        "attach/step/_apply.py",
        "            plan.shrink(optimizer)\n            plan.project()\n",
        "            plan.project()\n            plan.shrink(optimizer)\n",
        (kept("a_projection_follows_a_proximal_step"),),
    ),
    Mutant(
        "training begins outside of the constraints",
        "attach/step/_attach.py",
        "    if owner.sites.constrained:\n        applied.begin()\n",
        "",
        (kept("attach_projects_the_kernels_and_nothing_else"),),
    ),
    Mutant(
        "a constraint of a pruned weight reads what is pruned",
        "attach/step/_constrained.py",
        "return weight if self.mask is None else self.mask().to(weight.dtype) * weight",
        "return weight",
        (kept("a_pruned_weight_keeps_its_zeros_and_the_mask_times_the_parameter_is_kept"),),
    ),
    Mutant(
        "an optimizer around another leaves the constraint",
        "attach/step/_apply.py",
        "in self._ownership.wrappers if self._regularization.sites.constrained else ():",
        "in ():",
        (kept("an_optimizer_around_another_ends_within_the_constraint"),),
    ),
    Mutant(
        "constraints that nothing keeps are collected in silence",
        "attach/_regularization.py",
        "        if self._applied is None:\n            parameter, one",
        "        if False:\n            parameter, one",
        (attach("constraint_rules::a_collection_without_attach_raises"),),
    ),
]
