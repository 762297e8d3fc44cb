"""The public names, and the one page of each."""

import importlib
import inspect
import os
from functools import cache

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


def names_of(module):
    """Return the names that a package states as public."""
    stated = getattr(module, "__all__", None)
    if stated is not None:
        return list(stated)
    own = [n for n, v in vars(module).items() if getattr(v, "__module__", "") == module.__name__]
    return [name for name in own if not name.startswith("_")]


@cache
def homes():
    """Map each public name as written in full, such as `regularizers.penalties.L1`, to its home."""
    found, first = {}, {}
    for room in ROOMS:
        module = importlib.import_module(room)
        for name in names_of(module):
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
        value = _value(home)
        if inspect.isclass(value):
            for member, what in vars(value).items():
                is_field = type(what).__name__ == "_tuplegetter"  # it has no place of its own
                if not member.startswith("_") and not is_field:
                    found.setdefault(f"{home.rpartition('.')[2]}.{member}", f"{home}.{member}")
    for member in vars(_value("regularizers.Regularization")):
        if not member.startswith("_"):
            found[f"reg.{member}"] = f"regularizers.Regularization.{member}"
    return found


def _value(home):
    module, _, name = home.rpartition(".")
    return getattr(importlib.import_module(module), name)
