"""Keras 3 on PyTorch or JAX: our penalties and constraints where a layer takes Keras' own.

Keras divides the value of an activity regularizer by the batch size, and does not say where it
calls a regularizer. So there is one class for weights and one for activities, and each raises where
it finds itself at the other. `ActivityPenalty` is a layer, which padding masks reach.
"""

from __future__ import annotations

from typing import Any, ClassVar

from regularizers.attach import activity, kernel
from regularizers.constraints import Constraint as ArrayConstraint
from regularizers.errors import ConfigurationError
from regularizers.integrations._keras import (
    Saved,
    check_backend,
    check_processes,
    is_weight,
    keras,
    penalty_of,
    resolved,
    with_axis_number,
)
from regularizers.penalties import Penalty

__all__ = ["ActivityPenalty", "ActivityRegularizer", "Constraint", "Regularizer"]

_savable = keras.saving.register_keras_serializable("regularizers")


@_savable
class Regularizer(Saved, keras.regularizers.Regularizer):
    """A penalty of weights: `kernel_regularizer=`, `bias_regularizer=` and their like.

    Its value is that of the penalty, a sum unless `reduce=` says otherwise.

    Args:
        penalty: the penalty of one weight, whose strength is a number. Axes are those of Keras:
            the kernel of a Dense layer is (inputs, units), so that `axis=1` numbers its units;
            `"output"` and `"input"` say the same of any weight with two axes. In recurrent layers
            every gate of a unit is an output of its own.

    Raises:
        ArrayTypeError: Keras runs on a backend whose arrays are not supported, as TensorFlow's.
        ConfigurationError: what is no penalty of weights, or is called with something else.
        StrengthTypeError: a strength that is a schedule or has a target.

    Example:
        >>> import keras, regularizers as rz
        >>> from regularizers.integrations.keras import Regularizer
        >>> Regularizer(rz.L2Squared(1e-4))
        Regularizer(L2Squared(0.0001, reduce='sum'))
        >>> layer = keras.layers.Dense(4, kernel_regularizer=Regularizer(rz.L2Squared(1e-4)))
    """

    def __init__(self, penalty: Penalty) -> None:
        self.penalty = resolved(kernel(penalty))

    def __call__(self, x: Any) -> Any:
        """Return the penalty of a weight, a scalar."""
        if not is_weight(x):
            raise ConfigurationError(
                f"{self!r}: expected a weight, got an array that is none; activity_regularizer= "
                f"takes an ActivityRegularizer, and of an array call the penalty itself"
            )
        x = keras.ops.convert_to_tensor(x)
        return penalty_of(x, [with_axis_number(term, x.shape) for term in self.penalty.terms])


@_savable
class ActivityRegularizer(Saved, keras.regularizers.Regularizer):
    """A penalty of a layer's output: `activity_regularizer=`.

    What is added to the loss is the value of the penalty, and nothing else: the division by the
    batch size that Keras makes is undone, since the reduction has said already how samples count.
    That is `"batch_mean"` unless the penalty states one, and the `repr` says it; `reduce="sum"`
    is the sum over the batch, which grows with it.

    Keras gives an activity regularizer no mask, so padding counts; `ActivityPenalty` leaves it out.

    Args:
        penalty: the penalty of each output of the layer, whose strength is a number.

    Raises:
        ArrayTypeError: Keras runs on a backend whose arrays are not supported, as TensorFlow's.
        ConfigurationError: what is no penalty of activities, or is called with a weight.
        RegimeError: called where several processes of PyTorch share a batch, of whose samples the
            penalty is no sum.
        StrengthTypeError: a strength that is a schedule or has a target.

    Example:
        >>> import keras, regularizers as rz
        >>> from regularizers.integrations.keras import ActivityRegularizer
        >>> sparse = ActivityRegularizer(rz.L1(1e-3))
        >>> sparse
        ActivityRegularizer(L1(0.001, reduce='batch_mean'))
        >>> layer = keras.layers.Dense(4, activation="relu", activity_regularizer=sparse)
    """

    def __init__(self, penalty: Penalty) -> None:
        self.penalty = resolved(activity(penalty, where="**"))

    def __call__(self, x: Any) -> Any:
        """Return the penalty of an output times the batch size, by which Keras divides it."""
        if is_weight(x):
            raise ConfigurationError(
                f"{self!r}: expected the output of a layer, got a weight; kernel_regularizer=, "
                f"bias_regularizer= and their like take a Regularizer"
            )
        check_processes(x, self.penalty.terms)
        return penalty_of(x, self.penalty.terms) * (x.shape[0] if x.ndim else 1)


@_savable
class ActivityPenalty(Saved, keras.layers.Layer):
    """The identity, at which an activity is penalised; a padding mask counts.

    Args:
        penalty: as of `ActivityRegularizer`.
        **options: of any Keras layer, such as `name`.

    Raises:
        ArrayTypeError, ConfigurationError, RegimeError, StrengthTypeError: as of
            `ActivityRegularizer`.

    Example:
        >>> import keras, regularizers as rz
        >>> from regularizers.integrations.keras import ActivityPenalty
        >>> model = keras.Sequential([
        ...     keras.layers.Embedding(50, 8, mask_zero=True),
        ...     keras.layers.LSTM(16, return_sequences=True),
        ...     ActivityPenalty(rz.TAR(1.0, time_axis=1)),
        ... ])
    """

    def __init__(self, penalty: Penalty, **options: Any) -> None:
        super().__init__(**options)
        self.supports_masking = True
        self.penalty = resolved(activity(penalty, where="**"))

    def call(self, x: Any, mask: Any = None) -> Any:
        """Return `x` itself, and add the penalty of what the mask leaves to the losses."""
        check_processes(x, self.penalty.terms)
        self.add_loss(penalty_of(x, self.penalty.terms, mask))
        return x


@_savable
class Constraint(Saved, keras.constraints.Constraint):
    """A constraint of weights: `kernel_constraint=`, `bias_constraint=` and their like.

    Keras projects after each step of its optimizer. The projection is exact, without the ε of
    Keras' own; weights that were never in a step, such as initial ones, are as they are.

    Args:
        constraint: the constraint. Axes are as of `Regularizer`, and number the vectors, where
            those of Keras' constraints are summed over.

    Raises:
        ArrayTypeError: Keras runs on a backend whose arrays are not supported, as TensorFlow's.
        ConfigurationError: what is no constraint.

    Example:
        >>> import keras, regularizers as rz
        >>> from regularizers.integrations.keras import Constraint
        >>> short = Constraint(rz.MaxNorm(2.0, axis="output"))
        >>> layer = keras.layers.Dense(4, kernel_constraint=short)
    """

    holds: ClassVar[str] = "constraint"

    def __init__(self, constraint: ArrayConstraint) -> None:
        if not isinstance(constraint, ArrayConstraint):
            raise ConfigurationError(
                f"Constraint: expected a constraint such as UnitNorm(axis='output'), got "
                f"{constraint!r} of type {type(constraint).__name__}"
            )
        check_backend()
        self.constraint = constraint

    def __call__(self, w: Any) -> Any:
        """Return the projection of a weight."""
        w = keras.ops.convert_to_tensor(w)
        return with_axis_number(self.constraint, w.shape).project(w)
