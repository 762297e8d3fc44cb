"""The noise and the checks that layers share with the functions of the same names."""

from regularizers.functional._drop_block import (
    block_noise,
)
from regularizers.functional._drop_path import (
    per_sample_shape,
)
from regularizers.functional._dropout import (
    dropout_noise,
)
from regularizers.functional._gaussian_dropout import (
    gaussian_dropout_noise,
)
from regularizers.functional._settings import (
    check_block_size,
    check_kept,
    check_rate,
    check_shared_axes,
    check_std,
    rate_of,
)
from regularizers.functional._shake_drop import (
    shake_factors,
)
from regularizers.functional._shared_dropout import (
    shared_shape,
)

__all__ = [
    "block_noise",
    "check_block_size",
    "check_kept",
    "check_rate",
    "check_shared_axes",
    "check_std",
    "dropout_noise",
    "gaussian_dropout_noise",
    "per_sample_shape",
    "rate_of",
    "shake_factors",
    "shared_shape",
]
