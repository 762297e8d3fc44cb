"""Labels of samples as probabilities of classes, which can be mixed."""

from __future__ import annotations

import array_api_compat

from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError
from regularizers.functional._settings import check_classes
from regularizers.penalties.arrays import Array, Namespace, widen


def soft_labels(xp: Namespace, x: Array, labels: Array, classes: int | None) -> Array:
    """Return `labels` as probabilities of shape (samples, classes); raise unless they are labels.

    Raises:
        ArrayTypeError: labels that are no array of the library of `x`, or of another type.
        ShapeError: not one label for each sample.
        ConfigurationError: a number of classes that is missing or does not fit; labels that are no
            classes or no probabilities.
    """
    is_array = array_api_compat.is_array_api_obj(labels)
    if not (is_array and array_api_compat.array_namespace(labels) is xp):
        raise ArrayTypeError(
            f"labels: expected an array of the library of the inputs ({xp.__name__}), "
            f"got {type(labels).__name__}"
        )
    if classes is not None:
        check_classes(classes)
    if xp.isdtype(labels.dtype, "integral"):
        return _one_hot(xp, x, labels, classes)
    if xp.isdtype(labels.dtype, "real floating"):
        _check_probabilities(xp, x, labels, classes)
        return labels
    raise ArrayTypeError(
        f"labels: expected integers, the numbers of classes, or floats, their probabilities, "
        f"got {labels.dtype}"
    )


def _one_hot(xp: Namespace, x: Array, labels: Array, classes: int | None) -> Array:
    samples = x.shape[0]
    if tuple(labels.shape) != (samples,):
        raise ShapeError(
            f"labels: expected shape ({samples},), one class for each sample, "
            f"got {tuple(labels.shape)}"
        )
    if classes is None:
        raise ConfigurationError(
            "classes: expected the number of classes for labels that are integers, got None; pass "
            "classes=10, for example, or labels of probabilities"
        )
    low, high = int(xp.min(labels)), int(xp.max(labels))
    if low < 0 or high >= classes:
        raise ConfigurationError(
            f"labels: expected classes from 0 to {classes - 1}, got labels from {low} to {high}; "
            f"classes= says how many there are, and labels that mean no class are left out"
        )
    numbers = xp.arange(classes, device=array_api_compat.device(labels))
    return xp.astype(labels[:, None] == numbers[None, :], x.dtype)


def _check_probabilities(xp: Namespace, x: Array, labels: Array, classes: int | None) -> None:
    samples = x.shape[0]
    if labels.ndim != 2 or labels.shape[0] != samples:
        raise ShapeError(
            f"labels: expected shape ({samples}, classes), probabilities for each sample, "
            f"got {tuple(labels.shape)}"
        )
    if classes is not None and labels.shape[1] != classes:
        raise ConfigurationError(
            f"classes: expected {labels.shape[1]}, as the labels have, got {classes}; it may be "
            f"left out"
        )
    tolerance = max(4 * float(xp.finfo(labels.dtype).eps), 1e-4)
    wide = widen(xp, labels)
    off = float(xp.max(xp.abs(xp.sum(wide, axis=1) - 1)))
    low = float(xp.min(wide))
    if not (off <= tolerance and low >= -tolerance):
        raise ConfigurationError(
            f"labels: expected probabilities whose sum is 1 for each sample, got sums up to "
            f"{off:.3g} away from 1 and a smallest of {low:.3g}; for integer classes pass integers"
        )
