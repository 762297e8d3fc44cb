"""Files that look like what they are not: an index like a feature, two classes like one."""

import decimal
import os
import unicodedata

import numpy as np
import pandas as pd

from recipes.awkward.arrays import CLASSES, Y, npy, npz
from recipes.awkward.case import LABELS, RNG, ROWS, Case, X, first_column, table
from recipes.awkward.pictures import folder
from recipes.awkward.typed import GOOD, T, frame, parquet

LINES = table().splitlines(keepends=True)
GAPS = [3 * i + 1 for i in range(ROWS)]
ORDER = RNG.permutation(ROWS).tolist()


def indexed(name, index):
    """Return the table with an index before it."""
    return f"{name},{LINES[0]}" + "".join(
        f"{i},{line}" for i, line in zip(index, LINES[1:], strict=True)
    )


def cell(text):
    """Return the table with a cell in its first column, in its last line."""
    return table(cells=first_column([*map(str, range(ROWS - 1)), text]))


def classes(*texts):
    return [texts[i % len(texts)] for i in range(ROWS)]


def alike(name, *texts, note):
    y = classes(*texts)
    return Case(f"classes: {name}", "x.csv", table(labels=y), x=X, y=y, notes=note, **T)


def renamed(name):
    """Return a folder of pictures, one of whose classes has another name."""

    def write(path):
        folder()(path)
        os.rename(bytes(path / "cat"), bytes(path) + b"/" + name)

    return write


CASES = [
    *(
        Case(name, "x.csv", indexed(*index), **GOOD, notes="left out: an index of the rows")
        for name, index in {
            "an index with gaps": ("", GAPS),
            "an index that was shuffled": ("", ORDER),
            "an index that was read and written": ("Unnamed: 0", GAPS),
        }.items()
    ),
    Case(
        "Parquet with an index that was shuffled",
        "x.parquet",
        lambda path: frame().set_index(pd.Index(ORDER)).to_parquet(path),
        **GOOD,
        notes="x.parquet: an index of the rows, without a name, is left out",
    ),
    Case(
        "Parquet with decimals",
        "x.parquet",
        parquet(p=[decimal.Decimal(f"{i}.50") for i in range(ROWS)]),
        x=np.column_stack([np.arange(ROWS) + 0.5, X[:, 1:]]),
        y=LABELS,
        **T,
    ),
    Case("Parquet with bytes", "x.parquet", parquet(cls=[c.encode() for c in LABELS]), **GOOD),
    Case(
        "Parquet with lists",
        "x.parquet",
        parquet(cls=[[i % 2, 1] for i in range(ROWS)]),
        **T,
        error=r"row 1, column 5 \('cls'\): expected a class, got several values in a cell",
    ),
    alike("case", "Rose", "rose", "lily", note="in writing alone: .*'Rose'"),
    alike("numbers", "1", "1.0", "2", note="in writing alone: .*'1.0'"),
    alike(
        "letters and accents",
        *(unicodedata.normalize(form, "é") for form in ("NFC", "NFD")),
        "b",
        note=r"in writing alone: .*'e\\u0301'",
    ),
    alike("not seen", "b", "\u200bb", "c", note=r"in writing alone: .*'\\u200bb'"),
    Case(
        "a category NA",
        "x.csv",
        "colour,cls\n" + "".join(f"{'NA' if c == 'a' else 'red'},{c}\n" for c in LABELS),
        x=[[c == "a", c != "a"] for c in LABELS],
        y=LABELS,
        options={"categorical": ("colour",)},
        notes="column 'colour': 'NA' is a category, though it may be a missing cell",
        **T,
    ),
    Case(
        "a class <NA>",
        "x.csv",
        table(labels=["<NA>", *LABELS[1:]]),
        **T,
        error="line 2, .* got '<NA>', which often stands for a missing one",
    ),
    Case(
        "labels: null",
        "x.npy",
        npy(X),
        labels=("y.npy", npy(np.array(["null", *LABELS[1:]]))),
        error="row 1: expected a class, got 'null'",
    ),
    Case(
        "arrays that are not read",
        "x.npz",
        npz(x=X, y=np.array(Y), x_val=X, ids=np.arange(ROWS)),
        has_y=True,
        x=X,
        y=CLASSES,
        notes="x.npz: further arrays are not read: x_val, ids",
    ),
    Case(
        "IDX of 70 axes",
        "x.idx",
        b"\0\0\x08\x46" + b"\0\0\0\1" * 70 + b"\5",
        error="x.idx: expected an array, got shape .*dimension",
    ),
    Case("a minus of typesetters", "x.csv", cell("−1.5"), **T, error="plain characters, as -1.5"),
    Case("wide digits", "x.csv", cell("１２"), **T, error="plain characters, as 12"),
    Case("a space that does not break", "x.csv", cell("1\u00a0"), **T, error="characters, as 1$"),
    Case("Infinity", "x.csv", cell("Infinity"), **T, error="'Infinity'; fill or drop .* --drop"),
    Case(
        "a whole number above 2**53 with a point",
        "x.csv",
        cell("9007199254740993.0"),
        **T,
        error=r"line 61, .* up to 2\*\*53, got '9007199254740993.0'",
    ),
    Case(
        "zeros with a minus",
        "x.csv",
        table(cells=first_column("-0")),
        x=X[:, 1:],
        y=LABELS,
        notes="left out: 0 in every row",
        **T,
    ),
    Case(
        "a form feed",
        "x.csv",
        LINES[0] + "\f\n" + "".join(LINES[1:]),
        **T,
        error="line 2: expected 5 columns, as in the header, got 1",
    ),
    Case(
        "one column with decimal commas",
        "x.csv",
        "p\n" + "".join(f"{i},5\n" for i in range(ROWS)),
        x=[[i + 0.5] for i in range(ROWS)],
        options={"decimal": ","},
    ),
    Case(
        "names of rows, and none for them in the header",
        "x.csv",
        LINES[0] + "".join(f"r{i},{line}" for i, line in enumerate(LINES[1:])),
        **T,
        error="line 2: expected 5 columns, .* got 6; begin the header with a separator",
    ),
    Case(
        "a title",
        "x.csv",
        "Measured in May\n\n" + table(),
        **T,
        error="line 1: .* got 'Measured in May' alone; take out what stands above",
    ),
    Case(
        "Excel named .csv", "x.csv", b"PK\3\4" + bytes(40), **T, error=r"suffix .*\.npz or \.xlsx"
    ),
    Case("an array named .csv", "x.csv", npy(X), error="NumPy array; give it the suffix .npy"),
    Case("a table without a suffix", "x", table(), **T, error="the suffix of its format, such as"),
    Case(
        "a class that is not UTF-8", "set", renamed(b"\xff"), has_y=True, error=r"got '\\udcff'; r"
    ),
    Case("a class of two lines", "set", renamed(b"a\nb"), has_y=True, error=r"got 'a\\nb'; rename"),
]
