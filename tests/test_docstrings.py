"""Every public name says what it is, names what it takes, and shows an example that runs.

The examples themselves are run by pytest's `--doctest-modules`.
"""

from __future__ import annotations

import ast
import importlib
import inspect
import re
from pathlib import Path
from types import ModuleType

import pytest
from public_names import ROOMS, docstring_of

import regularizers
from regularizers import integrations
from regularizers.errors import FrameworkError

SOURCES = Path(regularizers.__file__).parents[1]

EXAMPLE = re.compile(r"^Examples?:\n(?:\s*\n|[ ]{4}.*\n)*?[ ]{4}\s*>>> ", re.MULTILINE)
SECTION = re.compile(r"^(?:Args|Attributes):\n((?:[ ]{4}.*\n|\s*\n)+)", re.MULTILINE)
ENTRY = re.compile(r"^[ ]{4}(\*{0,2}\w+(?:, \*{0,2}\w+)*)(?: \(.*?\))?: ", re.MULTILINE)


def exported(package: str) -> list[str]:
    """Return `__all__` of a package, read and not run: its framework may be missing."""
    for node in ast.parse(_source(package)).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return [str(name) for name in ast.literal_eval(node.value)]
    raise AssertionError(f"{package} has no __all__, a list of names")


def defined(package: str, name: str) -> tuple[str, str]:
    """Return the module that defines a name that a package exports, and its name there."""
    for node in ast.walk(ast.parse(_source(package))):
        if isinstance(node, ast.ImportFrom):
            for alias in node.names:
                if name == (alias.asname or alias.name):
                    module = f"{node.module}.{alias.name}"
                    return ("", module) if _path(module) else defined(str(node.module), alias.name)
    return package, name


def _source(module: str) -> str:
    path = _path(module)
    assert path is not None, f"there is no module {module}"
    return path.read_text(encoding="utf-8")


def _path(module: str) -> Path | None:
    path = SOURCES.joinpath(*module.split("."))
    places = [path / "__init__.py", path.with_suffix(".py")]
    return next((place for place in places if place.exists()), None)


def found(package: str, name: str) -> object:
    """Return what a public name is; skip the test where its framework is missing."""
    try:
        module = importlib.import_module(package)
    except FrameworkError as error:
        pytest.skip(f"{package}: {error}")
    except ModuleNotFoundError as error:
        if str(error.name).startswith("regularizers"):
            raise
        pytest.skip(f"{package} needs {error.name}, which is not installed")
    return getattr(module, name)


def is_class_or_function(package: str, name: str) -> bool:
    """Return whether a public name is one, and not a module, a constant or an alias of a type."""
    module, own = defined(package, name)
    kinds = ast.ClassDef | ast.FunctionDef
    return bool(module) and any(
        isinstance(node, kinds) and node.name == own for node in ast.parse(_source(module)).body
    )


def says(value: object) -> str:
    """Return the docstring of a class or function; not one that its class inherits."""
    own = vars(value).get("__doc__") if inspect.isclass(value) else getattr(value, "__doc__", None)
    return inspect.cleandoc(own or "") + "\n"


def named(text: str) -> set[str]:
    """Return the names that have an entry under `Args:` or `Attributes:`."""
    return {
        name.strip("* ")
        for section in SECTION.findall(text)
        for entry in ENTRY.findall(section)
        for name in entry.split(",")
    }


def parameters(value: object) -> list[str]:
    """Return what a class or a function of the library takes, or the fields of a named tuple."""
    if inspect.isclass(value):
        if hasattr(value, "_fields"):
            return [name for name in value._fields if not name.startswith("_")]
        if not _is_made_here(value):
            return []
    return [name for name in inspect.signature(value).parameters if not name.startswith("_")]


def _is_made_here(cls: type) -> bool:
    """Return whether what makes an object of a class is a function of the library."""
    for base in cls.__mro__:
        for name in ("__init__", "__new__"):
            if name in vars(base):
                maker = inspect.unwrap(getattr(base, name))
                return (getattr(maker, "__module__", None) or "").startswith("regularizers")
    return False


def _names() -> list[tuple[str, str]]:
    """Return every public name once, under the first package that exports it."""
    names = {}
    for package in ROOMS:
        for name in exported(package):
            names.setdefault(defined(package, name), (package, name))
    return [*names.values()]


NAMES = _names()

each = pytest.mark.parametrize(("package", "name"), NAMES, ids=[".".join(n) for n in NAMES])


@each
def test_a_public_name_has_a_docstring(package: str, name: str) -> None:
    value = found(package, name)
    if isinstance(value, ModuleType) or is_class_or_function(package, name):
        if not says(value).strip():
            pytest.fail(f"{package}.{name} has no docstring of its own", pytrace=False)
    elif not docstring_of(f"{package}.{name}"):
        pytest.fail(
            f"{package}.{name} is a constant or an alias: write a docstring below it", pytrace=False
        )


@each
def test_a_public_name_has_an_example(package: str, name: str) -> None:
    value = found(package, name)
    if is_class_or_function(package, name) and not EXAMPLE.search(says(value)):
        pytest.fail(
            f"{package}.{name} has no section `Example:` with a line that starts with >>>",
            pytrace=False,
        )


@each
def test_every_parameter_is_named(package: str, name: str) -> None:
    value = found(package, name)
    if is_class_or_function(package, name):
        text = says(value)
        if inspect.isclass(value):
            text += says(vars(value).get("__init__"))
        unnamed = [p for p in parameters(value) if p not in named(text)]
        if unnamed:
            where = "under `Args:` or `Attributes:`"
            pytest.fail(
                f"{package}.{name}: no entry {where} for {', '.join(unnamed)}", pytrace=False
            )


def test_every_public_package_is_looked_at() -> None:
    packages = {n for n in map("regularizers.{}".format, exported("regularizers")) if _path(n)}
    packages |= {f"{integrations.__name__}.{n}" for n in integrations.__all__}
    assert packages - {"regularizers.integrations"} <= set(ROOMS)


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("One.\n\nArgs:\n    a: one.\n    b, c: two\n        d: lines.\n    *e: more.\n", "abce"),
        ("One.\n\nAttributes:\n    y: the output.\n\nReturns:\n    z: nothing.\n", "y"),
        ("One.\n\nReturns:\n    z: nothing.\n", ""),
    ],
)
def test_entries_are_read(text: str, names: str) -> None:
    assert named(text) == set(names)


@pytest.mark.parametrize(
    ("text", "is_found"),
    [
        ("One.\n\nExample:\n    >>> 1\n    1\n", True),
        ("One.\n\nExample:\n    Words first.\n\n    >>> 1\n    1\n", True),
        ("One.\n\nExample:\n    Words.\n\nReturns:\n    >>> 1\n", False),
        ("One.\n\n>>> 1\n1\n", False),
    ],
)
def test_an_example_is_found(text: str, is_found: bool) -> None:
    assert bool(EXAMPLE.search(text)) is is_found


def test_a_made_up_class_without_words_is_refused() -> None:
    class Words:
        def __init__(self, a: int) -> None: ...

    Words.__init__.__module__ = "regularizers.made_up"
    assert parameters(Words) == ["a"]
    assert not named(says(Words))
