"""Names in the pages: each public one has a page with an example, and each that is said exists."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from pathlib import Path

import regularizers

SAID = re.compile(r"\brz((?:\.[A-Za-z_]\w*)+)")
EXAMPLE = "&gt;&gt;&gt; "


def without_page_or_example(site: Path, homes: Mapping[str, object]) -> list[str]:
    """Return public names without a page, and classes and functions whose page has no example."""
    missing = []
    for home, value in sorted(homes.items()):
        page = site / "api" / "generated" / f"{home}.html"
        if not page.is_file():
            missing.append(f"{home}: no page")
        elif _is_called(home, value) and EXAMPLE not in page.read_text(encoding="utf-8"):
            missing.append(f"{home}: no example")
    return missing


def unknown_names(sources: list[Path]) -> list[tuple[Path, str]]:
    """Return names such as `rz.L1` in Markdown and in examples that the library does not have."""
    return [
        (path, f"rz{name}")
        for path in sources
        for name in sorted(set(SAID.findall(path.read_text(encoding="utf-8"))))
        if not _exists(name.strip("."))
    ]


def _is_called(home: str, value: object) -> bool:
    """Return whether a name is a class or a function; a constant or an alias of a type is none."""
    defined = inspect.isclass(value) or inspect.isfunction(value)
    return defined and getattr(value, "__name__", None) == home.rpartition(".")[2]


def _exists(name: str) -> bool:
    value: object = regularizers
    for part in name.split("."):
        try:
            value = getattr(value, part)
        except (AttributeError, ImportError):
            return False
    return True
