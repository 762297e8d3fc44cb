"""Wrong edits to the penalties of logits, covariances, singular values and Jacobians."""

from mutants.mutant import Mutant, arrays

_JACOBIANS = "tests/functional/test_jacobian_penalty.py::test_"

MATRICES = [
    Mutant(
        "the gradient of the entropy has the other sign",
        "penalties/_entropy.py",
        "shares * (mean - below)",
        "shares * (below - mean)",
        (arrays("entropy::the_gradient_is_that_of_the_formula"),),
    ),
    Mutant(
        "the confidence penalty is the entropy",
        "penalties/_entropy.py",
        "sign: ClassVar[float] = -1.0",
        "sign: ClassVar[float] = +1.0",
        (arrays("entropy::a_step_against_the_gradient_lowers_the_entropy_or_raises_it"),),
    ),
    Mutant(
        "a class that is masked has a logit of 0",
        "penalties/_entropy.py",
        "logits = x if frame.mask is None else",
        "logits = x if True else",
        (arrays("entropy::a_mask_leaves_out_positions_and_classes"),),
    ),
    Mutant(
        "a mean of entropies is over logits",
        "penalties/_entropy.py",
        'if frame.reduce == "mean" else frame.count',
        'if frame.reduce == "batch_mean" else frame.count',
        (arrays("entropy::the_value_is_that_of_scipy"),),
    ),
    Mutant(
        "variances cost as much as covariances",
        "penalties/_decorrelation.py",
        "return covariances - covariances * identity(xp, covariances)",
        "return 1 * covariances",
        (arrays("decorrelation::the_value_is_that_of_numpy"),),
    ),
    Mutant(
        "the moments of a part forget its mean",
        "penalties/_decorrelation.py",
        "statistic[1:, 1:] + count * _square(xp, mean)",
        "statistic[1:, 1:] + 0 * _square(xp, mean)",
        (arrays("decorrelation::the_moments_of_parts_of_a_batch_add_up"),),
    ),
    Mutant(
        "the mean of a part has no gradient",
        "penalties/_decorrelation.py",
        "slope = slope + divide(xp, cotangent[:1, 1:], count)",
        "slope = 1 * slope",
        (arrays("decorrelation::the_gradient_of_a_part_is_that_of_its_samples_in_the_whole"),),
    ),
    Mutant(
        "any mask leaves out whole samples",
        "penalties/arrays/_frame.py",
        "self._covered = 0 if mask is None else mask.ndim",
        "self._covered = 0",
        (arrays("decorrelation::a_mask_of_a_part_of_a_sample_is_refused"),),
    ),
    Mutant(
        "the spectral norm has no ½",
        "penalties/_spectral.py",
        "return largest * largest / 2,",
        "return largest * largest,",
        (arrays("spectral::the_rows_are_numbered_by_their_axis_and_flattened"),),
    ),
    Mutant(
        "the gradient of the spectral norm is that of its root",
        "penalties/_spectral.py",
        "(largest * left[:, :1], right[:1, :])",
        "(left[:, :1], right[:1, :])",
        (arrays("spectral::the_rows_are_numbered_by_their_axis_and_flattened"),),
    ),
    Mutant(
        "a projection stands for one output",
        "functional/_jacobian_penalty.py",
        "_outputs_of_a_sample(outputs) / projections",
        "1 / projections",
        (f"{_JACOBIANS}random_projections_are_right_on_average",),
    ),
    Mutant(
        "the directions are not of length 1",
        "functional/_jacobian_penalty.py",
        "(v / nonzero(xp, v.norm(dim=1, keepdim=True)))",
        "(v / 1)",
        (f"{_JACOBIANS}one_output_is_exact_whatever_is_drawn",),
    ),
]
