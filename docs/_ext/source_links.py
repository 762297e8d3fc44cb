"""Mends the links of source pages back to the documentation.

`sphinx.ext.viewcode` links every class and method of a module. Methods that keep their parent's
contract have no place of their own, and of a module whose names are public in two packages it knows
one. There the link leads to the page.
"""

import re
from functools import cache
from pathlib import Path

LINK = re.compile(r'href="([^"#]*api/generated/[^"#]+\.html)#([^"]+)"')
ANCHOR = re.compile(r'\bid="([^"]+)"')


def mend(app, error):
    """Drop the anchors that do not exist."""
    if error or app.builder.format != "html":
        return
    for page in Path(app.outdir, "_modules").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        mended = LINK.sub(lambda match, page=page: _without_missing(page, match), text)
        if mended != text:
            page.write_text(mended, encoding="utf-8")


def _without_missing(page, match):
    target, anchor = match.groups()
    known = _anchors((page.parent / target).resolve())
    return match[0] if anchor in known else f'href="{target}"'


@cache
def _anchors(path):
    return frozenset(ANCHOR.findall(path.read_text(encoding="utf-8")))


def setup(app):
    """Mend at the end of a build."""
    app.connect("build-finished", mend)
    return {"parallel_read_safe": True}
