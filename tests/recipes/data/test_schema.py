"""Further files of the same kind: columns by name, and what is missing, new or unseen."""

import json

import numpy as np
import pytest
from PIL import Image

from recipes.awkward.case import CELLS, LABELS, X, table
from regularizers.errors import DataError
from regularizers.recipes.data import Schema, TableOptions, load_labelled, load_samples

COLOURS = ["red" if i % 3 else "blue" for i in range(60)]
MIXED = [
    [*row, colour, "True" if i % 2 else "no"]
    for i, (row, colour) in enumerate(zip(CELLS, COLOURS, strict=True))
]
OPTIONS = TableOptions(categorical=("colour",), drop=("note",))


def through_json(schema: Schema) -> Schema:
    return Schema.from_json(json.loads(json.dumps(schema.to_json())))


@pytest.fixture
def schema(tmp_path):
    """Of a table with an index, four numbers, a category, a column that is dropped, and classes."""
    rows = [[str(i), *row] for i, row in enumerate(MIXED)]
    path = tmp_path / "training.csv"
    path.write_text(table(",p,q,r,s,colour,note,cls", rows))
    found = load_labelled(path, "cls", options=OPTIONS).samples
    assert found.features == ("p", "q", "r", "s", "colour=blue", "colour=red")
    np.testing.assert_array_equal(found.x[:, 5], [float(c == "red") for c in COLOURS])
    np.testing.assert_array_equal(found.schema.rows_of(path), found.x)
    assert through_json(found.schema) == found.schema
    return through_json(found.schema)


def written(tmp_path, text, name="new.csv"):
    (tmp_path / name).write_text(text)
    return tmp_path / name


def test_columns_are_found_by_name_in_any_order(tmp_path, schema):
    path = written(tmp_path, "s;colour;q;p;r\n4;blue;2;1;3\n8;red;6;5;7\n")
    np.testing.assert_array_equal(schema.rows_of(path), [[1, 2, 3, 4, 1, 0], [5, 6, 7, 8, 0, 1]])
    assert schema.rows_of(path).dtype == np.float64


def test_the_target_and_what_was_dropped_may_be_there(tmp_path, schema):
    path = written(tmp_path, "cls,s,colour,q,p,r,note\na,4,blue,2,1,3,x\n")
    np.testing.assert_array_equal(schema.rows_of(path), [[1, 2, 3, 4, 1, 0]])


def test_one_row_of_constants_is_enough(tmp_path, schema):
    path = written(tmp_path, "p,q,r,s,colour\n1,1,1,1,red\n1,1,1,1,red\n")
    np.testing.assert_array_equal(schema.rows_of(path), [[1, 1, 1, 1, 0, 1]] * 2)


BAD = {
    "missing": ("p,q,colour\n1,2,red\n", "got none called 'r', 's'"),
    "new": ("p,q,r,s,colour,t\n1,2,3,4,red,5\n", r"a new one, column 6 \('t'\); .* --drop"),
    "unseen": (
        "p,q,r,s,colour\n1,2,3,4,red\n\n1,2,3,4,pink\n",
        r"line 4, column 5 \('colour'\): expected a category .* 'blue', 'red', got 'pink'",
    ),
    "no number": (
        "p,q,r,s,colour\n1,2,x,4,red\n",
        r"line 2, column 3 \('r'\): expected a number, got 'x'",
    ),
    "no names": ("1,2,3,4,red\n1,2,3,4,red\n", "got a new one, column 2"),
    "short": ("p,q,r,s,colour\n1,2,3,4\n", "line 2: expected 5 columns"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_of_another_kind_says_what_is_wrong(name, tmp_path, schema):
    text, message = BAD[name]
    with pytest.raises(DataError, match=message) as raised:
        schema.rows_of(written(tmp_path, text))
    assert "new.csv" in str(raised.value)


def test_a_new_column_can_be_dropped(tmp_path, schema):
    path = written(tmp_path, "p,q,r,s,colour,t\n1,2,3,4,red,5\n")
    rows = schema.rows_of(path, TableOptions(drop=("t",)))
    np.testing.assert_array_equal(rows, [[1, 2, 3, 4, 0, 1]])


def test_a_further_file_may_be_written_otherwise(tmp_path, schema):
    path = written(tmp_path, "p;q;r;s;colour\n1,5;2;3;4;red\n")
    rows = schema.rows_of(path, TableOptions(decimal=","))
    np.testing.assert_array_equal(rows, [[1.5, 2, 3, 4, 0, 1]])


def test_columns_without_names_are_found_by_place_with_the_target_or_without(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(table(None, [[*row[:2], "7", *row[2:]] for row in CELLS]))
    schema = load_labelled(path, "6").samples.schema
    np.testing.assert_array_equal(schema.rows_of(path), X)
    new = written(tmp_path, "1,2,3,4,5\n")
    np.testing.assert_array_equal(schema.rows_of(new), [[1, 2, 4, 5]])
    with pytest.raises(DataError, match=r"expected 6 columns, .* or 5 without the target, got 4"):
        schema.rows_of(written(tmp_path, "1,2,3,4\n"))


def test_true_and_false_are_read_as_in_the_training(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(
        table(cells=[["True" if i % 2 else "False", *row[1:]] for i, row in enumerate(CELLS)])
    )
    schema = load_labelled(path, "cls").samples.schema
    new = written(tmp_path, "p,q,r,s\nFALSE,1,2,3\n")
    np.testing.assert_array_equal(schema.rows_of(new), [[0, 1, 2, 3]])
    with pytest.raises(DataError, match=r"line 2, .* expected true or false, .* got '0'"):
        schema.rows_of(written(tmp_path, "p,q,r,s\n0,1,2,3\n"))


def test_arrays_and_their_columns(tmp_path):
    np.save(tmp_path / "x.npy", np.column_stack([X[:, :2], np.ones(60), X[:, 2:]]))
    schema = load_samples(tmp_path / "x.npy").schema
    assert schema.features == ("1", "2", "4", "5")
    np.save(tmp_path / "new.npy", np.arange(10.0).reshape(2, 5))
    np.testing.assert_array_equal(
        schema.rows_of(tmp_path / "new.npy"), [[0, 1, 3, 4], [5, 6, 8, 9]]
    )
    np.save(tmp_path / "new.npy", np.arange(8.0).reshape(2, 4))
    with pytest.raises(DataError, match="expected 5 columns, as in the training, got 4"):
        schema.rows_of(tmp_path / "new.npy")


@pytest.fixture
def pictures(tmp_path):
    array = np.random.default_rng(0).integers(0, 256, (12, 4, 3), dtype=np.uint8)
    np.save(tmp_path / "x.npy", array)
    schema = through_json(load_samples(tmp_path / "x.npy").schema)
    assert (schema.picture, schema.largest, len(schema.features)) == ((4, 3), 255.0, 12)
    return schema, array


def test_pictures_are_read_from_any_format(tmp_path, pictures):
    schema, array = pictures
    (tmp_path / "new").mkdir()
    for i, picture in enumerate(array):
        Image.fromarray(picture).save(tmp_path / "new" / f"{i}.png")
    np.save(tmp_path / "rows.npy", array.reshape(12, 12))
    for name in ("x.npy", "new", "rows.npy"):
        np.testing.assert_array_equal(schema.rows_of(tmp_path / name), array.reshape(12, 12))


OTHER = {
    "turned": (lambda a: a.transpose(0, 2, 1), r"pictures of shape \(4, 3\), .* got \(3, 4\)"),
    "coloured": (lambda a: a[..., None].repeat(3, 3), r"of shape \(4, 3\), .* got \(3, 4, 3\)"),
    "wide": (lambda a: a.reshape(9, 16), r"of shape \(4, 3\), .* got rows of shape \(9, 16\)"),
    "16 bits": (lambda a: a.astype(np.uint16) * 257, "pixels up to 255, .* up to 65535"),
}


@pytest.mark.parametrize("name", OTHER)
def test_other_pictures_are_refused(name, tmp_path, pictures):
    schema, array = pictures
    change, message = OTHER[name]
    np.save(tmp_path / "new.npy", change(array))
    with pytest.raises(DataError, match=message):
        schema.rows_of(tmp_path / "new.npy")


def test_pictures_and_tables_are_not_mixed_up(tmp_path, pictures, schema):
    with pytest.raises(DataError, match="expected pictures, as in the training, got a table"):
        pictures[0].rows_of(written(tmp_path, table(labels=LABELS)))
    with pytest.raises(DataError, match="expected a table, as in the training, got pictures"):
        schema.rows_of(tmp_path / "x.npy")


def test_a_column_without_a_name_is_found_by_its_place(tmp_path):
    path = tmp_path / "x.csv"
    path.write_text(",q,cls\n" + "".join(f"{i / 7},{i % 5},{i % 2}\n" for i in range(20)))
    samples = load_labelled(path, "cls").samples
    assert samples.features == ("1", "q")
    np.testing.assert_array_equal(samples.schema.rows_of(path), samples.x)
