"""The page that finds what other libraries have: every name, where it is, its example run."""

import re
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
from torch import nn, optim

import regularizers as rz

PAGE = Path(__file__).parent.parent / "docs" / "coming-from.md"
WHERE = ("here", "PyTorch", "not ours")

KERAS = {
    "Keras: regularizers": "L1 L2 L1L2 OrthogonalRegularizer Regularizer",
    "Keras: constraints": "Constraint MaxNorm MinMaxNorm NonNeg UnitNorm",
    "Keras: regularization layers": "ActivityRegularization AlphaDropout Dropout GaussianDropout "
    "GaussianNoise SpatialDropout1D SpatialDropout2D SpatialDropout3D",
}
"""The classes of these modules of Keras 3.15."""

RUST = (
    "ActivityNorm ActivityRegularization CutMix DropConnect Dropout ElasticNet "
    "EntropyRegularization EntropyRegularizerType FeatureDropout GroupLasso L1 L2 LabelSmoothing "
    "ManifoldRegularization MixUp OrthogonalRegularization Regularizer ShakeDrop SpatialDropout "
    "SpectralNorm StochasticDepth WeightStandardization"
)
"""The public items of `optirs_core::regularizers`."""


def sections():
    """Return the rows of each table, by the title of its section."""
    found, title = {}, ""
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("## "):
            title = line.removeprefix("## ")
        elif title and line.startswith("| `"):
            found.setdefault(title, []).append([cell.strip() for cell in line.split("|")[1:-1]])
    return found


ROWS = [(title, *row) for title, rows in sections().items() for row in rows]


def names(title):
    return [name for row in sections()[title] for name in re.findall(r"`([^`]+)`", row[0])]


def counted():
    """Return the table of counts."""
    lines = ["| | here | in PyTorch | not ours |", "|---|---|---|---|"]
    total = Counter()
    for title, rows in sections().items():
        here = Counter()
        for name, where, *_ in rows:
            here[where] += len(re.findall(r"`[^`]+`", name))
        total += here
        lines.append(f"| {title} | " + " | ".join(str(here[where]) for where in WHERE) + " |")
    lines.append("| all | " + " | ".join(str(total[where]) for where in WHERE) + " |")
    return "\n".join(lines)


def test_names_are_counted():
    between = PAGE.read_text(encoding="utf-8").split("<!-- begin: counts -->\n")[1]
    assert between.split("\n<!-- end: counts -->")[0] == counted()


@pytest.mark.parametrize("title", KERAS)
def test_no_name_of_keras_is_missing(title):
    assert sorted(names(title)) == sorted(KERAS[title].split())


def test_no_name_of_the_rust_module_is_missing():
    (title,) = [title for title in sections() if "Rust" in title]
    assert sorted(names(title)) == sorted(RUST.split())


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row[0]}-{row[1]}")
def test_a_row_says_where_and_its_example_runs(row):
    _, _, where, reason, example = row
    assert where in WHERE
    assert reason
    if where == "not ours":
        assert not example
        return
    (code,) = re.findall(r"^`(.+)`$", example)
    assert eval(code, {"rz": rz, "np": np, "nn": nn, "optim": optim}) is not None
    assert ("rz." in code) or where == "PyTorch"
