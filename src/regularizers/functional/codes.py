"""The checks that layers of sparse codes share with the functions of the same names."""

from regularizers.functional._code_settings import (
    check_k,
    check_mean_k,
    check_of_units,
    check_units,
)

__all__ = ["check_k", "check_mean_k", "check_of_units", "check_units"]
