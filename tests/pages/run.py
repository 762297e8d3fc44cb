"""Checks a built site and prints a table; run by `make docs-check`, which has built it.

Every page is opened from its file in a browser. The exit status is 1 where anything is wrong.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "docs" / "_ext")]

from public_names import homes, value_of  # noqa: E402

from pages.browser import SCREENS, WORDS, a_browser, copied, look, search  # noqa: E402
from pages.links import broken_links, outside, pages_of  # noqa: E402
from pages.names import unknown_names, without_page_or_example  # noqa: E402
from pages.sources import EXAMPLES, PAGES  # noqa: E402

SOURCES = [*PAGES, *EXAMPLES, ROOT / "README.md"]

LONG = ("-tables.html", "changelog.html", "coming-from.html", "genindex.html", "py-modindex.html")
"""Pages of reference, which may be as long as what they list."""
LONG_FOLDERS = ("api/", "_modules/")
COPIED_FROM = "quickstart.html"


def main(site: Path) -> int:
    """Print what was found; return the exit status."""
    start = time.monotonic()
    pages = pages_of(site)
    names = {home: value_of(home) for home in homes().values()}
    found: dict[str, list[str]] = {}
    found["broken links"] = [f"{_short(p, site)}: {link}" for p, link in broken_links(pages)]
    found["resources from outside"] = [f"{_short(p, site)}: {url}" for p, url in outside(pages)]
    found["public names without a page or an example"] = without_page_or_example(site, names)
    found["names that do not exist"] = [f"{p.name}: {name}" for p, name in unknown_names(SOURCES)]
    found.update(_in_a_browser(site, sorted(pages)))
    size = sum(f.stat().st_size for f in site.rglob("*") if f.is_file()) / 2**20
    links = sum(len(page.links) for page in pages.values())
    print(f"{len(pages)} pages, {size:.1f} MiB, {links} links, {len(names)} public names")
    for what, faults in found.items():
        print(f"{len(faults):6}  {what}")
        for fault in faults[:40]:
            print(f"          {fault}")
    print(f"{time.monotonic() - start:.0f} s")
    return int(any(found.values()))


def _in_a_browser(site: Path, pages: list[Path]) -> dict[str, list[str]]:
    wrong, long, words, prompts = [], [], [], []
    with a_browser() as browser:
        for i, seen in enumerate(look(browser, site, pages), 1):
            if i % 25 == 0 or i == len(pages):
                print(f"{i} of {len(pages)} pages seen", file=sys.stderr, flush=True)
            wrong += [f"{seen.page}: {fault}" for fault in seen.faults]
            reference = seen.page.endswith(LONG) or seen.page.startswith(LONG_FOLDERS)
            if seen.screens > SCREENS and not reference:
                long.append(f"{seen.page}: {seen.screens:.1f} screens")
        results = search(browser, site.as_uri())
        words = [f"{word}: not found" for word in WORDS if not results[word]]
        texts = copied(browser, site, COPIED_FROM)
        if not texts:
            prompts.append(f"{COPIED_FROM}: no copy button")
        prompts += [f"{COPIED_FROM}: {text[:60]!r}" for text in texts if _has_prompt(text)]
    print(", ".join(f"{word}: {count} results" for word, count in results.items()))
    return {
        "faults in the browser": wrong,
        f"pages longer than {SCREENS} screens": long,
        "words that the search does not find": words,
        "copied texts with prompts": prompts,
    }


def _has_prompt(text: str) -> bool:
    return not text.strip() or any(sign in text for sign in (">>>", "... ", "$ "))


def _short(path: Path, site: Path) -> str:
    return str(path.relative_to(site))


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).resolve()))
