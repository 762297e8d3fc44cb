"""Says which framework is missing or too old, and the line that installs it."""

from __future__ import annotations

import re
from importlib import metadata

from regularizers.errors import FrameworkError


def check_framework(name: str, least: str) -> None:
    """Raise unless a framework is installed in a version that will do.

    Args:
        name: of the distribution, as pip knows it.
        least: the lowest version.

    Raises:
        FrameworkError: it is missing or older.
    """
    try:
        found = metadata.version(name)
    except metadata.PackageNotFoundError:
        found = None
    if found is None or _numbers(found) < _numbers(least):
        raise FrameworkError(
            f"{name}: expected version {least} or later, got {found or 'none'}; "
            f"pip install '{name}>={least}', or 'regularizers[integrations]' for all frameworks"
        )


def _numbers(version: str) -> tuple[int, ...]:
    """Return the numbers of a release, such as (2, 6, 1) of 2.6.1rc1, without zeros at the end."""
    release = re.match(r"\d+(\.\d+)*", version)
    numbers = [int(part) for part in release[0].split(".")] if release else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)
