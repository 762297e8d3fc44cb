"""Arrays of TensorFlow with the operators, shapes and functions of the Array API standard.

TensorFlow has no namespace of the standard. The operations of Keras have other names, and compute
the same; TensorFlow differentiates and compiles them.
"""

from __future__ import annotations

from typing import Any

import keras
import ml_dtypes
import numpy as np

from regularizers.errors import RegimeError

__all__ = ["Array"]

_ARITHMETIC = {
    "add": keras.ops.add,
    "sub": keras.ops.subtract,
    "mul": keras.ops.multiply,
    "truediv": keras.ops.divide,
    "pow": keras.ops.power,
    "matmul": keras.ops.matmul,
    "and": keras.ops.logical_and,
    "or": keras.ops.logical_or,
}
_COMPARISONS = {
    "eq": (keras.ops.equal, False),
    "ne": (keras.ops.not_equal, True),
    "lt": (keras.ops.less, False),
    "le": (keras.ops.less_equal, False),
    "gt": (keras.ops.greater, True),
    "ge": (keras.ops.greater_equal, True),
}
"""The function of each comparison, and what Python is told of a length that is not known."""

_TRUE_OF_ALIKE = (keras.ops.equal, keras.ops.less_equal, keras.ops.greater_equal)
_TYPES = ("bool", "int32", "int64", "float16", "float32", "float64")
_OTHER_NAMES = {"concat": "concatenate", "permute_dims": "transpose", "pow": "power"}
_NO_VALUES = (
    "a penalty reads the values of an array to decide what to compute, which graphs of TensorFlow "
    "do not have; write it with xp.where, or use KERAS_BACKEND=torch or jax"
)


class Array:
    """A tensor of TensorFlow, in a graph or outside, as an array of the standard.

    Args:
        value: the tensor.
    """

    __slots__ = ("value",)
    __array_ufunc__ = None  # lets numpy.float64(2) * array call __rmul__
    __hash__ = None  # type: ignore[assignment] # == compares elements

    def __init__(self, value: Any) -> None:
        self.value = value

    def __array_namespace__(self, api_version: str | None = None) -> _Namespace:
        return NAMESPACE

    @property
    def dtype(self) -> str:
        """The name of the type, by which the functions of the namespace take it."""
        return str(keras.backend.standardize_dtype(self.value.dtype))

    @property
    def ndim(self) -> int:
        """The number of axes."""
        return len(self.value.shape)

    @property
    def shape(self) -> tuple[Any, ...]:
        """The lengths of the axes: a `Length` where a graph does not know it yet."""
        lengths = keras.ops.shape(self.value)
        return tuple([n if isinstance(n, int) else Length(n) for n in lengths])

    def __getitem__(self, key: Any) -> Array:
        if isinstance(key, Array):
            raise RegimeError(_NO_VALUES)
        return Array(self.value[key])

    def __neg__(self) -> Array:
        return Array(-self.value)

    def __invert__(self) -> Array:
        return Array(keras.ops.logical_not(self.value))

    def __bool__(self) -> bool:
        try:
            return bool(self.value)
        except TypeError:  # of TensorFlow, in a graph
            raise RegimeError(_NO_VALUES) from None


class Length(Array):
    """The length of an axis, or a product of lengths, that only a running graph knows.

    Where Python asks, it is longer than any number, so that no case for short axes is taken; where
    `xp.where` selects, it is compared as it is.
    """

    def __repr__(self) -> str:
        return "None"  # as TensorFlow writes it in a shape


class _Comparison(Array):
    """A comparison of a length, of which Python is told `assumed`."""

    __slots__ = ("assumed",)

    def __init__(self, value: Any, assumed: bool) -> None:
        super().__init__(value)
        self.assumed = assumed

    def __bool__(self) -> bool:
        return self.assumed


def _tensors(value: Any) -> Any:
    """Return what stands in arrays, in tuples and lists of them too."""
    if isinstance(value, (tuple, list)):
        return [_tensors(part) for part in value]
    return value.value if isinstance(value, Array) else value


def _kind(*values: Any) -> type[Array]:
    """Return the type of what is computed from values: of lengths and numbers it is a length."""
    kinds = [type(value) for value in values]
    return Array if Array in kinds or Length not in kinds else Length


def _operands(function: Any, x: Any, y: Any) -> Array:
    """Return a function of two operands; numbers and lengths take the type of the array."""
    kind = _kind(x, y)
    dtypes = [one.dtype for one in (x, y) if type(one) is Array]
    whole = function not in (keras.ops.divide, keras.ops.power)
    if kind is Length and not (whole and all(type(one) in (int, Length) for one in (x, y))):
        dtypes = ["float64"]
    if len(dtypes) == 1 and keras.backend.is_float_dtype(dtypes[0]):
        x, y = (one if type(one) is Array else Array(_cast(one, dtypes[0])) for one in (x, y))
    return kind(function(_tensors(x), _tensors(y)))


def _cast(x: Any, dtype: str) -> Any:
    x = _tensors(x)
    is_number = isinstance(x, (int, float))  # which a cast would make a float32 first
    return keras.ops.convert_to_tensor(x, dtype) if is_number else keras.ops.cast(x, dtype)


def _define_operators() -> None:
    for name, function in _ARITHMETIC.items():

        def operated(x: Array, y: Any, function: Any = function) -> Array:
            return _operands(function, x, y)

        def reflected(x: Array, y: Any, function: Any = function) -> Array:
            return _operands(function, y, x)

        setattr(Array, f"__{name}__", operated)
        setattr(Array, f"__r{name}__", reflected)
    for name, (function, assumed) in _COMPARISONS.items():

        def compared(x: Array, y: Any, function: Any = function, assumed: bool = assumed) -> Array:
            result = _operands(function, x, y)
            if type(result) is not Length:
                return result
            if type(x) is type(y):  # lengths of two arrays, taken to be alike
                assumed = function in _TRUE_OF_ALIKE
            return _Comparison(result.value, assumed)

        setattr(Array, f"__{name}__", compared)


_define_operators()


class _Namespace:
    """The functions of Keras by their names in the standard."""

    __name__ = "tensorflow"
    finfo: Any = staticmethod(ml_dtypes.finfo)

    def __getattr__(self, name: str) -> Any:
        if name in _TYPES:
            return name
        function = getattr(keras.ops, _OTHER_NAMES.get(name, name))

        def wrapped(*arguments: Any, **options: Any) -> Array:
            kind = _kind(*arguments)
            options = {key: _tensors(value) for key, value in options.items()}
            return kind(function(*_tensors(arguments), **options))

        return wrapped

    def asarray(self, values: Any, dtype: str | None = None) -> Array:
        return Array(keras.ops.convert_to_tensor(np.asarray(values), dtype))

    def astype(self, x: Array, dtype: str, copy: bool = True) -> Array:
        return Array(keras.ops.cast(x.value, dtype))

    def isdtype(self, dtype: str, kind: str) -> bool:
        other = {"bool": dtype == "bool", "integral": keras.backend.is_int_dtype(dtype)}
        return bool(other[kind] if kind in other else keras.backend.is_float_dtype(dtype))

    def maximum(self, x: Any, y: Any) -> Array:
        """Return the larger; where both are as large the derivative is shared, as elsewhere."""
        x, y = _tensors((x, y))
        larger = keras.ops.maximum(x, y)
        return Array(keras.ops.where(keras.ops.equal(x, y), (x + y) / 2, larger))

    @property
    def linalg(self) -> Any:
        return self

    def svd(self, x: Array, full_matrices: bool = True) -> tuple[Array, Array, Array]:
        """Return vectors that are constants, and values, whose derivative needs no other."""
        left, values, right = keras.ops.svd(x.value, full_matrices)
        left, right = map(keras.ops.stop_gradient, (left, right))
        number = values.shape[-1]
        products = left[:, :number] * keras.ops.matmul(x.value, keras.ops.transpose(right[:number]))
        return Array(left), Array(keras.ops.sum(products, axis=0)), Array(right)


NAMESPACE = _Namespace()
