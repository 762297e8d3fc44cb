"""The keys under which version 0.1 saved states."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from regularizers._keys import renamed

_BY_KEY = ("rules", "strengths", "controllers")


def with_todays_keys(state: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a state under today's keys; anything else is returned unchanged."""
    rules = state.get("rules") if isinstance(state, Mapping) else None
    if not isinstance(rules, Mapping):
        return state
    names = renamed([key for key in rules if isinstance(key, str)])
    moved = {
        part: {names.get(key, key): value for key, value in state[part].items()}
        for part in _BY_KEY
        if isinstance(state.get(part), Mapping)
    }
    return {**state, **moved}
