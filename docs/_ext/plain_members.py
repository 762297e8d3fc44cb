"""What autodoc shows of constants, aliases of types, fields of named tuples, and signatures.

A constant has the docstring below its assignment, also where another module exports it. A field
stands under `Attributes:` of its class, and not as a member of its own. A class of Keras, whose
`__new__` takes anything, has the signature of its `__init__`.
"""

import ast
import importlib.util
import inspect
from functools import cache
from inspect import cleandoc
from itertools import pairwise
from pathlib import Path

from docutils import nodes
from public_names import homes
from sphinx.domains.python import PyObject
from sphinx.pycode import ModuleAnalyzer


def docstring_of(name):
    """Return the docstring below the assignment of a name written in full; None of others."""
    module, _, own = name.rpartition(".")
    body = _body(module)
    for node in body:
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if own == (alias.asname or alias.name):
                    return docstring_of(f"{node.module}.{alias.name}")
    for node, below in pairwise(body):
        if own in _assigned(node) and isinstance(below, ast.Expr):
            text = getattr(below.value, "value", None)
            return cleandoc(text) if isinstance(text, str) else None
    return None


def _assigned(node):
    targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
    return [target.id for target in targets if isinstance(target, ast.Name)]


@cache
def _body(module):
    try:
        spec = importlib.util.find_spec(module)
    except (ImportError, ValueError):
        return []
    if spec is None or not str(spec.origin).endswith(".py"):
        return []
    return ast.parse(Path(spec.origin).read_text(encoding="utf-8")).body


def _note_docstrings(app):
    for full in homes():
        if text := docstring_of(full):
            module, _, own = full.rpartition(".")
            analyzer = ModuleAnalyzer.for_module(module)
            analyzer.analyze()
            analyzer.attr_docs[("", own)] = [*text.splitlines(), ""]


def _skip_fields(app, what, name, obj, skip, options):
    return True if type(obj).__name__ == "_tuplegetter" else None


def _own_signature(app, what, name, obj, options, signature, returned):
    if what == "class" and signature == "(*args, **kwargs)":
        _self, *others = inspect.signature(obj.__init__).parameters.values()
        return str(inspect.Signature(others)), returned
    return None


def _drop_empty_bases(app, tree):
    for paragraph in list(tree.findall(nodes.paragraph)):
        if paragraph.astext() == "Bases: object":
            paragraph.parent.remove(paragraph)


def setup(app):
    """Connect to autodoc, and call attributes by their name."""
    for field in PyObject.doc_field_types:
        if field.name == "variable":
            field.label = "Attributes"
    app.connect("autodoc-process-signature", _own_signature)
    app.connect("builder-inited", _note_docstrings, priority=100)
    app.connect("autodoc-skip-member", _skip_fields)
    app.connect("doctree-read", _drop_empty_bases)
    return {"parallel_read_safe": True}
