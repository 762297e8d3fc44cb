"""What a browser sees: errors, requests, width on a phone, length, formulas, search and copying."""

from __future__ import annotations

import functools
import http.server
import shutil
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

LAPTOP = {"width": 1440, "height": 900}
PHONE = {"width": 390, "height": 844}
SCREENS = 8
"""The length of a page that is no table, in screens of a laptop."""
WORDS = ("saturation", "padding", "TargetActive")
"""Words that the search finds."""

_COPY = "button.copybtn"


@dataclass(frozen=True)
class Seen:
    """One page as it was seen: faults in words, and its length in screens of a laptop."""

    page: str
    faults: tuple[str, ...]
    screens: float


@contextmanager
def a_browser() -> Iterator[Browser]:
    """Start the Chromium of the machine without a screen."""
    named = ("chromium", "chromium-browser", "google-chrome")
    found = next(filter(None, map(shutil.which, named)), None)
    if found is None:
        raise SystemExit("docs-check: expected a Chromium; on Debian: apt install chromium")
    with sync_playwright() as tools:
        browser = tools.chromium.launch(executable_path=found, args=["--no-sandbox"])
        yield browser
        browser.close()


def look(browser: Browser, site: Path, pages: list[Path]) -> Iterator[Seen]:
    """Open each page from its file, wide and on a phone."""
    said: list[str] = []
    page = browser.new_page(viewport=LAPTOP)
    page.on("console", lambda line: said.append(line.text) if line.type == "error" else None)
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: _note_outside(request.url, said))
    for path in pages:
        said.clear()
        page.set_viewport_size(LAPTOP)
        page.goto(path.as_uri(), wait_until="load")
        screens = page.evaluate("document.documentElement.scrollHeight") / LAPTOP["height"]
        undrawn = page.evaluate(
            "[...document.querySelectorAll('.katex-source')]"
            ".filter(node => !node.querySelector('.katex')).length"
        )
        page.set_viewport_size(PHONE)
        width = page.evaluate("document.documentElement.scrollWidth")
        faults = [f"console: {line}" for line in said]
        faults += [f"{undrawn} formulas are not drawn"] if undrawn else []
        faults += [f"{width} px wide on a phone of {PHONE['width']}"] * (width > PHONE["width"])
        yield Seen(str(path.relative_to(site)), tuple(faults), screens)
    page.close()


def search(browser: Browser, root: str) -> dict[str, int]:
    """Return how many results the search of the site has for each word."""
    page, found = browser.new_page(), {}
    for word in WORDS:
        page.goto(f"{root}/search.html?q={word}")
        page.wait_for_function("!document.querySelector('#search-progress')?.textContent.trim()")
        page.wait_for_selector("#search-results p.search-summary", state="attached")
        page.wait_for_function(
            "!/Searching/.test(document.querySelector('#search-results').innerText)"
        )
        found[word] = page.locator("#search-results li").count()
    page.close()
    return found


def copied(browser: Browser, site: Path, page_name: str) -> list[str]:
    """Return what each copy button of a page puts on the clipboard."""
    with _served(site) as root:
        context = browser.new_context()
        context.grant_permissions(["clipboard-read", "clipboard-write"])
        page = context.new_page()
        page.goto(f"{root}/{page_name}")
        texts = [_press(page, i) for i in range(page.locator(_COPY).count())]
        context.close()
    return texts


def _press(page: Page, index: int) -> str:
    button = page.locator(_COPY).nth(index)
    button.dispatch_event("click")
    page.wait_for_timeout(50)
    return str(page.evaluate("navigator.clipboard.readText()"))


def _note_outside(url: str, said: list[str]) -> None:
    if not url.startswith(("file:", "data:", "blob:")):
        said.append(f"asks {url}")


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args: object) -> None:
        """Say nothing."""


@contextmanager
def _served(site: Path) -> Iterator[str]:
    handler = functools.partial(_Quiet, directory=str(site))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
