"""Checks the settings of a search."""

from __future__ import annotations

import difflib
from collections.abc import Collection, Sequence

from regularizers.errors import ConfigurationError
from regularizers.recipes._settings import Settings, changed, check_counts
from regularizers.recipes.search._plan import Strength


def check_search(
    names: Sequence[str],
    trials: int | None,
    available: Sequence[Strength],
    settings: Settings,
    *,
    off: Collection[str] | None = None,
) -> tuple[Strength, ...]:
    """Return the strengths that are searched.

    Args:
        names: those of `--search`.
        trials: that of `--trials`; None if it was not given.
        available: what can be searched.
        settings: those of the run, which say what else was given.
        off: those that are off unless they are searched, so that none may be given; by default
            all of them.

    Raises:
        ConfigurationError: an unknown or repeated name, no trial, trials without a search, a
            strength that is both given and searched, or `optuna` is not installed.
    """
    if not names:
        if trials is not None:
            raise ConfigurationError(
                f"trials: expected --search NAMES with it, got --trials {trials} alone"
            )
        return ()
    known = {strength.name: strength for strength in available}
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.4)
            hint = f"; did you mean {near[0]}?" if near else ""
            raise ConfigurationError(
                f"search: expected some of {', '.join(known)}, got {name!r}{hint}"
            )
        if names.count(name) > 1:
            raise ConfigurationError(f"search: expected each name once, got {name} twice")
    check_counts(trials=trials)
    _check_given(names, settings, known, known if off is None else off)
    try:
        import optuna  # noqa: F401
    except ModuleNotFoundError as error:
        raise ConfigurationError(
            f"search: expected {error.name}, which is not installed: "
            f"pip install 'regularizers[search]'"
        ) from None
    return tuple(known[name] for name in names)


def _check_given(
    names: Sequence[str], settings: Settings, known: Collection[str], off: Collection[str]
) -> None:
    given = [option[2:] for option in changed(settings)]
    for name in given:
        if name not in known:
            continue
        value = getattr(settings, name.replace("-", "_"))
        if name in names:
            raise ConfigurationError(
                f"{name}: expected either a strength or a search for it, got --{name} {value:g} "
                f"beside --search {' '.join(names)}; leave one of them out"
            )
        if name in off:
            raise ConfigurationError(
                f"{name}: expected no strength beside those that are searched, which act alone, "
                f"got --{name} {value:g}; leave it out, or say --search {' '.join(names)} {name}"
            )
