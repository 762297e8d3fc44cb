"""Arrays as they come: of every small shape, type and layout, with awkward numbers in them."""

import numpy as np
import torch
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

LAYOUTS = ["contiguous", "strided", "reversed", "transposed", "fortran"]
LARGEST = {"float16": 6e4, "float32": 1e18, "float64": 1e150}  # squares of them can be added

# KL has a pole: means that are multiples of 1/8 are exact, and either beyond it or well away
EIGHTHS = st.integers(-16, 24).map(lambda n: n / 8)


def floats(dtype):
    """Return ordinary numbers, with zeros of both signs, subnormal, tiny and huge ones."""
    limits, largest = np.finfo(dtype), LARGEST[dtype]
    awkward = [0.0, -0.0, limits.smallest_subnormal, -limits.tiny, limits.tiny / 2, limits.eps]
    width = limits.bits
    return st.one_of(
        st.sampled_from([float(a) for a in awkward] + [float(np.dtype(dtype).type(largest))]),
        st.floats(-4.0, 4.0, width=width),
        st.floats(-1.0, 1.0, width=width).map(lambda f: float(np.dtype(dtype).type(f * largest))),
    )


@st.composite
def arrays(draw, dtypes=("float16", "float32", "float64"), elements=None, max_dims=4):
    dtype = draw(st.sampled_from(dtypes))
    shape = draw(hnp.array_shapes(min_dims=0, max_dims=max_dims, min_side=1, max_side=3))
    chosen = floats(dtype) if elements is None else elements
    drawn = draw(hnp.arrays("float64", shape, elements=chosen))
    return drawn.astype(dtype)


def laid_out(values, layout):
    """Return a NumPy array equal to `values`, in another layout of memory."""
    if values.ndim == 0 or layout == "contiguous":
        return values.copy()
    if layout == "strided":
        sparse = np.full(tuple(2 * n for n in values.shape), np.nan, dtype=values.dtype)
        view = sparse[tuple(slice(None, None, 2) for _ in values.shape)]
        view[...] = values
        return view
    if layout == "reversed":
        return values[::-1].copy()[::-1]
    return values.T.copy().T if layout == "transposed" else np.asfortranarray(values)


def as_torch(values):
    """Return a tensor in the layout of `values`; of negative strides PyTorch has none."""
    if any(stride < 0 for stride in values.strides):
        values = values.copy()
    return torch.from_numpy(values)
