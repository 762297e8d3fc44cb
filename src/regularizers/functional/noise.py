"""What the noise layers draw and check, shared with the functions of the same names."""

from regularizers.functional._drop_block import (
    block_noise,
)
from regularizers.functional._drop_path import (
    one_for_each_sample,
)
from regularizers.functional._dropout import (
    dropout_noise,
)
from regularizers.functional._gaussian_dropout import (
    gaussian_noise,
)
from regularizers.functional._locked_dropout import (
    one_for_all_steps,
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
    "one_for_all_steps",
    "one_for_each_sample",
]
