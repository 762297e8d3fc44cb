"""The order of the gallery: from what most people come for to what few do."""

FIRST = (
    "outputs_in_the_hundreds",
    "kernel_against_activity",
    "ten_of_a_hundred_units",
    "schedules",
    "sparse_code_of_a_transformer",
    "ar_tar_padding",
    "exact_zeros",
    "group_lasso_channels",
    "forgetting",
    "orthogonal_kernels",
    "dropout_relatives",
    "monte_carlo_dropout",
    "one_loop",
    "penalty_of_your_own",
    "numpy_pytorch_jax",
)


class Order:
    """The key by which sphinx-gallery sorts the files of a folder; others follow by name."""

    def __init__(self, folder):
        self.folder = folder

    def __call__(self, file):
        """Return the place of a file."""
        name = file.removeprefix("plot_").removesuffix(".py")
        return (FIRST.index(name), "") if name in FIRST else (len(FIRST), name)
