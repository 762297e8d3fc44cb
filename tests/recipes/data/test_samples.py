"""Data files: what is read of each format, and what is said of a file that is none."""

import gzip
import struct

import numpy as np
import pytest

from regularizers.errors import DataError

# an engine is made to be missing
from regularizers.recipes.data import _frames, load_digits, load_samples

# private: where it looks for the engines of Parquet and Excel

TABLE = np.arange(48, dtype=np.float64).reshape(12, 4) / 7


def idx(array: np.ndarray, code: int) -> bytes:
    header = struct.pack(">BBBB", 0, 0, code, array.ndim)
    return header + struct.pack(f">{array.ndim}I", *array.shape) + array.tobytes()


def write(path, content: bytes):
    path.write_bytes(gzip.compress(content) if path.suffix == ".gz" else content)
    return path


def as_npy(tmp_path, array, name="x.npy"):
    np.save(tmp_path / "plain.npy", array)
    return write(tmp_path / name, (tmp_path / "plain.npy").read_bytes())


@pytest.mark.parametrize("name", ["x.npy", "x.npy.gz"])
def test_npy_is_read(tmp_path, name):
    samples = load_samples(as_npy(tmp_path, TABLE, name))
    np.testing.assert_array_equal(samples.x, TABLE)


def test_npz_with_one_array_or_one_called_x_is_read(tmp_path):
    np.savez(tmp_path / "one.npz", anything=TABLE)
    np.savez(tmp_path / "two.npz", x=TABLE, labels=np.arange(12))
    for name in ("one.npz", "two.npz"):
        np.testing.assert_array_equal(load_samples(tmp_path / name).x, TABLE)


@pytest.mark.parametrize("header", ["", "a,b,c,d\n"])
@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_csv_is_read_with_names_or_without(tmp_path, header, name):
    text = header + "\n".join(",".join(f"{v!r}" for v in row) for row in TABLE.tolist())
    samples = load_samples(write(tmp_path / name, text.encode()))
    np.testing.assert_array_equal(samples.x, TABLE)


@pytest.mark.parametrize("name", ["t10k-images-idx3-ubyte", "t10k-images-idx3-ubyte.gz"])
def test_idx_pictures_are_rows_that_know_their_shape_and_their_largest_value(tmp_path, name):
    pictures = np.random.default_rng(0).integers(0, 256, (11, 5, 3), dtype=np.uint8)
    samples = load_samples(write(tmp_path / name, idx(pictures, 0x08)))
    np.testing.assert_array_equal(samples.x, pictures.reshape(11, 15))
    assert (samples.picture, samples.largest) == ((5, 3), 255.0)


def test_idx_floats_are_big_endian(tmp_path):
    table = TABLE.astype(">f4")
    samples = load_samples(write(tmp_path / "x.idx", idx(table, 0x0D)))
    np.testing.assert_array_equal(samples.x, TABLE.astype(np.float32))


def test_digits_are_those_of_scikit_learn():
    digits = load_digits()
    assert digits.x.shape == (1797, 64)
    assert (digits.x.min(), digits.x.max(), digits.largest) == (0, 16, 16)


BAD = {
    "empty.csv": (b"", "empty file"),
    "names.csv": (b"a,b,c\n", "expected rows of numbers, got none"),
    "ragged.csv": (b"1,2\n3,4\n5\n" * 9, "line 3: expected 2 columns, as in the first line, got 1"),
    "words.csv": (b"1,2\n3,four\n", "line 2, column 2: expected a number, got 'four'"),
    "latin.csv": (b"1,\xff\n", "expected text in UTF-8"),
    "nan.csv": (
        b"1,2\n" * 10 + b"nan,2\n",
        "line 11, column 1: expected a number, got 'nan'; fill",
    ),
    "few.csv": (b"1,2\n3,4\n", "at least 10 samples"),
    "noise.npy": (b"not NumPy", "got something else"),
    "text.txt": (b"hello", "expected rows of numbers, got none"),
    "text.bin": (b"hello", "got something else"),
    "broken.csv.gz": (None, "cannot be read"),
    "cut.idx": (idx(np.zeros((10, 4), np.uint8), 0x08)[:-3], "expected 40 bytes .* got 37"),
    "header.idx": (b"\0\0\x08\x03\0\0", "expected an IDX header of 16 bytes"),
    "labels.idx": (idx(np.zeros(10, np.uint8), 0x08), r"pictures .* got shape \(10,\)"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_table_says_why(tmp_path, name):
    content, message = BAD[name]
    path = tmp_path / name
    path.write_bytes(b"\x1f\x8b cut short" if content is None else content)
    with pytest.raises(DataError, match=message):
        load_samples(path)


@pytest.mark.parametrize("array", [np.zeros((20, 3), complex), np.full((20, 3), "a")])
def test_an_array_that_is_not_real_is_refused(tmp_path, array):
    with pytest.raises(DataError, match="expected real numbers"):
        load_samples(as_npy(tmp_path, array))


def test_an_archive_of_several_arrays_names_them(tmp_path):
    np.savez(tmp_path / "two.npz", images=TABLE, labels=np.arange(12))
    with pytest.raises(DataError, match="one named 'x', got images, labels"):
        load_samples(tmp_path / "two.npz")


def test_a_missing_file_and_an_empty_folder_are_told_apart(tmp_path):
    with pytest.raises(DataError, match="found nothing"):
        load_samples(tmp_path / "gone.csv")
    with pytest.raises(DataError, match="got an empty folder"):
        load_samples(tmp_path)


@pytest.mark.parametrize(("name", "engine"), [("x.parquet", "pyarrow"), ("x.xlsx", "openpyxl")])
def test_a_missing_engine_is_named_with_the_line_that_installs_it(
    tmp_path, name, engine, monkeypatch
):
    (tmp_path / name).write_bytes(b"whatever is in it")
    # as if it were not installed
    monkeypatch.setattr(_frames, "find_spec", lambda module: None)
    with pytest.raises(DataError, match=f"needs {engine}: pip install {engine}"):
        load_samples(tmp_path / name)


def test_the_fingerprint_knows_values_and_shape(tmp_path):
    paths = [
        as_npy(tmp_path, table, f"{i}.npy")
        for i, table in enumerate((TABLE, TABLE, TABLE + 1, TABLE.reshape(16, 3)))
    ]
    digests = [load_samples(path).digest for path in paths]
    assert digests[0] == digests[1]
    assert len({*digests}) == 3
