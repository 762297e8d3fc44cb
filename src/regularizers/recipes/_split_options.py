"""The settings that say which samples validate."""

from __future__ import annotations

from pathlib import Path

from regularizers.errors import ConfigurationError
from regularizers.recipes._settings import check


def check_split(validation: float | Path, group: str | None, time: str | None) -> None:
    """Raise a `ConfigurationError` unless the settings say one way to split samples.

    Args:
        validation: the fraction of the samples that validate, or a file of others.
        group: the column whose rows of one value stay together.
        time: the column by which the last rows validate.
    """
    if not isinstance(validation, Path):
        # a NaN is in no range
        check("validation", 0 < validation < 1, "between 0 and 1, or a file", validation)
    if group is not None and time is not None:
        raise ConfigurationError(
            f"group: expected --group {group} or --time {time}, got both; choose one"
        )
    for option, column in (("group", group), ("time", time)):
        if column is not None and isinstance(validation, Path):
            raise ConfigurationError(
                f"{option}: expected a fraction for --validation with it, got the file "
                f"{validation}, which is a part already; say --drop {column} to leave it out"
            )
