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
    gaussian_noise,
)
from regularizers.functional._locked_dropout import (
    shared_over_time_shape,
)
from regularizers.functional._settings import (
    check_block_size,
    check_rate,
)

__all__ = [
    "block_noise",
    "check_block_size",
    "check_rate",
    "dropout_noise",
    "gaussian_noise",
    "per_sample_shape",
    "shared_over_time_shape",
]
