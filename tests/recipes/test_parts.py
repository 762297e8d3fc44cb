"""Which samples train, validate and test a classifier: by file, by group, by time."""

import json

import numpy as np
import pandas as pd
import pytest

from regularizers.errors import ConfigurationError, DataError

# which samples are where is tested without a training
from regularizers.recipes._settings import from_json, to_json
from regularizers.recipes.classifier import Config
from regularizers.recipes.classifier._data import load
from regularizers.recipes.classifier._parts import parts


def frame(seed, rows=90):
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "a": rng.normal(size=rows),
            "who": [f"p{i % 9}" for i in range(rows)],
            "b": rng.normal(size=rows),
            "when": pd.date_range("2024-01-01", periods=rows)[::-1].strftime("%Y-%m-%d"),
            "kind": np.array([*"uvw"])[rng.integers(0, 3, rows)],
        }
    )


@pytest.fixture
def files(tmp_path):
    frame(0).to_csv(tmp_path / "x.csv", index=False)
    other = frame(1, 30)[["when", "kind", "b", "a", "who"]]
    other.to_csv(tmp_path / "v.csv", index=False)
    frame(2, 20).drop(columns="when").to_csv(tmp_path / "t.csv", index=False)
    return tmp_path


def rows(part, table):
    """Return which rows of a table a part is made of."""
    known = {tuple(row): i for i, row in enumerate(table[["a", "b"]].to_numpy("f4").tolist())}
    return [known[tuple(row)] for row in part.x.tolist()]


def told(files, **settings):
    return Config(data=files / "x.csv", target="kind", scale="none", **settings)


def test_groups_stay_together_and_are_no_feature(files):
    config = told(files, group="who", drop=("when",))
    data = load(config)
    found = parts(data, config, 0)
    assert found.samples.features == ("a", "b")
    training, validation = (rows(part, frame(0)) for part in (found.training, found.validation))
    assert sorted([*training, *validation]) == list(range(90))
    assert len({row % 9 for row in validation}) == 3
    assert not {row % 9 for row in validation} & {row % 9 for row in training}
    again = parts(data, config, 1)
    assert rows(again.validation, frame(0)) == validation
    fewer = parts(data, told(files, group="who", drop=("when",), train=20), 0)
    assert len(fewer.training.x) == 20
    assert {*rows(fewer.training, frame(0))} <= {*training}


def test_the_last_in_time_validate(files):
    config = told(files, time="when", drop=("who",))
    found = parts(load(config), config, 0)
    # the dates fall from row to row
    assert sorted(rows(found.validation, frame(0))) == list(range(27))


def test_files_of_their_own_validate_and_test(files):
    config = told(files, validation=files / "v.csv", test=files / "t.csv", drop=("who", "when"))
    data = load(config)
    found = parts(data, config, 0)
    assert sorted(rows(found.training, frame(0))) == list(range(90))
    assert rows(found.validation, frame(1, 30)) == list(range(30))
    assert found.validation.y.tolist() == ["uvw".index(k) for k in frame(1, 30)["kind"]]
    assert rows(found.test, frame(2, 20)) == list(range(20))
    # what is resumed has the same files
    assert from_json(Config, json.loads(json.dumps(to_json(config)))) == config
    other = frame(1, 30).assign(a=0.5)
    other.to_csv(files / "v.csv", index=False)
    assert load(config).digest != data.digest


def test_a_file_without_its_classes_or_with_others_is_refused(files):
    config = told(files, test=files / "t.csv", drop=("who", "when"))
    frame(2, 20).drop(columns="kind").to_csv(files / "t.csv", index=False)
    with pytest.raises(ConfigurationError, match=r"test: expected the classes .* add its column"):
        load(config)
    frame(2, 20).replace("w", "x").to_csv(files / "t.csv", index=False)
    with pytest.raises(DataError, match=r"t\.csv, line \d+, column 5 .* 'u', 'v', 'w', got 'x'"):
        load(config)


def test_a_class_without_training_samples_is_refused(files):
    table = frame(0)
    table["kind"] = np.where(np.arange(90) < 5, "w", np.array([*"uv"])[np.arange(90) % 2])
    table.to_csv(files / "x.csv", index=False)
    config = told(files, time="when", drop=("who",))
    with pytest.raises(ConfigurationError, match=r"expected samples of every class .* none of 'w'"):
        parts(load(config), config, 0)


def test_a_column_of_no_table_is_refused(tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).random((20, 3)))
    np.save(tmp_path / "y.npy", np.arange(20) % 2)
    config = Config(data=tmp_path / "x.npy", labels=tmp_path / "y.npy", group="a")
    with pytest.raises(ConfigurationError, match="group: expected a table, of which it names a co"):
        load(config)
