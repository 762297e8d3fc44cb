"""Builds the sdist and the wheel, looks into them, and tries each in an empty environment.

    python tools/check_dist.py --torch torch==2.13.0

An empty environment has PyTorch, array-api-compat and nothing else: no NumPy. There the README's
first example is run with warnings as errors, and `regularizers --help` must help.
"""

from __future__ import annotations

import argparse
import doctest
import re
import subprocess
import sys
import tarfile
import tempfile
import venv
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]

PACKED = {"src", "tests", "docs", "benchmarks", "tools", "pyproject.toml", "LICENSE", "Makefile"}
"""What the sdist must hold, for whoever builds, tests or packages from it."""

UNWANTED = re.compile(
    r"(^|/)(\.ci|\.github|\.venv[^/]*|__pycache__|runs|site|results|\.\w+_cache|\.hypothesis)/|\.pyc$"
)
"""Of the servers, of a machine, or left behind by the tools."""

MACHINE = re.compile(rb"(?<![\w.~/-])/(?:root|work|home/\w+)/[\w.-]+")
"""A path of the machine that built the file."""

NO_NUMPY = "ignore:Failed to initialize NumPy"
"""PyTorch's own import warns so where there is no NumPy; nothing else may warn."""


def main() -> None:
    """Build, look and try; raise at the first fault."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--torch", default="torch", help="PyTorch, as pip's requirement")
    torch = parser.parse_args().torch
    dist = ROOT / "dist"
    for old in dist.glob("regularizers-*"):
        old.unlink()
    _run(sys.executable, "-m", "build", "--outdir", dist, ROOT)
    (wheel,), (sdist,) = dist.glob("*.whl"), dist.glob("*.tar.gz")
    _run(sys.executable, "-m", "twine", "check", "--strict", wheel, sdist)
    look_into_wheel(wheel)
    look_into_sdist(sdist)
    with tempfile.TemporaryDirectory() as folder:
        venv.create(folder, with_pip=True)
        python = Path(folder) / "bin" / "python"
        _run(python, "-m", "pip", "install", "--quiet", torch, "array-api-compat")
        for file in (wheel, sdist):
            _run(python, "-m", "pip", "install", "--quiet", "--force-reinstall", "--no-deps", file)
            _run(python, "-m", "pip", "check")
            use(python, cwd=folder)
            print(f"{file.name}: {file.stat().st_size:,} bytes; works without NumPy")


def look_into_wheel(wheel: Path) -> None:
    """Check that it installs the package with its types and no more, and PyPI's page of it."""
    with zipfile.ZipFile(wheel) as packed:
        names = packed.namelist()
        (metadata,) = (name for name in names if name.endswith(".dist-info/METADATA"))
        page = packed.read(metadata).decode()
    expect("regularizers/py.typed" in names, "py.typed, so that type checkers see the types", names)
    more = [name for name in names if not re.match(r"regularizers(-[^/]*\.dist-info)?/", name)]
    expect(not more, "the package and its metadata only", more)
    links = re.findall(r"\]\(([^)\s]+)\)|\bsrc=\"([^\"]+)\"", page)
    relative = [link for link in map("".join, links) if not link.startswith("https://")]
    expect(links and not relative, "absolute links in the README, which PyPI shows", relative)


def look_into_sdist(sdist: Path) -> None:
    """Check that what is needed is there, and nothing of a machine."""
    with tarfile.open(sdist) as packed:
        files = {
            member.name.partition("/")[2]: file.read()
            for member in packed
            if (file := packed.extractfile(member)) is not None
        }
    missing = PACKED - {name.partition("/")[0] for name in files}
    expect(not missing, "all that builds and tests the library", missing)
    unwanted = [name for name in files if UNWANTED.search(name)]
    expect(not unwanted, "nothing that is left behind or for a server", unwanted)
    paths = {name: found[0] for name, text in files.items() if (found := MACHINE.search(text))}
    expect(not paths, "no path of a machine", paths)


def use(python: Path, cwd: str) -> None:
    """Run the README's first example, and ask the command for help."""
    _run(
        python, "-c", "import sys, importlib.util as u; sys.exit(u.find_spec('numpy') is not None)"
    )
    _run(python, "-W", "error", "-W", NO_NUMPY, "-c", first_example(), cwd=cwd)
    said = _run(python.parent / "regularizers", "--help", cwd=cwd)
    expect("pip install 'regularizers[recipes]'" in said, "what to install, in the help", said)


def first_example() -> str:
    """Return the first Python example of the README, without its prompts."""
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    block = re.search(r"^```python\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    expect(block is not None, "an example in Python", "README.md")
    code = block[1] if block else ""
    return "".join(e.source for e in doctest.DocTestParser().get_examples(code)) or code


def expect(holds: object, what: str, found: object) -> None:
    """Raise unless something holds of a file."""
    if not holds:
        raise SystemExit(f"expected {what}; found {found}")


def _run(*command: object, cwd: str | None = None) -> str:
    ran = subprocess.run([*map(str, command)], capture_output=True, text=True, cwd=cwd)
    if ran.returncode:
        raise SystemExit(f"{' '.join(map(str, command))}\n{ran.stdout}{ran.stderr}")
    return ran.stdout


if __name__ == "__main__":
    main()
