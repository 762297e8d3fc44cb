"""The command line that uses the strengths that were found."""

from __future__ import annotations

import dataclasses
import shlex

from regularizers.recipes._settings import Settings, option
from regularizers.recipes.search._plan import Values

_OF_THE_SEARCH = ("search", "trials", "resume", "from_scratch")


def command_with(
    recipe: str, settings: Settings, values: Values, leave_out: tuple[str, ...] = ()
) -> str:
    """Return the command line of a run with these settings and strengths, without a search.

    Args:
        recipe: the name on the command line.
        settings: those of the search.
        values: the strengths, by option.
        leave_out: fields of the settings that the other run does not need.
    """
    words = ["regularizers", recipe]
    for field in dataclasses.fields(settings):
        given = getattr(settings, field.name)
        default = field.default
        if field.name in (*_OF_THE_SEARCH, *leave_out) or given == default:
            continue
        words += _words(option(field.name), given)
    for name, value in values.items():
        words += [f"--{name}", f"{value:g}"]
    return shlex.join(words)


def _words(name: str, given: object) -> list[str]:
    if isinstance(given, bool):
        return [f"--{name}" if given else f"--no-{name}"]
    if isinstance(given, tuple | list):
        return [f"--{name}", *map(str, given)]
    return [f"--{name}", str(given)]
