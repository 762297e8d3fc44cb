"""Wrong edits to noise, standardized weights and mixed batches."""

from mutants.mutant import Mutant


def functional(name: str) -> str:
    return f"tests/functional/test_{name.replace('::', '.py::test_')}"


def layers(name: str) -> str:
    return f"tests/layers/test_{name.replace('::', '.py::test_')}"


NOISES = [
    Mutant(
        "shake-drop: backward shakes by the number of forward",
        "functional/_shake_drop.py",
        "alpha, beta = 2 * u[1, ...] - 1, u[2, ...]",
        "alpha, beta = 2 * u[1, ...] - 1, u[1, ...]",
        (functional("shake_drop::forward_and_backward_share_b_and_nothing_else"),),
    ),
    Mutant(
        "shake-drop: backward keeps other samples than forward",
        "functional/_shake_drop.py",
        "return b + (1 - b) * alpha, b + (1 - b) * beta",
        "return b + (1 - b) * alpha, xp.roll(b, 1) + (1 - xp.roll(b, 1)) * beta",
        (functional("shake_drop::forward_and_backward_share_b_and_nothing_else"),),
    ),
    Mutant(
        "shake-drop: its y is differentiated as it is computed",
        "functional/_shake_drop.py",
        "return constant_of(y) + zero * slope",
        "return y",
        (
            functional("shake_drop::torch_differentiates_it_to_the_other_factor"),
            functional("shake_drop::jax_differentiates_it_to_the_other_factor"),
        ),
    ),
    Mutant(
        "shake-drop: the layer's backward has the factor of forward",
        "layers/_shake_drop.py",
        "ctx.save_for_backward(inputs[2])",
        "ctx.save_for_backward(inputs[1])",
        (layers("shake_drop::the_layer_is_the_function_in_forward_and_backward"),),
    ),
    Mutant(
        "shake-drop: evaluation is the identity",
        "layers/_shake_drop.py",
        "return x * self.p",
        "return x",
        (layers("shake_drop::evaluation_multiplies_by_the_expectation"),),
    ),
    Mutant(
        "Gaussian noise: its variance is the standard deviation",
        "functional/_gaussian_noise.py",
        "cast(std * normal(",
        "cast(std**0.5 * normal(",
        (functional("gaussian_noise::its_mean_and_standard_deviation"),),
    ),
    Mutant(
        "shared dropout: negative axes are not counted from the end",
        "functional/_shared_dropout.py",
        "shared = normalise_axes(axes, x.ndim, name)",
        "shared = axes if isinstance(axes, tuple) else (axes,)",
        (functional("shared_dropout::the_mask_is_the_same_along_the_axes"),),
    ),
    Mutant(
        "a p beside a rate is left aside",
        "functional/_settings.py",
        "    if rate is not None:\n",
        "    if False:\n",
        (functional("names_of_the_rate::a_function_refuses_both_and_none_and_a_p_that_cannot_be"),),
    ),
    Mutant(
        "weight standardization: the variance is the unbiased one",
        "layers/_weight_standardization.py",
        "w, others, correction=0",
        "w, others, correction=1",
        (layers("weight_standardization::each_output_has_mean_zero_and_variance_one"),),
    ),
    Mutant(
        "weight standardization: outputs of a transposed convolution are taken for its inputs",
        "layers/_weight_standardization.py",
        "groups = module.groups if isinstance(module, _TRANSPOSED) else None",
        "groups = None",
        (layers("weight_standardization::each_output_has_mean_zero_and_variance_one"),),
    ),
    Mutant(
        "weight standardization: the raw weight decays",
        "attach/sites/_weight_decay_groups.py",
        "    WeightStandardization,\n)",
        ")",
        (layers("weight_standardization::no_parameter_of_it_decays"),),
    ),
    Mutant(
        "mixup: labels are weighted by the rest",
        "functional/_mixup.py",
        "weighted(xp, labels, partners, weight)",
        "weighted(xp, labels, partners, 1 - weight)",
        (functional("mixing::inputs_and_labels_have_the_same_weight_and_partner"),),
    ),
    Mutant(
        "mixup: the weight is uniform",
        "functional/_mixing.py",
        "    return xp.where(c < 0, small, 1 - small)\n",
        "    return u\n",
        (functional("mixing::the_weight_has_the_beta_distribution"),),
    ),
    Mutant(
        "cutmix: labels are weighted by the box that was drawn, not by what is left of it",
        "functional/_cutmix.py",
        "within[1][None, :], share\n",
        "within[1][None, :], weight\n",
        (functional("mixing::the_label_of_cutmix_counts_the_pixels_exactly"),),
    ),
]
