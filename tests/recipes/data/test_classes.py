"""Classes of samples: where they are read from, and what is said of a file that has none."""

import gzip
import struct

import numpy as np
import pytest

from regularizers.errors import DataError
from regularizers.recipes.data import load_labelled_digits, load_with_labels, load_with_target

FLOWERS = "width,colour,length\n" + "".join(
    f"{i}.5,{'red' if i % 3 else 'blue'},{i * i}\n" for i in range(12)
)


def idx(array: np.ndarray) -> bytes:
    header = struct.pack(">BBBB", 0, 0, 0x08, array.ndim)
    return header + struct.pack(f">{array.ndim}I", *array.shape) + array.astype(">u1").tobytes()


def written(tmp_path, content, name="x.csv"):
    path = tmp_path / name
    raw = content.encode() if isinstance(content, str) else content
    path.write_bytes(gzip.compress(raw) if path.suffix == ".gz" else raw)
    return path


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_a_column_of_a_csv_is_the_class_and_the_others_the_features(tmp_path, name):
    labelled = load_with_target(written(tmp_path, FLOWERS, name), "colour")
    assert labelled.classes == ("blue", "red")
    np.testing.assert_array_equal(labelled.y, [int(i % 3 > 0) for i in range(12)])
    np.testing.assert_array_equal(labelled.samples.x, [[i + 0.5, i * i] for i in range(12)])


def test_where_there_are_no_names_the_target_is_a_number_from_1(tmp_path):
    path = written(tmp_path, FLOWERS.split("\n", 1)[1])
    labelled = load_with_target(path, "2")
    assert labelled.classes == ("blue", "red")
    assert labelled.samples.x.shape == (12, 2)


def test_numbers_as_classes_are_in_their_order_and_stay_texts(tmp_path):
    rows = "".join(f"{i * i},{label}\n" for i, label in enumerate(["10", "9", "-1", "9.0"] * 3))
    labelled = load_with_target(written(tmp_path, rows), "2")
    assert labelled.classes == ("-1", "9", "9.0", "10")
    np.testing.assert_array_equal(labelled.y, [3, 1, 0, 2] * 3)


def test_spaces_around_names_and_classes_do_not_count(tmp_path):
    path = written(tmp_path, "a, kind\n" + "1, x\n2,x \n3,y\n4, y\n" * 3)
    assert load_with_target(path, "kind").classes == ("x", "y")


@pytest.mark.parametrize("name", ["labels-idx1-ubyte", "labels-idx1-ubyte.gz"])
def test_pictures_and_labels_in_idx_are_a_pair(tmp_path, name):
    pictures = np.random.default_rng(0).integers(0, 256, (12, 5, 4), dtype=np.uint8)
    labels = np.arange(12) % 3
    images = written(tmp_path, idx(pictures), "images-idx3-ubyte")
    labelled = load_with_labels(images, written(tmp_path, idx(labels), name))
    assert (labelled.classes, labelled.samples.picture) == (("0", "1", "2"), (5, 4))
    np.testing.assert_array_equal(labelled.y, labels)


def test_numpy_labels_may_be_words(tmp_path):
    np.save(tmp_path / "x.npy", np.eye(12, 3))
    np.savez(tmp_path / "y.npz", x=np.zeros(3), y=np.array(["b", "a"] * 6))
    labelled = load_with_labels(tmp_path / "x.npy", tmp_path / "y.npz")
    assert labelled.classes == ("a", "b")
    np.testing.assert_array_equal(labelled.y, [1, 0] * 6)


def test_digits_have_their_labels():
    labelled = load_labelled_digits()
    assert labelled.classes == tuple("0123456789")
    assert np.bincount(labelled.y).tolist() == [178, 182, 177, 183, 181, 182, 181, 179, 174, 180]


def test_the_fingerprint_knows_samples_and_classes(tmp_path):
    digests = {
        load_with_target(written(tmp_path, text), "colour").digest
        for text in (FLOWERS, FLOWERS, FLOWERS.replace("0.5", "0.6"), FLOWERS.replace("red", "bad"))
    }
    assert len(digests) == 3


BAD = {
    "no such column": (FLOWERS, "color", "name of a column, such as 'colour', got 'color'"),
    "nothing near": (FLOWERS, "zzz", "such as 'width', 'colour', 'length', got 'zzz'"),
    "twice": ("a,b,b\n" + "1,2,x\n" * 10, "b", "a name of its own .* got 'b' for columns 2 and 3"),
    "no names": ("1,2\n" * 10, "kind", "number of a column, 1 to 2, since .* got 'kind'"),
    "no such number": ("1,2\n" * 10, "3", "number of a column, 1 to 2, since .* got '3'"),
    "only the target": ("kind\n" + "x\n" * 10, "kind", "columns beside the target 'kind'"),
    "a word": (FLOWERS, "width", r"line 2, column 2 \('colour'\): .* got 'blue'; write the column"),
    "a hole": (
        FLOWERS.replace("\n0.5,", "\n,"),
        "colour",
        r"line 2, column 1 \('width'\): .* got ''; fill or drop",
    ),
    "no class": (
        FLOWERS.replace("3.5,blue", "3.5,"),
        "colour",
        "line 5, column 2 .*: expected a class, .* drop",
    ),
    "one class": (FLOWERS.replace("blue", "red"), "colour", "two classes or more, got 'red' alone"),
    "a single sample": (
        FLOWERS.replace("0.5,blue", "0.5,green"),
        "colour",
        "two samples or more of each class, .* got one of 'green'; drop or merge",
    ),
    "an amount": (
        "size,price\n" + "".join(f"{i},{i}.25\n" for i in range(12)),
        "price",
        "got one of '0.25', '1.25', '10.25' and 9 more; .* an amount into classes",
    ),
}


@pytest.mark.parametrize("case", BAD)
def test_a_csv_without_classes_says_why(case, tmp_path):
    text, target, message = BAD[case]
    with pytest.raises(DataError, match=message):
        load_with_target(written(tmp_path, text), target)


def test_a_target_is_of_a_csv(tmp_path):
    images = written(tmp_path, idx(np.zeros((12, 2, 2))), "images-idx3-ubyte")
    with pytest.raises(
        DataError, match=r"expected a table such as \.csv, .* say --labels FILE instead"
    ):
        load_with_target(images, "kind")


BAD_LABELS = {
    "too few": (idx(np.arange(11) % 2), "a label for each of the 12 samples .* got 11"),
    "pictures": (idx(np.zeros((12, 2))), r"labels in one dimension, .* got shape \(12, 2\)"),
    "no labels": (b"hello", r"expected labels in IDX, \.npy or \.npz, got something else"),
    "one class": (idx(np.zeros(12)), "two classes or more, got '0' alone"),
}


@pytest.mark.parametrize("case", BAD_LABELS)
def test_labels_that_do_not_fit_say_why(case, tmp_path):
    content, message = BAD_LABELS[case]
    np.save(tmp_path / "x.npy", np.eye(12, 3))
    with pytest.raises(DataError, match=message):
        load_with_labels(tmp_path / "x.npy", written(tmp_path, content, "labels"))
