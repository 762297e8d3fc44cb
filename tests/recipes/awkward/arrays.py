"""NumPy's arrays and archives, and IDX."""

import io
import struct

import numpy as np

from recipes.awkward.case import LABELS, RNG, ROWS, Case, X, gz

Y = [int(label == "a") for label in LABELS]
CLASSES = [str(label) for label in Y]
CUBE = RNG.integers(0, 256, (ROWS, 6, 5), dtype=np.uint8)
COLOURED = RNG.integers(0, 256, (ROWS, 6, 5, 3), dtype=np.uint8)
BYTES = RNG.integers(0, 256, (ROWS, 9), dtype=np.uint8)


def npy(array):
    file = io.BytesIO()
    np.save(file, array, allow_pickle=True)
    return file.getvalue()


def npz(**arrays):
    return lambda path: np.savez(path, **arrays)


def packed(**arrays):
    file = io.BytesIO()
    np.savez_compressed(file, **arrays)
    return file.getvalue()


def broken(content: bytes, start: int, length: int) -> bytes:
    changed = bytearray(content)
    changed[start : start + length] = bytes(255 - b for b in changed[start : start + length])
    return bytes(changed)


def idx(array, code):
    header = struct.pack(">BBBB", 0, 0, code, array.ndim)
    return header + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def rows(array):
    return (
        np.moveaxis(array, 3, 1).reshape(len(array), -1)
        if array.ndim == 4
        else (array.reshape(len(array), -1))
    )


PICTURES = {"x": rows(CUBE), "picture": (6, 5), "largest": 255.0}
IDX = idx(CUBE, 8)

CASES = [
    Case("float64", "x.npy", npy(X), x=X),
    Case("float16", "x.npy", npy(X.astype(np.float16)), x=X.astype(np.float16)),
    Case("the big end first", "x.npy", npy(X.astype(">f8")), x=X),
    Case("column after column", "x.npy", npy(np.asfortranarray(X)), x=X),
    Case("int64", "x.npy", npy((X * 100).astype(np.int64)), x=(X * 100).astype(np.int64)),
    Case("true and false", "x.npy", npy(X > 0), x=X > 0),
    Case("bytes that are a table", "x.npy", npy(BYTES), x=BYTES),
    Case(
        "bytes that are pictures, told",
        "x.npy",
        npy(BYTES),
        x=BYTES,
        options={"picture": (3, 3)},
        picture=(3, 3),
        largest=255.0,
    ),
    Case("pictures", "x.npy", npy(CUBE), **PICTURES),
    Case("pictures with one colour", "x.npy", npy(CUBE[..., None]), **PICTURES),
    Case(
        "pictures with three colours",
        "x.npy",
        npy(COLOURED),
        x=rows(COLOURED),
        picture=(3, 6, 5),
        largest=255.0,
    ),
    Case(
        "pictures from 0 to 1",
        "x.npy",
        npy((CUBE / 255).astype(np.float32)),
        x=rows((CUBE / 255).astype(np.float32)),
        picture=(6, 5),
        largest=1.0,
    ),
    Case("bytes as floating point", "x.npy", npy(CUBE.astype(np.float32)), **PICTURES),
    Case(
        "pictures with transparency",
        "x.npy",
        npy(np.zeros((20, 6, 5, 4), np.uint8)),
        error=r"expected pictures .* got shape \(20, 6, 5, 4\)",
    ),
    Case(
        "pictures with their colours first",
        "x.npy",
        npy(np.zeros((20, 3, 6, 5), np.uint8)),
        error=r"put the colours last: numpy.moveaxis\(x, 1, 3\)",
    ),
    Case("one dimension", "x.npy", npy(X[:, 0]), error=r"got shape \(60,\)"),
    Case("no dimension", "x.npy", npy(np.float64(3)), error=r"got shape \(\)"),
    Case("no rows", "x.npy", npy(X[:0]), error="expected samples, got none"),
    Case("texts", "x.npy", npy(X.astype(str)), error="expected real numbers, got texts; save"),
    Case("objects", "x.npy", npy(X.astype(object)), error=r"Python objects, .* save x.astype"),
    Case("complex numbers", "x.npy", npy(X.astype(complex)), error="got complex numbers"),
    Case(
        "records",
        "x.npy",
        npy(np.zeros((20, 2), [("a", "f4"), ("b", "f4")])),
        error="got records with fields; save .*structured_to_unstructured",
    ),
    Case("dates", "x.npy", npy(np.arange(40).astype("M8[D]").reshape(20, 2)), error="got dates"),
    Case(
        "time spans",
        "x.npy",
        npy(np.arange(40).astype("m8[s]").reshape(20, 2)),
        error="got time spans",
    ),
    Case(
        "NaN", "x.npy", npy(np.where(X > 2, np.nan, X)), error="expected a finite number, got nan"
    ),
    Case(
        "infinity",
        "x.npy",
        npy(np.where(np.eye(60, 4) > 0, np.inf, X)),
        error="row 1, column 1: expected a finite number, got inf",
    ),
    Case(
        "whole numbers above 2**53",
        "x.npy",
        npy(np.array([[2**53 + i, i] for i in range(20)])),
        error=r"row 2, column 1: .* up to 2\*\*53, got 9007199254740993",
    ),
    Case("1e300", "x.npy", npy(X * 1e300), x=X * 1e300),
    Case(
        "constant columns",
        "x.npy",
        npy(np.column_stack([X, np.full(ROWS, 7.0)])),
        x=X,
        notes="column 5 is left out: 7 in every row",
    ),
    Case(
        "an array cut short", "x.npy", npy(X)[:-10], error="expected NumPy's format, got a damaged"
    ),
    Case("an array and more", "x.npy", npy(X) + b"more", error="longer than its header says"),
    Case("a damaged header", "x.npy", broken(npy(X), 20, 20), error="expected NumPy's format"),
    Case("a compressed array", "x.npy.gz", gz(npy(X)), x=X),
    Case(
        "Keras' names",
        "x.npz",
        npz(x_train=CUBE[:40], y_train=Y[:40], x_test=CUBE[40:], y_test=Y[40:]),
        **PICTURES,
        y=CLASSES,
        has_y=True,
    ),
    Case(
        "Keras' names and labels as columns",
        "x.npz",
        npz(
            x_train=CUBE[:40],
            y_train=np.array(Y)[:40, None],
            x_test=CUBE[40:],
            y_test=np.array(Y)[40:, None],
        ),
        **PICTURES,
        y=CLASSES,
        has_y=True,
    ),
    Case(
        "Keras' names with too few labels",
        "x.npz",
        npz(x_train=CUBE[:40], y_train=Y[:39], x_test=CUBE[40:], y_test=Y[40:]),
        has_y=True,
        error="y_train of shape",
    ),
    Case(
        "Keras' names with other shapes",
        "x.npz",
        npz(x_train=CUBE[:40], y_train=Y[:40], x_test=CUBE[40:, 1:], y_test=Y[40:]),
        has_y=True,
        error=r"x_train and x_test to be alike, .* \(20, 5, 5\)",
    ),
    Case("x and y", "x.npz", npz(x=X, y=np.array(LABELS)), x=X, y=LABELS, has_y=True),
    Case("X and Y", "x.npz", npz(X=X, Y=np.array(LABELS)), x=X, y=LABELS, has_y=True),
    Case(
        "x alone where classes are asked for",
        "x.npz",
        npz(x=X),
        has_y=True,
        error=r"expected its classes with it, .* --labels FILE",
    ),
    Case(
        "other names",
        "x.npz",
        npz(images=X, labels=np.array(Y)),
        error="one named 'x', got images, labels",
    ),
    Case("x of objects", "x.npz", npz(x=X.astype(object)), error="Python objects"),
    Case("an archive cut short", "x.npz", packed(x=X)[:300], error="damaged file"),
    Case(
        "an archive with changed bytes",
        "x.npz",
        broken(packed(x=X), 150, 30),
        error="cannot be read",
    ),
    Case(
        "an archive with a changed checksum",
        "x.npz",
        broken(packed(x=X), packed(x=X).index(b"PK\x01\x02") + 16, 4),
        error="damaged file",
    ),
    Case("IDX", "x-idx3-ubyte", IDX, **PICTURES),
    Case("IDX in gzip", "x-idx3-ubyte.gz", gz(IDX), **PICTURES),
    Case("IDX of a table", "x.idx", idx(X.astype(">f8"), 0x0E), x=X),
    Case(
        "IDX of signed bytes",
        "x.idx",
        idx(CUBE.astype(np.int8), 9),
        x=rows(CUBE.astype(np.int8)),
        picture=(6, 5),
        notes="pixels from -128 to 127 are scaled as the columns",
    ),
    Case(
        "IDX with colours",
        "x.idx",
        idx(COLOURED, 8),
        x=rows(COLOURED),
        picture=(3, 6, 5),
        largest=255.0,
    ),
    Case("IDX of another type", "x.idx", b"\0\0\x0a\x03" + IDX[4:], error="IDX file of type .* 0a"),
    Case("IDX cut short", "x.idx", IDX[:-3], error="expected 1800 bytes .* got 1797"),
    Case("IDX and more", "x.idx", IDX + b"more", error="expected 1800 bytes .* got 1804"),
    Case("IDX in gzip cut short", "x.gz", gz(IDX)[:500], error="cannot be read"),
    Case(
        "IDX in gzip with changed bytes", "x.gz", broken(gz(IDX), 400, 40), error="cannot be read"
    ),
    Case(
        "IDX in gzip with a changed checksum",
        "x.gz",
        broken(gz(IDX), len(gz(IDX)) - 6, 1),
        error="cannot be read",
    ),
    Case("IDX in gzip twice", "x.gz", gz(gz(IDX)), error="once, got twice"),
]
