"""Wrong edits to the penalties on arrays."""

from mutants.mutant import Mutant, arrays, attach

MATHEMATICS = [
    Mutant(
        "the gradient of L2Squared is half of it",
        "penalties/_l2.py",
        "return 2 * x",
        "return x",
        (arrays("by_hand::the_gradient"),),
    ),
    Mutant(
        "means are sums",
        "penalties/arrays/_frame.py",
        'return self.samples if self.reduce == "batch_mean" else self.elements',
        "return 1",
        (attach("gradients::activity_reductions"),),
    ),
    Mutant(
        "activities are summed unless told otherwise",
        "attach/rules/_rule.py",
        '"batch_mean" if self.kind == "activity" else "sum"',
        '"sum"',
        (attach("gradients::activity_reductions"),),
    ),
    Mutant(
        "the mean over samples is one over units",
        "penalties/arrays/_frame.py",
        "return self.blocks(self.units)",
        "return self.blocks(self.batch)",
        (arrays("reductions::elements_become_one_number"),),
    ),
    Mutant(
        "the norm of a sample is that of a unit",
        "penalties/_l2.py",
        'return frame.units if frame.reduce == "batch_mean" else None',
        'return frame.batch if frame.reduce == "batch_mean" else None',
        (arrays("reductions::elements_become_one_number"),),
    ),
    Mutant(
        "KL is divided by the batch once more",
        "penalties/_kl.py",
        "        return xp.sum(self._of_live(divergence, denominator, xp)) / self._units(",
        "        return xp.sum(divide(xp, divergence, denominator)) / self._units(",
        (arrays("reductions::kl_sums_over_units_and_is_never_divided_by_the_batch"),),
    ),
    Mutant(
        "KL is clamped outside of its range",
        "penalties/_kl.py",
        "divergence = divergence + self._tangent(mean, xp) * beyond",
        "divergence = divergence + 0 * beyond",
        (attach("function::kl_keeps_pulling_where_the_mean_leaves_the_unit_interval"),),
    ),
    Mutant(
        "the analytic gradient of KL is that of a clamp",
        "penalties/_kl.py",
        "        tangent = self._of_live(tangent, denominator, xp)\n",
        "        mean = divide(xp, statistic, denominator)\n"
        "        on, _ = self._clipped(mean, xp)\n"
        "        tangent = self._of_live(tangent, denominator, xp) * xp.astype(on == "
        "mean, mean.dtype)\n",
        (arrays("reductions::kl_goes_on_along_its_tangent"),),
    ),
    Mutant(
        "half precision is not widened",
        "penalties/arrays/_arrays.py",
        "return x if is_wide(xp, x) else xp.astype(x, xp.float32)",
        "return x",
        (arrays("extremes::half_precision_is_accumulated_in_single"),),
    ),
    Mutant(
        "a mask multiplies instead of selecting",
        "penalties/arrays/_frame.py",
        "return self.xp.where(self.mask, x, self.xp.zeros_like(x))",
        "return x * self.xp.astype(self.mask, x.dtype)",
        (
            arrays("masks::a_mask_over_every_axis"),
            attach("function::what_a_mask_leaves_out_may_be_nan"),
        ),
    ),
    Mutant(
        "masked elements count in a mean",
        "penalties/arrays/_frame.py",
        "return math.prod(self.shape) if self.mask is None else self._count(self.mask, None)",
        "return math.prod(self.shape)",
        (arrays("masks::a_mask_over_the_leading_axis"),),
    ),
    Mutant(
        "masked samples count in the mean of a unit",
        "penalties/arrays/_frame.py",
        "return self._extent(axes) if self.mask is None else self._count(",
        "return self._extent(axes) if True else self._count(",
        (arrays("masks::kl_averages_each_unit_over_its_own_valid_samples"),),
    ),
    Mutant(
        "the gradient of a norm of 0 is NaN",
        "penalties/_block_norms.py",
        "(x * scale / nonzero(frame.xp, norm))",
        "(x * scale / norm)",
        (attach("function::l2_norm_has_no_gradient_at_zero_and_the_right_one_beside_it"),),
    ),
    Mutant(
        "a norm squares without scaling first",
        "penalties/arrays/_norm.py",
        "scale = safe_scale(xp, xp.max(xp.abs(x), axis=axes, keepdims=True))",
        "scale = xp.ones_like(xp.max(xp.abs(x), axis=axes, keepdims=True))",
        (arrays("extremes::the_norm_of_three_and_four_is_five_at_every_size"),),
    ),
    Mutant(
        "an empty batch is divided by 0",
        "penalties/arrays/_frame.py",
        "return statistic / max(denominator, 1)",
        "return statistic / denominator",
        (attach("function::empty_input_is_zero_with_an_empty_gradient"),),
    ),
]
