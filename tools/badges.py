"""Draws the README's badges from what pyproject.toml and constraints.txt say.

    python tools/badges.py

They are files of the repository: nothing is asked of another site when the README is read.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

from lowest import lowest, project

ROOT = Path(__file__).parents[1]

FOLDER = ROOT / "docs" / "_static" / "badges"


def badges() -> dict[str, str]:
    """Return the files of the badges, by their names."""
    stated = project()
    classifiers = [line.split(" :: ") for line in stated["classifiers"]]
    pythons = [line[-1] for line in classifiers if line[:-1] == ["Programming Language", "Python"]]
    first = lowest(stated["dependencies"])["torch"]
    pins = (ROOT / "constraints.txt").read_text(encoding="utf-8")
    tested = ".".join(re.findall(r"(?m)^torch==(.*)$", pins)[0].split(".")[:2])
    drawn = {
        "python": badge("python", " | ".join(pythons)),
        "pytorch": badge("PyTorch", f"{first} – {tested}"),
        "license": badge("license", stated["license"]),
    }
    if ["Typing", "Typed"] in classifiers:
        drawn["typed"] = badge("types", "strict")
    return {f"{name}.svg": text for name, text in drawn.items()}


def badge(label: str, value: str) -> str:
    """Return a drawing of two words side by side, 20 pixels high."""
    left, right = (round(6.6 * len(text)) + 12 for text in (label, value))
    words = escape(label), escape(value)
    return f"""\
<svg xmlns="http://www.w3.org/2000/svg" width="{left + right}" height="20" role="img">
  <title>{words[0]}: {words[1]}</title>
  <clipPath id="round"><rect width="{left + right}" height="20" rx="3"/></clipPath>
  <g clip-path="url(#round)">
    <rect width="{left}" height="20" fill="#4a4a4a"/>
    <rect x="{left}" width="{right}" height="20" fill="#0b6285"/>
  </g>
  <g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11">
    <text x="6" y="14" textLength="{left - 12}">{words[0]}</text>
    <text x="{left + 6}" y="14" textLength="{right - 12}">{words[1]}</text>
  </g>
</svg>
"""


if __name__ == "__main__":
    FOLDER.mkdir(parents=True, exist_ok=True)
    for name, text in badges().items():
        (FOLDER / name).write_text(text, encoding="utf-8")
