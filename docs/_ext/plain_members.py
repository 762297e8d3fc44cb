"""What autodoc shows of constants, aliases of types, fields of named tuples, and signatures.

A constant has the docstring below its assignment, also where another module exports it. A field
stands under `Attributes:` of its class, and not as a member of its own. A class of Keras, whose
`__new__` takes anything, has the signature of its `__init__`.
"""

import inspect

from docutils import nodes
from public_names import docstring_of, homes
from sphinx.domains.python import PyObject
from sphinx.pycode import ModuleAnalyzer


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
