"""What the HTML of the site says by itself: links within it, and what it loads from outside."""

from __future__ import annotations

from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADS = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}
"""The attribute by which each element loads something when the page is opened."""


@dataclass
class Page(HTMLParser):
    """The anchors, links and loaded resources of one page."""

    path: Path
    anchors: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loads: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self.feed(self.path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        values = {key: value for key, value in attrs if value}
        self.anchors.update(values[key] for key in ("id", "name") if key in values)
        if tag in LOADS and LOADS[tag] in values and values.get("rel") != "canonical":
            self.loads.append(values[LOADS[tag]])
        self.links += [values[key] for key in ("href", "src") if key in values]


def pages_of(site: Path) -> dict[Path, Page]:
    """Read every page of a site."""
    return {path.resolve(): Page(path.resolve()) for path in sorted(site.rglob("*.html"))}


def broken_links(pages: dict[Path, Page]) -> list[tuple[Path, str]]:
    """Return the links within the site that lead nowhere, with the page each is on."""
    return [
        (path, link)
        for path, page in pages.items()
        for link in sorted(set(page.links))
        if not _leads_somewhere(path, link, pages)
    ]


def outside(pages: dict[Path, Page]) -> list[tuple[Path, str]]:
    """Return the resources that a page loads from another host."""
    return [
        (path, url) for path, page in pages.items() for url in page.loads if urlsplit(url).netloc
    ]


def _leads_somewhere(path: Path, link: str, pages: dict[Path, Page]) -> bool:
    url = urlsplit(link)
    if url.scheme or url.netloc:
        return True
    target = (path.parent / unquote(url.path)).resolve() if url.path else path
    if target not in pages or not url.fragment:
        return target.exists()
    return unquote(url.fragment) in pages[target].anchors
