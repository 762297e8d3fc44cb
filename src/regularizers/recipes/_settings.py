"""Checks the settings of all recipes, and converts them to and from JSON."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from types import UnionType
from typing import (
    Any,
    ClassVar,
    Literal,
    Protocol,
    TypeAlias,
    TypeVar,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

import msgspec

from regularizers.errors import ConfigurationError
from regularizers.recipes._decoded import in_words

Architecture: TypeAlias = Literal["jumprelu", "topk", "batchtopk", "gated", "l1"]
"""Those of `rz.sae.SparseAutoencoder`, which is not imported before a command is understood."""

Scale: TypeAlias = Literal["standard", "minmax", "robust", "none"]
"""Scalers of scikit-learn: StandardScaler, MinMaxScaler, RobustScaler, and none."""

_OF_RESUMING = ("resume", "from_scratch")
_NOT_SAVED = ("runs", *_OF_RESUMING)

OF_FOLDER = ("format", "recipe", "data_digest")
"""What a run folder keeps beside the settings."""


class Settings(Protocol):
    """A frozen dataclass in which every setting has a default."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @property
    def runs(self) -> Path:
        """Folder in which the folder of this run is made."""

    @property
    def resume(self) -> Path | None:
        """Folder of an interrupted run to go on with."""

    @property
    def from_scratch(self) -> tuple[str, ...]:
        """Networks of that run to train anew."""

    def check(self) -> None:
        """Raise a `RegularizersError` unless every setting is valid."""


S = TypeVar("S", bound=Settings)


def check(name: str, holds: bool, expected: str, got: object) -> None:
    """Raise a `ConfigurationError` that names the setting, unless `holds`."""
    if not holds:
        raise ConfigurationError(f"{name}: expected {expected}, got {got}")


def check_counts(**counts: int | None) -> None:
    """Raise a `ConfigurationError` unless each is 1 or more, or None (not chosen yet)."""
    for name, count in counts.items():
        check(option(name), count is None or count >= 1, "1 or more", count)


def check_rate(name: str, rate: float) -> None:
    """Raise a `ConfigurationError` unless a learning rate is positive and finite."""
    check(name, math.isfinite(rate) and rate > 0, "positive and finite", rate)


def epochs_for(steps: int, samples: int, batch_size: int) -> int:
    """Return the number of epochs for at least `steps` updates."""
    return math.ceil(steps / math.ceil(samples / batch_size))


def option(name: str) -> str:
    """Return the name of a field on the command line."""
    return name.replace("_", "-")


def changed(settings: Settings) -> list[str]:
    """Return the options that are not at their defaults, but for those of resuming."""
    return [
        f"--{option(f.name)}"
        for f in dataclasses.fields(settings)
        if f.name not in _OF_RESUMING and getattr(settings, f.name) != f.default
    ]


def to_json(settings: Settings) -> dict[str, Any]:
    """Return the settings that determine the run, as plain values."""
    return {
        name: str(value.resolve()) if isinstance(value, Path) else value
        for name, value in dataclasses.asdict(settings).items()
        if name not in _NOT_SAVED
    }


def from_json(kind: type[S], kept: dict[str, Any]) -> S:
    """Return the settings from the values of `to_json`; one that is missing is at its default.

    Args:
        kind: the dataclass of the settings.
        kept: the values, and what a run folder holds beside them.

    Raises:
        ConfigurationError: a setting that is not known, or one of another type.
    """
    hints = {n: hint for n, hint in get_type_hints(kind).items() if n not in _NOT_SAVED}
    values = {name: value for name, value in kept.items() if name not in OF_FOLDER}
    if unknown := [name for name in values if name not in hints]:
        raise ConfigurationError(
            f"expected settings that this version has, got {', '.join(map(repr, unknown))} too"
        )
    fields = [(name, _as_saved(hint)) for name, hint in hints.items() if name in values]
    try:
        read = msgspec.convert(values, msgspec.defstruct("Kept", fields))
    except msgspec.ValidationError as error:
        raise ConfigurationError(in_words(error)) from None
    return kind(**{name: _restored(getattr(read, name), hints[name]) for name in values})


def _as_saved(hint: Any) -> Any:
    """Return the type in which values of a type are saved: a path is text."""
    arguments = get_args(hint)
    if hint is Path:
        return str
    if get_origin(hint) in (Union, UnionType):
        return Union[tuple(_as_saved(one) for one in arguments)]  # noqa: UP007 - of a tuple
    return hint


def _restored(value: Any, hint: Any) -> Any:
    """Return a value as it was before it was saved."""
    kinds = get_args(hint) or (hint,)
    return Path(value) if isinstance(value, str) and Path in kinds else value
