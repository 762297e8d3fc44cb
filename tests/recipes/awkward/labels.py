"""Files of labels beside samples."""

import numpy as np

from recipes.awkward.arrays import CLASSES, Y, idx, npy, npz
from recipes.awkward.case import LABELS, ROWS, Case, X

ARRAY = np.array(Y)
NOISE = 1e-13 * np.arange(1, ROWS + 1)


def of(name, content, **truth):
    return Case(f"labels: {name}", "x.npy", npy(X), labels=content, **truth)


RIGHT = {"x": X, "y": CLASSES}

CASES = [
    of("whole numbers", ("y.npy", npy(ARRAY)), **RIGHT),
    of("floating point", ("y.npy", npy(ARRAY + 1.0)), x=X, y=[str(k + 1) for k in Y]),
    of("IDX", ("y.idx", idx(ARRAY.astype(np.uint8), 8)), **RIGHT),
    of("an archive", ("y.npz", npz(x=X, y=ARRAY)), **RIGHT),
    of("texts", ("y.npy", npy(np.array(LABELS))), x=X, y=LABELS),
    of("bytes", ("y.npy", npy(np.array(LABELS).astype("S"))), x=X, y=LABELS),
    of("true and false", ("y.npy", npy(ARRAY > 0)), x=X, y=[str(k > 0) for k in Y]),
    of("one column", ("y.npy", npy(ARRAY[:, None])), **RIGHT),
    of("one-hot", ("y.npy", npy(np.eye(2)[ARRAY])), **RIGHT),
    of(
        "numbers that sort as numbers",
        ("y.npy", npy(ARRAY * 8 + 2)),
        x=X,
        y=[str(k * 8 + 2) for k in Y],
    ),
    of(
        "one-hot with two ones",
        ("y.npy", npy(np.ones((ROWS, 2)))),
        error=r"one 1 among zeros in each row, got shape \(60, 2\)",
    ),
    of(
        "NaN",
        ("y.npy", npy(np.where(np.arange(ROWS) == 7, np.nan, ARRAY))),
        error="row 8: expected a class as a whole number, got nan; drop the sample",
    ),
    of("noise", ("y.npy", npy(ARRAY + NOISE)), error="row 1: .* a whole number, .* round them"),
    of(
        "nan as text",
        ("y.npy", npy(np.array(["nan", *LABELS[1:]]))),
        error="row 1: expected a class, got 'nan'",
    ),
    of(
        "objects",
        ("y.npy", npy(np.array(LABELS, object))),
        error=r"Python objects.* labels as numpy.array\(labels, str\)",
    ),
    of("dates", ("y.npy", npy(ARRAY.astype("M8[D]"))), error="expected whole numbers, true and"),
    of("too few", ("y.npy", npy(ARRAY[:-1])), error="a label for each of the 60 .* got 59"),
    of("one class", ("y.npy", npy(ARRAY * 0)), error="got '0' alone"),
    of("a table", ("y.csv", "cls\n" + "\n".join(LABELS)), error="name the column .* --target"),
    of("none", ("y.txt", "hello"), error=r"expected labels in IDX, \.npy or \.npz"),
]
