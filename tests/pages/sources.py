"""The files that the site is made from, without what its build writes."""

from __future__ import annotations

from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"

PAGES = [
    path
    for path in sorted(DOCS.rglob("*.md"))
    if not str(path.relative_to(DOCS)).startswith(("api/generated/", "examples/", "tutorials/"))
]
"""The pages in Markdown."""

EXAMPLES = [
    path for folder in ("examples", "tutorials") for path in sorted((ROOT / folder).glob("*.py"))
]
"""The programs of the gallery and of the tutorials."""
