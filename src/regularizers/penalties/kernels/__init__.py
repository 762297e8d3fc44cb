"""How a formula is computed fast, looked up by the exact type of the formula."""

from regularizers.penalties.kernels import thresholds
from regularizers.penalties.kernels._absolute import AbsoluteKernel
from regularizers.penalties.kernels._differences import DifferenceKernel
from regularizers.penalties.kernels._kernel import (
    KERNELS,
    ElementKernel,
    Kernel,
    element_kernel_of,
    kernel_of,
)
from regularizers.penalties.kernels._pieces import (
    empty_beside,
    is_large,
    kept_buffer,
    lie_plainly,
    pieces,
    wide_pieces,
)
from regularizers.penalties.kernels._squares import SquaresKernel

__all__ = [
    "KERNELS",
    "AbsoluteKernel",
    "DifferenceKernel",
    "ElementKernel",
    "Kernel",
    "SquaresKernel",
    "element_kernel_of",
    "empty_beside",
    "is_large",
    "kept_buffer",
    "kernel_of",
    "lie_plainly",
    "pieces",
    "thresholds",
    "wide_pieces",
]
