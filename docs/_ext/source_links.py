"""Mends the links of source pages back to the documentation.

`sphinx.ext.viewcode` keeps one package for each module, and names the anchor after it. A module
whose names have pages under two packages gets anchors that do not exist; the page is enough there.
"""

import re
from pathlib import Path

LINK = re.compile(r'(href="[^"#]*/api/generated/)(regularizers[\w.]*)\.html#([\w.]+)"')


def mend(app, error):
    """Drop the anchor where it is not the name that the page is about."""
    if error or app.builder.format != "html":
        return
    for page in Path(app.outdir, "_modules").rglob("*.html"):
        text = page.read_text(encoding="utf-8")
        mended = LINK.sub(_without_wrong_anchor, text)
        if mended != text:
            page.write_text(mended, encoding="utf-8")


def _without_wrong_anchor(match):
    start, home, anchor = match.groups()
    if anchor == home or anchor.startswith(f"{home}."):
        return match[0]
    return f'{start}{home}.html"'


def setup(app):
    """Mend at the end of a build."""
    app.connect("build-finished", mend)
    return {"parallel_read_safe": True}
