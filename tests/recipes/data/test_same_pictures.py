"""The same pictures in every format: the same numbers, classes and order."""

import gzip

import numpy as np
import pytest
from PIL import Image

from recipes.awkward.arrays import idx
from regularizers.recipes.data import TableOptions, load_labelled

PIXELS = np.random.default_rng(0).integers(0, 256, (30, 6, 5), dtype=np.uint8)
PIXELS[:, 0, 0] = 0
CLASSES = np.arange(30) % 3


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "x.gz").write_bytes(gzip.compress(idx(PIXELS, 8)))
    (tmp_path / "y.gz").write_bytes(gzip.compress(idx(CLASSES.astype(np.uint8), 8)))
    np.savez(tmp_path / "x.npz", x=PIXELS, y=CLASSES)
    half = {"x_train": PIXELS[:20], "y_train": CLASSES[:20], "x_test": PIXELS[20:]}
    np.savez(tmp_path / "keras.npz", **half, y_test=CLASSES[20:])
    lines = [",".join([f"p{i}" for i in range(30)] + ["label"])]
    for picture, label in zip(PIXELS, CLASSES, strict=True):
        lines.append(",".join(map(str, [*picture.ravel().tolist(), label])))
    (tmp_path / "x.csv").write_text("\n".join(lines))
    for i, (picture, label) in enumerate(zip(PIXELS, CLASSES, strict=True)):
        (tmp_path / "set" / str(label)).mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(tmp_path / "set" / str(label) / f"{i}.png")
    return tmp_path


def test_the_same_pictures_are_the_same_samples_in_every_format(folder):
    table = TableOptions(picture=(6, 5))
    read = {
        "IDX": load_labelled(folder / "x.gz", labels=folder / "y.gz"),
        "npz": load_labelled(folder / "x.npz"),
        "Keras": load_labelled(folder / "keras.npz"),
        "PNG": load_labelled(folder / "set"),
        "CSV": load_labelled(folder / "x.csv", "label", options=table),
    }
    for name, found in read.items():
        np.testing.assert_array_equal(found.samples.x, PIXELS.reshape(30, 30), err_msg=name)
        np.testing.assert_array_equal(found.y, CLASSES, err_msg=name)
        assert found.classes == ("0", "1", "2")
        assert (found.samples.picture, found.samples.largest) == ((6, 5), 255.0)
        assert found.digest == read["IDX"].digest
    assert [found.samples.test for found in read.values()] == [0, 0, 10, 0, 0]


def test_as_a_table_they_are_columns_without_the_constant_ones(folder):
    found = load_labelled(folder / "x.csv", "label").samples
    np.testing.assert_array_equal(found.x, PIXELS.reshape(30, 30)[:, 1:])
    assert (found.picture, found.largest) == (None, None)
    assert found.features == tuple(f"p{i}" for i in range(1, 30))
    assert found.notes == ("column 1 ('p0') is left out: 0 in every row",)
