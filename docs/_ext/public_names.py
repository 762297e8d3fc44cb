"""The public names, and the one page of each."""

import ast
import importlib
import importlib.util
import inspect
import os
from functools import cache
from itertools import pairwise
from pathlib import Path

os.environ.setdefault("KERAS_BACKEND", "torch")

ROOMS = (
    "regularizers.errors",
    "regularizers",
    "regularizers.pruning",
    "regularizers.penalties",
    "regularizers.control",
    "regularizers.constraints",
    "regularizers.functional",
    "regularizers.layers",
    "regularizers.monitor",
    "regularizers.sae",
    "regularizers.recipes",
    "regularizers.testing",
    "regularizers.integrations.lightning",
    "regularizers.integrations.transformers",
    "regularizers.integrations.keras",
    "regularizers.integrations.optax",
    "regularizers.integrations.flax",
)
"""Packages with public names, the first that has a name being its home."""


@cache
def homes():
    """Map each public name as written in full, such as `regularizers.penalties.L1`, to its home."""
    found, first = {}, {}
    for room in ROOMS:
        module = importlib.import_module(room)
        for name in module.__all__:
            value = getattr(module, name)
            if inspect.ismodule(value):
                continue
            home = f"{room}.{name}"
            if callable(value):  # constants may be equal and yet two
                home = first.setdefault((id(value), name), home)
            found[f"{room}.{name}"] = home
    return found


@cache
def written():
    """Map what prose calls a name, `L1`, `layers.DropPath`, `rz.sae.train`, to its home.

    A name that two packages have, such as `load`, is not found by its last part alone.
    """
    found, twice = {}, set()
    for full, home in homes().items():
        short = full.removeprefix("regularizers.")
        parts = short.split(".")
        for start in range(len(parts)):
            said = ".".join(parts[start:])
            if found.setdefault(said, home) != home and "." not in said:
                twice.add(said)
    top = set(importlib.import_module("regularizers").__all__)
    for said in twice - top:
        del found[said]
    for home in homes().values():
        value = value_of(home)
        if inspect.isclass(value):
            for member, what in vars(value).items():
                is_field = type(what).__name__ == "_tuplegetter"  # it has no place of its own
                if not member.startswith("_") and not is_field:
                    found.setdefault(f"{home.rpartition('.')[2]}.{member}", f"{home}.{member}")
    for member in vars(value_of("regularizers.Regularization")):
        if not member.startswith("_"):
            found[f"reg.{member}"] = f"regularizers.Regularization.{member}"
    return found


def value_of(home):
    """Return what a name written in full is."""
    module, _, name = home.rpartition(".")
    return getattr(importlib.import_module(module), name)


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
            return inspect.cleandoc(text) if isinstance(text, str) else None
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
