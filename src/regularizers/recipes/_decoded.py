"""Checks what was read from JSON against a type, in words for the user."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from regularizers.errors import RunFolderError

T = TypeVar("T")


def decoded(content: Any, kind: type[T], path: Path, cure: str) -> T:
    """Return what was read from JSON as a value of a type, strictly.

    Args:
        content: what was read.
        kind: the type: of plain values, their containers, and dataclasses.
        path: the file, for the message.
        cure: what to do about it, for the message.

    Raises:
        RunFolderError: a value of another type, or a missing one.

    Example:
        >>> decoded({"units": 3}, dict[str, int], Path("metrics.json"), "delete it")
        {'units': 3}
        >>> decoded({"units": "3"}, dict[str, int], Path("metrics.json"), "delete it")
        Traceback (most recent call last):
        ...
        regularizers.errors.RunFolderError: metrics.json: expected int, got str; delete it
    """
    try:
        return msgspec.convert(content, kind)
    except msgspec.ValidationError as error:
        raise RunFolderError(f"{path}: {in_words(error)}; {cure}") from None


def in_words(error: msgspec.ValidationError) -> str:
    """Return a message of msgspec without its marks, the name of the field first.

    Example:
        >>> in_words(msgspec.ValidationError("Expected `int | null`, got `str` - at `$.units`"))
        'units: expected int | null, got str'
    """
    message, _, place = str(error).replace("`", "").partition(" - at ")
    words = message[:1].lower() + message[1:]
    where = re.sub(r"\[\.\.\.\]", "", place.removeprefix("$")).lstrip(".")
    return f"{where}: {words}" if where else words
