"""Keras 3: our penalties and constraints where a layer takes Keras' own.

It runs on PyTorch, JAX or TensorFlow.

`ActivityPenalty` is a layer, which padding masks reach: Keras gives them to no regularizer.
"""

from __future__ import annotations

from typing import Any, ClassVar

from regularizers.attach import activity, kernel
from regularizers.constraints import Constraint as ArrayConstraint
from regularizers.errors import ConfigurationError
from regularizers.integrations._keras import (
    Reading,
    Saved,
    as_written,
    check_backend,
    check_processes,
    is_weight,
    keras,
    of_backend,
    penalty_of,
    resolved,
    standard,
    times_samples,
    with_axis_number,
)
from regularizers.penalties import Penalty

__all__ = ["ActivityPenalty", "Constraint", "Regularizer"]

_savable = keras.saving.register_keras_serializable("regularizers")


@_savable
class Regularizer(Saved, keras.regularizers.Regularizer):
    """A penalty: `kernel_regularizer=`, `bias_regularizer=` or `activity_regularizer=`.

    What is added to the loss is the value of the penalty, and nothing else. Of a weight it is a
    sum, and of a layer's output a mean over the batch, unless `reduce=` says otherwise; the `repr`
    says which. Keras divides the value of an activity regularizer by the batch size: that is
    undone, since the reduction has said already how samples count. So `reduce="sum"` is the sum
    over the batch, which grows with it.

    Keras gives an activity regularizer no mask, so padding counts; `ActivityPenalty` leaves it out.

    Args:
        penalty: the penalty of one weight or output, whose strength is a number. Axes are those of
            Keras: the kernel of a Dense layer is (inputs, units), so that `axis=1` numbers its
            units; `"output"` and `"input"` say the same of any weight with two axes. In recurrent
            layers every gate of a unit is an output of its own.

    Raises:
        ArrayTypeError: Keras runs on a backend whose arrays are not supported, as OpenVINO's.
        ConfigurationError: what is no penalty; or, when it is called, a penalty that is not for
            weights, or not for activities.
        RegimeError: called where several processes of PyTorch share a batch, of whose samples the
            penalty is no sum.
        StrengthTypeError: a strength that is a schedule or has a target.

    Example:
        >>> import keras, regularizers as rz
        >>> from regularizers.integrations.keras import Regularizer
        >>> sparse = Regularizer(rz.L1(1e-3))
        >>> sparse
        Regularizer(L1(0.001), of weights reduce='sum', of activities reduce='batch_mean')
        >>> layer = keras.layers.Dense(
        ...     4, activation="relu", activity_regularizer=sparse,
        ...     kernel_regularizer=Regularizer(rz.L2Squared(1e-4)),
        ... )
    """

    def __init__(self, penalty: Penalty) -> None:
        self.penalty = penalty
        self._of_weights = Reading(lambda: resolved(kernel(penalty)))
        self._of_activities = Reading(lambda: resolved(activity(penalty, where="**")))
        if self._of_weights.error is not None and self._of_activities.error is not None:
            raise self._of_weights.error

    @as_written
    def __call__(self, x: Any) -> Any:
        """Return the penalty of a weight, or that of an output times the batch size."""
        if is_weight(x):
            x = keras.ops.convert_to_tensor(x)
            terms = self._of_weights.terms
            return penalty_of(x, [with_axis_number(term, x.shape) for term in terms])
        terms = self._of_activities.terms
        check_processes(x, terms)
        return times_samples(penalty_of(x, terms), x)

    def __repr__(self) -> str:
        readings = {"weights": self._of_weights, "activities": self._of_activities}
        of = {what: one.penalty for what, one in readings.items() if one.error is None}
        if len({repr(penalty) for penalty in of.values()}) == 1:
            return f"Regularizer({next(iter(of.values()))!r})"
        unstated = "of weights reduce='sum', of activities reduce='batch_mean'"
        return f"Regularizer({self.penalty!r}, {unstated})"


@_savable
class ActivityPenalty(Saved, keras.layers.Layer):
    """The identity, at which an activity is penalised; a padding mask counts.

    Args:
        penalty: as of `Regularizer`.
        **options: of any Keras layer, such as `name`.

    Raises:
        ArrayTypeError, ConfigurationError, RegimeError, StrengthTypeError: as of `Regularizer`.

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

    @as_written
    def call(self, x: Any, mask: Any = None) -> Any:
        """Return `x` itself, and add the penalty of what the mask leaves to the losses."""
        check_processes(x, self.penalty.terms)
        self.add_loss(penalty_of(x, self.penalty.terms, mask))
        return x

    def compute_output_spec(self, x: Any, mask: Any = None) -> Any:
        """Return what is known of the output, without a penalty of what is not known yet."""
        return keras.KerasTensor(x.shape, x.dtype)


@_savable
class Constraint(Saved, keras.constraints.Constraint):
    """A constraint of weights: `kernel_constraint=`, `bias_constraint=` and their like.

    Keras projects after each step of its optimizer. The projection is exact, without the ε of
    Keras' own; weights that were never in a step, such as initial ones, are as they are.

    Args:
        constraint: the constraint. Axes are as of `Regularizer`, and number the vectors, where
            those of Keras' constraints are summed over.

    Raises:
        ArrayTypeError: Keras runs on a backend whose arrays are not supported, as OpenVINO's.
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

    @as_written
    def __call__(self, w: Any) -> Any:
        """Return the projection of a weight."""
        w = standard(keras.ops.convert_to_tensor(w))
        return of_backend(with_axis_number(self.constraint, w.shape).project(w))
