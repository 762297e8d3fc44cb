"""What our parts of Keras have in common: its backend, its weights, their axes, and saving."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable, Iterable, Sequence
from typing import Any, ClassVar, Self

from regularizers.attach import Rule
from regularizers.attach.reading import penalise
from regularizers.errors import (
    ArrayTypeError,
    ConfigurationError,
    FrameworkError,
    RegimeError,
    StrengthTypeError,
)
from regularizers.integrations._frameworks import check_framework
from regularizers.integrations._texts import text_of, value_of
from regularizers.modules import are_several
from regularizers.penalties import Formula, Penalty, Strength, Sum
from regularizers.penalties.arrays import check_mask, detached, namespace_of, widen

check_framework("keras", "3.15.1")

try:
    import keras  # only a version that will do
except ModuleNotFoundError as error:  # TensorFlow is its backend where none is chosen
    raise FrameworkError(
        f"keras: expected the library of its backend, got none called {error.name}; "
        f"pip install {error.name}, or choose another before Python starts, KERAS_BACKEND=torch"
    ) from None
from keras.src.backend import get_stateless_scope  # noqa: E402 -- it has no public name

__all__ = [
    "Reading",
    "Saved",
    "as_written",
    "check_backend",
    "check_processes",
    "is_weight",
    "keras",
    "of_backend",
    "penalty_of",
    "resolved",
    "standard",
    "times_samples",
    "with_axis_number",
]


class Saved:
    """A part of a Keras model that is saved as the text of its penalty or constraint."""

    holds: ClassVar[str] = "penalty"

    def get_config(self) -> dict[str, Any]:
        """Return the settings as plain JSON."""
        is_layer = isinstance(self, keras.layers.Layer)
        others: dict[str, Any] = super().get_config() if is_layer else {}  # type: ignore[misc]
        return {**others, self.holds: text_of(getattr(self, self.holds))}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Return the object of settings that `get_config` returned."""
        return cls(**{**config, cls.holds: value_of(config[cls.holds], _registered)})

    def __repr__(self) -> str:
        return f"{type(self).__name__}({getattr(self, self.holds)!r})"


class Reading:
    """A penalty as it is read at weights, or at activities; or the error that says why it is not.

    Args:
        resolve: returns the penalty with its reduction.

    Raises:
        ArrayTypeError, StrengthTypeError: it is read at neither.
    """

    def __init__(self, resolve: Callable[[], Penalty]) -> None:
        self.error: ConfigurationError | None = None
        try:
            self.penalty = resolve()
        except ConfigurationError as error:
            self.error = error

    @property
    def terms(self) -> Sequence[Formula]:
        """The terms of the penalty; raises the error if there is one."""
        if self.error is not None:
            raise self.error
        return self.penalty.terms


def resolved(rule: Rule) -> Penalty:
    """Return the penalty of a rule with its reduction; raise where Keras cannot have it.

    Raises:
        ArrayTypeError: the arrays of Keras' backend are not supported.
        ConfigurationError: it needs more than the one array that Keras gives.
        StrengthTypeError: a strength that is a schedule or has a target.
    """
    check_backend()
    for term in rule.terms:
        if isinstance(term.strength, Strength):
            raise StrengthTypeError(
                f"{rule.penalty!r}: expected a strength that is a number, got {term.strength!r}: "
                f"Keras tells a regularizer of no step; take a number, or train in PyTorch with a "
                f"regularizers.Regularization"
            )
        if term.joins_bias:
            raise ConfigurationError(
                f"{rule.penalty!r}: expected a penalty of one weight: Keras gives a regularizer no "
                f"bias with the kernel; leave with_bias out"
            )
        if term.for_gates_only:
            raise ConfigurationError(
                f"{rule.penalty!r}: expected a penalty of any output, got a count of gates, whose "
                f"gradient only layers.JumpReLU and its like state, in PyTorch; use L1"
            )
    return rule.terms[0] if len(rule.terms) == 1 else Sum(rule.terms)  # type: ignore[return-value, arg-type]


def penalty_of(x: Any, terms: Sequence[Formula], mask: Any = None) -> Any:
    """Return the sum of penalties of an array of Keras' backend, a scalar in its graph."""
    on_torch = keras.backend.backend() == "torch"
    x, mask = standard(x), standard(mask)
    if not (on_torch and x.is_floating_point()):  # compilers do not trace the look-up
        namespace_of(x)
    if mask is not None:
        check_mask(namespace_of(x), x, mask)
    total: Any = 0
    for term in terms:
        term.check_shape(tuple(x.shape))
        strength: Any = term.strength
        if on_torch:  # reads the array once, and saves less of it
            axis = 0 if term.batch_axis is None else term.batch_axis
            total = total + strength * penalise(x, term, axis, mask)
        else:
            total = total + term(x, mask=mask)  # type: ignore[operator]
    return of_backend(total)


def as_written(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that graphs of TensorFlow call as it is, and do not write anew."""
    if not _is_tensorflow():
        return function
    autograph = sys.modules["tensorflow"].autograph
    kept: Callable[..., Any] = autograph.experimental.do_not_convert(function)
    return kept


def standard(x: Any) -> Any:
    """Return an array of Keras' backend as one of the Array API standard; None stays None."""
    if x is None or not _is_tensorflow():
        return x
    from regularizers.integrations._tensorflow import Array

    return Array(x)


def of_backend(x: Any) -> Any:
    """Return the array of Keras' backend for one that `standard` or a function of it returned."""
    return x.value if _is_tensorflow() else x


def check_processes(x: Any, terms: Iterable[Formula]) -> None:
    """Raise where each of several processes would have another penalty than the whole batch.

    Raises:
        RegimeError: processes of PyTorch or replicas of TensorFlow share a batch, and a penalty is
            no sum over samples.
    """
    if not _share_a_batch():
        return
    x = standard(x)
    xp = namespace_of(x)
    wide = detached(widen(xp, x))
    for term in terms:
        if term.spans_samples(term.statistic(wide, term.frame(xp, wide, None))[0]):
            raise RegimeError(
                f"{term!r}: each process or replica has a part of the batch, and the penalty of "
                f"a batch is not the sum over its samples; use keras.distribution.DataParallel on "
                f"JAX, one process, or a regularizers.Regularization with process_group='world'"
            )


def _share_a_batch() -> bool:
    """Return whether several processes of PyTorch or replicas of TensorFlow have parts of it."""
    if _is_tensorflow():
        return bool(sys.modules["tensorflow"].distribute.get_strategy().num_replicas_in_sync > 1)
    return keras.backend.backend() == "torch" and are_several()


def times_samples(penalty: Any, x: Any) -> Any:
    """Return a penalty times the batch size of an output, by which Keras divides."""
    samples = x.shape[0] if x.ndim else 1
    if samples is None:  # a graph of TensorFlow knows it when it runs
        samples = keras.ops.cast(keras.ops.shape(x)[0], penalty.dtype)
    return penalty * samples


def check_backend() -> None:
    """Raise unless the arrays of Keras' backend are supported."""
    if (name := keras.backend.backend()) not in ("torch", "jax", "numpy", "tensorflow"):
        raise ArrayTypeError(
            f"Keras runs on {name}, whose arrays have no namespace of the Array API standard; "
            f"expected torch, jax or tensorflow: set the environment variable KERAS_BACKEND=torch "
            f"before Keras is imported"
        )


def _is_tensorflow() -> bool:
    return bool(keras.backend.backend() == "tensorflow")


def is_weight(x: Any) -> bool:
    """Return whether `x` is a variable of Keras, or the value of one in a stateless scope."""
    scope = get_stateless_scope()
    values = () if scope is None else scope.state_mapping.values()
    return isinstance(x, keras.Variable) or any(x is value for value in values)


def with_axis_number(value: Any, shape: Sequence[int]) -> Any:
    """Return a penalty or constraint whose axis has a number, for a weight (inputs, units).

    Raises:
        ConfigurationError: the axis has a role, and the weight another shape.
    """
    if not getattr(value, "by_role", False):
        return value
    if len(shape) != 2 or not hasattr(value, "axis"):
        raise ConfigurationError(
            f"{value!r}: expected the number of an axis for a weight of shape {tuple(shape)}, "
            f"since roles are known only of (inputs, units); of Conv2D, axis=3 numbers filters"
        )
    return dataclasses.replace(value, axis={"input": 0, "output": 1}[value.axis])


def _registered(name: str) -> Any:
    """Return a class or function of the user that Keras knows by its name, or None."""
    registered = keras.saving.get_custom_objects()
    ending = [value for key, value in registered.items() if key.endswith(f">{name}")]
    return keras.saving.get_registered_object(name) or next(iter(ending), None)
