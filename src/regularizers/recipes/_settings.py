"""Checks the settings of all recipes, and converts them to and from JSON."""

from __future__ import annotations

import dataclasses
import math
from pathlib import Path
from typing import Any, ClassVar, Literal, Protocol, TypeAlias, TypeVar

from regularizers.errors import ConfigurationError

Architecture: TypeAlias = Literal["jumprelu", "topk", "batchtopk", "gated", "l1"]
"""Those of `rz.sae.SparseAutoencoder`, which is not imported before a command is understood."""

Scale: TypeAlias = Literal["standard", "minmax", "robust", "none"]
"""Scalers of scikit-learn: StandardScaler, MinMaxScaler, RobustScaler, and none."""

_NOT_SAVED = ("runs", "resume")


class Settings(Protocol):
    """A frozen dataclass in which every setting has a default."""

    __dataclass_fields__: ClassVar[dict[str, dataclasses.Field[Any]]]

    @property
    def runs(self) -> Path:
        """Folder in which the folder of this run is made."""

    @property
    def resume(self) -> Path | None:
        """Folder of an interrupted run to go on with."""

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
    """Return the options, other than `--resume`, that are not at their defaults."""
    return [
        f"--{option(f.name)}"
        for f in dataclasses.fields(settings)
        if f.name != "resume" and getattr(settings, f.name) != f.default
    ]


def to_json(settings: Settings) -> dict[str, Any]:
    """Return the settings that determine the run, as plain values."""
    return {
        name: str(value.resolve()) if isinstance(value, Path) else value
        for name, value in dataclasses.asdict(settings).items()
        if name not in _NOT_SAVED
    }


def from_json(kind: type[S], kept: dict[str, Any]) -> S:
    """Return the settings from the values of `to_json`."""
    known = {f.name: f for f in dataclasses.fields(kind)}

    def restored(name: str, value: Any) -> Any:
        if isinstance(value, str) and "Path" in str(known[name].type):
            return Path(value)
        return tuple(value) if isinstance(value, list) else value

    return kind(**{name: restored(name, value) for name, value in kept.items() if name in known})
