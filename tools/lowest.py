"""Prints the lowest versions that pyproject.toml allows, as a constraints file for pip.

    python tools/lowest.py > lowest.txt

Only what pyproject.toml names is in it: pip takes the newest of what that needs in its turn.
"""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

_BOUND = re.compile(r"(?P<name>[A-Za-z0-9._-]+)>=(?P<lowest>\d+(?:\.\d+)*)(?:,<\d+(?:\.\d+)*)?")


def project() -> dict[str, Any]:
    """Return what pyproject.toml says of the project."""
    text = (Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8")
    stated: dict[str, Any] = tomllib.loads(text)["project"]
    return stated


def lowest(requirements: list[str]) -> dict[str, str]:
    """Return the lowest version of each package; of two bounds the higher one.

    Raises:
        ValueError: a requirement has no lower bound.
    """
    found: dict[str, str] = {}
    for requirement in requirements:
        bound = _BOUND.fullmatch(requirement)
        if bound is None:
            raise ValueError(f"expected NAME>=VERSION or NAME>=VERSION,<VERSION, got {requirement}")
        found[bound["name"]] = max(found.get(bound["name"], "0"), bound["lowest"], key=_numbers)
    return found


def _numbers(version: str) -> list[int]:
    return [int(part) for part in version.split(".")]


if __name__ == "__main__":
    stated = project()
    extras = stated["optional-dependencies"]
    tried = [one for name in extras if name != "docs" for one in extras[name]]
    for name, version in sorted(lowest([*stated["dependencies"], *tried]).items()):
        print(f"{name}=={version}")
