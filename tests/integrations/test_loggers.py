"""The numbers of a Regularization and a Monitor go into loggers as they are."""

import csv
import math
import posixpath
import re
from pathlib import Path

import pytest
from lightning.pytorch.loggers import CSVLogger

from integrations.logged import numbers


@pytest.fixture(scope="module")
def logged() -> dict[str, float]:
    return numbers()


def test_there_are_all_kinds(logged):
    ends = {key.rpartition("/")[2] for key in logged}
    assert {"strength", "measured", "wanted", "distance", "zeros", "dead_units"} <= ends
    heads = {key.split("/")[0] for key in logged}
    assert heads >= {"a b_0_", "λ", "x", "plain", "λ_ before_ after"}
    assert all(isinstance(value, float) and math.isfinite(value) for value in logged.values())


def test_keys_are_what_mlflow_takes(logged):
    """The rules of `mlflow.utils.validation`: letters, a path in its shortest form, 250 of them."""
    for key in logged:
        assert re.fullmatch(r"[/\w.\- ]+", key), key
        assert posixpath.normpath(key) == key, key
        assert not key.startswith(("..", "/")), key
        assert len(key) <= 250


def test_no_two_keys_are_alike_where_other_letters_are_replaced(logged):
    """Weights & Biases and some viewers of TensorBoard replace more; numbers must stay apart."""
    assert len({re.sub(r"[^\w./-]", "_", key) for key in logged}) == len(logged)


def test_csv(logged, tmp_path):
    path = tmp_path / "metrics.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, ["step", *logged])
        writer.writeheader()
        writer.writerow({"step": 0} | logged)
    with path.open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert {key: float(value) for key, value in row.items() if key != "step"} == logged


@pytest.mark.filterwarnings("ignore:Experiment logs directory")
def test_the_csv_logger_of_lightning(logged, tmp_path):
    logger = CSVLogger(tmp_path)
    logger.log_metrics(logged, step=3)
    logger.save()
    with Path(logger.log_dir, "metrics.csv").open(newline="", encoding="utf-8") as file:
        (row,) = csv.DictReader(file)
    assert row.pop("step") == "3"
    assert {key: float(value) for key, value in row.items()} == logged
