"""Markup in which nothing can be forgotten to be escaped."""

from __future__ import annotations

import html
from collections.abc import Iterable
from importlib import resources
from string import Template

_EMPTY = frozenset({"img", "line", "path", "rect", "meta"})


class Html(str):
    """Text that is markup; any other text is escaped where it joins it."""

    __slots__ = ()


def escaped(text: str) -> Html:
    """Return text as markup that shows it."""
    return text if isinstance(text, Html) else Html(html.escape(text))


def element(name: str, *children: str, **attributes: object) -> Html:
    """Return an element; of attributes, `class_` and `aria_label` are `class` and `aria-label`.

    Example:
        >>> element("td", "a < b", element("b", "c"), class_="number")
        '<td class="number">a &lt; b<b>c</b></td>'
    """
    said = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{html.escape(str(value))}"'
        for key, value in attributes.items()
    )
    if name in _EMPTY:
        return Html(f"<{name}{said}/>")
    return Html(f"<{name}{said}>{joined(children)}</{name}>")


def joined(children: Iterable[str], between: str = "") -> Html:
    """Return markup of all children, each escaped unless it is markup."""
    return Html(between.join(map(escaped, children)))


def read(name: str) -> str:
    """Return the text of a file beside this one."""
    return resources.files(__package__).joinpath(name).read_text(encoding="utf-8")


def filled(name: str, **parts: str) -> str:
    """Return the file `name` with each `$part` in its place, escaped unless it is markup."""
    return Template(read(name)).substitute({key: escaped(part) for key, part in parts.items()})
