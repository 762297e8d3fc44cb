"""Makes a public name in inline code a link to its page, in pages and in docstrings.

The Markdown stays what it is elsewhere: `L1(5e-3)` between backticks.
"""

import re

from docutils import nodes
from public_names import written
from sphinx import addnodes
from sphinx.transforms import SphinxTransform

HEAD = re.compile(r"(?:rz\.|regularizers\.)?([A-Za-z_][\w.]*)")

FACES = {
    f"regularizers.{name}"
    for name in ("Penalty", "Schedule", "Target", "Law", "Constraint", "monitor.Metric")
} | {"regularizers.errors.RegularizersError"}
"""Bases whose pages have the methods that users call."""


class Link(SphinxTransform):
    """Replaces inline code that begins with a public name by a link."""

    default_priority = 500

    def apply(self, **kwargs):
        """Link names, and strip the empty line that doctest needs before a fence."""
        for block in self.document.findall(nodes.literal_block):
            text = block.astext().rstrip()
            block[:] = [nodes.Text(text)]
            block.rawsource = text
        for node in list(self.document.findall(nodes.literal)):
            inside = isinstance(node.parent, addnodes.pending_xref | nodes.reference)
            match = HEAD.match(node.astext())
            if inside or match is None or not self._is_meant(match) or _is_title(node):
                continue
            reference = addnodes.pending_xref(
                "",
                refdomain="py",
                reftype="obj",
                reftarget=written()[match[1]],
                refdoc=self.env.docname,
            )
            node.replace_self(reference)
            reference += node

    def _is_meant(self, match):
        """Return whether a word is a name of the library: a bare `load` in prose may be others'."""
        said, name = match[0], match[1]
        home = written().get(name)
        if home is None or said != name or "." in name:
            return home is not None
        if name[0].isupper():
            return not home.startswith("regularizers.integrations.")
        called = match.string[match.end() :].startswith("(")
        in_docstring = self.env.docname.startswith("api/generated/")
        return home == f"regularizers.{name}" and (called or in_docstring)


def show_public_bases(app, name, obj, options, bases):
    """Show the base that a user knows: `Penalty` for `L1`, not what its formula is built upon."""
    shown = []
    for base in bases:
        kinds = [kind for kind in getattr(base, "__mro__", ()) if kind is not object]
        homes = [written().get(kind.__name__) for kind in kinds]
        faces = [kind for kind, home in zip(kinds, homes, strict=True) if home in FACES]
        others = [kind for kind in kinds if not kind.__module__.startswith("regularizers")]
        shown += [kind for kind in (faces or others)[:1] if kind not in shown]
    bases[:] = shown or [object]


def resolve_private_path(app, env, node, content):
    """Resolve `regularizers.penalties._l1.L1`, the path of the source, to the public page."""
    target = node.get("reftarget", "")
    home = written().get(target.rpartition(".")[2])
    if not target.startswith("regularizers.") or home is None or home == target:
        return None
    domain = env.domains["py"]
    return domain.resolve_xref(env, node["refdoc"], app.builder, "obj", home, node, content)


def _is_title(node):
    while node is not None:
        if isinstance(node, nodes.title):
            return True
        node = node.parent
    return False


def setup(app):
    """Register the transform and what resolves names."""
    app.add_transform(Link)
    app.connect("autodoc-process-bases", show_public_bases)
    app.connect("missing-reference", resolve_private_path)
    return {"parallel_read_safe": True}
