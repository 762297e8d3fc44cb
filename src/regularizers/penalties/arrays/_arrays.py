"""Namespaces, types and precision of arrays.

No array library is imported here. `array_api_compat` recognises an array by its library, which the
caller has imported already.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable
from typing import Any, TypeAlias, TypeVar

import array_api_compat

from regularizers.errors import ArrayTypeError, ReadOnlyError, ShapeError

Array: TypeAlias = Any
"""An array of any library of the Array API standard, which has no common type."""

ArrayT = TypeVar("ArrayT")
"""The type of an array, where a function returns what it is given."""

Namespace: TypeAlias = Any
"""The functions of an array library, such as `array_api_compat.numpy` or `jax.numpy`."""

_CURE = "convert it first, for example with numpy.asarray(x, dtype=numpy.float32)"


def namespace_of(x: Array, name: str = "x") -> Namespace:
    """Return the array namespace of `x`; raise unless `x` is real floating point."""
    try:
        xp = array_api_compat.array_namespace(x)
    except TypeError:
        if type(x).__module__.startswith("keras"):
            raise ArrayTypeError(
                f"{name}: expected an array, got a {type(x).__name__} of Keras; give Keras "
                f"regularizers.integrations.keras.Regularizer(penalty)"
            ) from None
        raise ArrayTypeError(
            f"{name}: expected an array of a floating type (NumPy, PyTorch, JAX or another library "
            f"of the Array API standard), got {type(x).__name__}; {_CURE}"
        ) from None
    if not xp.isdtype(x.dtype, "real floating"):
        raise ArrayTypeError(
            f"{name}: expected an array of a real floating type, got {x.dtype}; {_CURE}"
        )
    return xp


def is_wide(xp: Namespace, x: Array) -> bool:
    """Return whether `x` has the precision to accumulate in: at least float32."""
    return bool(xp.finfo(x.dtype).bits >= 32)


def widen(xp: Namespace, x: Array) -> Array:
    """Return `x` in the precision to accumulate in: at least float32."""
    return x if is_wide(xp, x) else xp.astype(x, xp.float32)


def cast(x: Array, dtype: Any) -> Array:
    """Return `x` in the type `dtype`, without a copy if it has that type."""
    return array_api_compat.array_namespace(x).astype(x, dtype, copy=False)


def matmul(xp: Namespace, a: Array, b: Array) -> Array:
    """Return the product of two matrices in their own precision, under PyTorch's autocast too."""
    return in_own_precision(xp, xp.matmul, a, b)


def in_own_precision(
    xp: Namespace, function: Callable[..., Array], x: Array, *others: Array
) -> Array:
    """Return a function of arrays in their own precision, under PyTorch's autocast too."""
    if not hasattr(xp, "autocast"):
        return function(x, *others)
    with xp.autocast(x.device.type, enabled=False):
        return function(x, *others)


def with_zeros(xp: Namespace, x: Array, axis: int, *, before: int = 0, after: int = 0) -> Array:
    """Return `x` padded with zeros before or after it along an axis."""
    if hasattr(xp, "with_zeros"):  # compilers fuse padding, and do not fuse concat
        return xp.with_zeros(x, axis, before, after)
    zero = xp.zeros_like(x[(slice(None),) * axis + (slice(0, 1), ...)])
    return xp.concat([*[zero] * before, x, *[zero] * after], axis=axis)


def constant(xp: Namespace, numbers: str, shape: tuple[int, int], like: Array) -> Array:
    """Return a matrix, in the type and on the device of another array.

    Args:
        xp: the namespace of `like`.
        numbers: the bytes of its elements in float64, in hexadecimal digits.
        shape: of the matrix.
        like: the array beside which it is used.
    """
    if hasattr(xp, "constant"):  # a compiler cannot read bytes
        return xp.constant(numbers, shape, like.dtype, like.device)
    if array_api_compat.is_torch_array(like):
        return torch_constant(numbers, shape, like.dtype, like.device)
    elements = memoryview(bytes.fromhex(numbers)).cast("d")
    return xp.reshape(xp.asarray(elements, dtype=like.dtype), shape)


def torch_constant(numbers: str, shape: tuple[int, int], dtype: Any, device: Any) -> Array:
    """Return a matrix as a tensor; its numbers are given as `constant` takes them."""
    torch = sys.modules["torch"]
    # memory that can be written, as PyTorch expects
    wide = torch.frombuffer(bytearray.fromhex(numbers), dtype=torch.float64)
    return wide.reshape(shape).to(device=device, dtype=dtype)


def sum_of(xp: Namespace, function: Callable[[Array], Array], x: Array) -> Array:
    """Return the sum of a function of each element of `x`."""
    if hasattr(xp, "sum_of"):  # compiled code has a faster sum
        return xp.sum_of(function, x)
    return xp.sum(function(x))


def size_of(x: Array) -> int:
    """Return the number of elements, which a lazy array has too if its shape is known."""
    return math.prod(x.shape)


def beside(y: Array, x: Array) -> Array:
    """Return `y` on the device of `x`; only PyTorch allows another one for a scalar."""
    return y.to(x.device) if array_api_compat.is_torch_array(y) else y


def is_jax(x: Array) -> bool:
    """Return whether `x` is an array of JAX, which may be traced."""
    return bool(array_api_compat.is_jax_array(x))


def detached(x: Array) -> Array:
    """Return `x` outside of any autograd graph, which only PyTorch has."""
    return x.detach() if array_api_compat.is_torch_array(x) else x


def add_in_place(grads: Array, slope: Array) -> None:
    """Add `slope` into the memory of `grads`, in the type of `grads`."""
    target = detached(grads)
    target += cast(slope, target.dtype)


def check_mask(xp: Namespace, x: Array, mask: Array) -> None:
    """Raise unless `mask` is a boolean array over the leading axes of `x`."""
    try:
        same_library = array_api_compat.array_namespace(mask) is xp
    except TypeError:
        same_library = False
    if not same_library:
        raise ArrayTypeError(
            f"mask: expected a boolean array of the library of x ({xp.__name__}), "
            f"got {type(mask).__name__}"
        )
    if not xp.isdtype(mask.dtype, "bool"):
        raise ArrayTypeError(
            f"mask: expected a boolean array (True where an element counts), got {mask.dtype}; "
            f"pass `mask != 0`"
        )
    if tuple(mask.shape) != tuple(x.shape[: mask.ndim]) or mask.ndim > x.ndim:
        raise ShapeError(
            f"mask: expected the leading axes of x, whose shape is {tuple(x.shape)}, "
            f"got shape {tuple(mask.shape)}"
        )


def check_grads(xp: Namespace, x: Array, grads: Array) -> None:
    """Raise unless a gradient of `x` can be added into `grads` in place."""
    cure = "use value_and_gradient(x), which returns a new array"
    if array_api_compat.is_array_api_obj(grads) and not array_api_compat.is_writeable_array(grads):
        raise ReadOnlyError(
            f"grads: expected an array that can be written in place, got a read-only or immutable "
            f"{type(grads).__name__}; {cure}"
        )
    if grads is x:
        raise ReadOnlyError("grads: expected another array than x, which stays as it is")
    if namespace_of(grads, "grads") is not xp:
        raise ArrayTypeError(
            f"grads: expected an array of the library of x ({xp.__name__}), "
            f"got {type(grads).__name__}"
        )
    if tuple(grads.shape) != tuple(x.shape):
        raise ShapeError(
            f"grads: expected the shape of x, {tuple(x.shape)}, got {tuple(grads.shape)}"
        )
    if _overlaps_itself(grads):
        raise ReadOnlyError(
            f"grads: expected an array whose elements are all distinct in memory, got a view "
            f"with strides {_strides(grads)}; pass a copy, or {cure}"
        )


def _strides(x: Array) -> tuple[int, ...]:
    """Return the strides in elements; () where unknown."""
    if array_api_compat.is_torch_array(x):
        return tuple(x.stride())
    size = getattr(x, "itemsize", 1)
    return tuple([stride // size for stride in getattr(x, "strides", ())])


def _overlaps_itself(x: Array) -> bool:
    """Return whether elements may share memory, as in an expanded or sliding view."""
    if size_of(x) == 0:
        return False
    reach = 0
    for stride, extent in sorted(zip(map(abs, _strides(x)), x.shape, strict=False)):
        if extent > 1 and stride <= reach:
            return True
        reach += stride * (extent - 1)
    return False
