"""Fills the templates of this folder: all is escaped, and a part that is missing is an error."""

from __future__ import annotations

import re
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from regularizers._text import visible


def render(name: str, **parts: object) -> str:
    """Return the template `name`, filled."""
    return _templates().get_template(name).render(parts)


def _templates() -> Environment:
    templates = Environment(
        loader=PackageLoader("regularizers.recipes.sparse_autoencoder.report"),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=_without_control,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    templates.filters["options_apart"] = options_apart
    return templates


def _without_control(value: Any) -> Any:
    """Return what a template prints; of text, line breaks and control characters as escapes."""
    return visible(value) if isinstance(value, str) and not isinstance(value, Markup) else value


def options_apart(text: str) -> list[str]:
    """Return text in parts of which each second is an option of the command line.

    Example:
        >>> options_apart("Give it more --steps.")
        ['Give it more ', '--steps', '.']
    """
    return re.split(r"(--[a-z0-9-]+)", text)
