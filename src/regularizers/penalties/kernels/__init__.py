"""How a formula is computed fast."""

from regularizers.penalties.kernels._differences import (
    add_slope_of_differences,
    slope_of_differences,
    sum_of_differences,
)
from regularizers.penalties.kernels._pieces import (
    PIECE,
    add_scaled,
    converted,
    empty_beside,
    library_of,
    lie_plainly,
    pieces,
    total,
    wide_pieces,
)
from regularizers.penalties.kernels._piecewise import (
    Charged,
    add_piecewise,
    goes_piecewise,
    lies_in_pieces,
    value_piecewise,
)
from regularizers.penalties.kernels._sums import (
    sum_of_products,
    sum_of_squares,
)

__all__ = [
    "PIECE",
    "Charged",
    "add_piecewise",
    "add_scaled",
    "add_slope_of_differences",
    "converted",
    "empty_beside",
    "goes_piecewise",
    "library_of",
    "lie_plainly",
    "lies_in_pieces",
    "pieces",
    "slope_of_differences",
    "sum_of_differences",
    "sum_of_products",
    "sum_of_squares",
    "total",
    "value_piecewise",
    "wide_pieces",
]
