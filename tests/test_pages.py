"""The site without building it: each public name stands in one list, each page in one table."""

import re
from collections import Counter

import pytest
from public_names import homes

from pages.links import broken_links, outside, pages_of
from pages.names import unknown_names
from pages.sources import DOCS, EXAMPLES, PAGES, ROOT


def listed():
    """Return the public names in the lists of docs/api, written in full."""
    found = []
    for page in sorted((DOCS / "api").glob("*.md")):
        module = ""
        for line in page.read_text(encoding="utf-8").splitlines():
            if line.startswith(".. currentmodule:: "):
                module = line.split(":: ")[1]
            elif re.fullmatch(r"   \w+", line):
                found.append(f"{module}.{line.strip()}")
    return found


def test_every_public_name_is_in_one_list():
    assert [name for name, count in Counter(listed()).items() if count > 1] == []
    assert sorted(set(homes().values()) - set(listed())) == []
    assert sorted(set(listed()) - set(homes().values())) == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(DOCS)))
def test_links_of_a_page_lead_to_files(page):
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.DOTALL)
    targets = re.findall(r"\]\(([^)\s#]+)(?:#[^)]*)?\)", text)
    local = [t for t in targets if "://" not in t and not t.startswith("mailto:")]
    built = [t for t in local if any(name in t for name in ("examples/", "tutorials/"))]
    missing = [t for t in local if t not in built and not (page.parent / t).exists()]
    assert missing == []


def test_every_page_is_in_a_table_of_contents():
    entries = Counter()
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for block in re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL):
            for line in re.findall(r"^[\w/-]+$", block, re.MULTILINE):
                entries[(page.parent / f"{line}.md").resolve()] += 1
    pages = {page.resolve() for page in PAGES if page.name != "index.md" or page.parent != DOCS}
    assert sorted(str(p.relative_to(DOCS)) for p in pages - set(entries)) == []
    assert [p for p, count in entries.items() if count > 1] == []


def test_names_in_pages_and_examples_exist():
    assert unknown_names([*PAGES, *EXAMPLES, ROOT / "README.md"]) == []


def test_unknown_names_are_found(tmp_path):
    page = tmp_path / "page.md"
    page.write_text("`rz.L1(2)`, `rz.sae.trian`, `rz.TargetActve`")
    assert [name for _, name in unknown_names([page])] == ["rz.TargetActve", "rz.sae.trian"]


def test_broken_links_and_resources_from_outside_are_found(tmp_path):
    (tmp_path / "a.html").write_text(
        '<h1 id="here"></h1><a href="b.html">1</a><a href="#here">2</a><a href="#there">3</a>'
        '<a href="https://example.org">4</a><script src="https://example.org/x.js"></script>'
    )
    pages = pages_of(tmp_path)
    assert [link for _, link in broken_links(pages)] == ["#there", "b.html"]
    assert [url for _, url in outside(pages)] == ["https://example.org/x.js"]
