"""Saved classifiers: used in another process, on columns in another order, and on bad files."""

import json
import shutil
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import save_file

import regularizers as rz
from recipes.commands import figures, only_folder, run
from regularizers.errors import RunFolderError
from regularizers.recipes import load

# what a command does is compared with the parts that it is made of
from regularizers.recipes._run_folder import RunFolder
from regularizers.recipes.classifier import Config
from regularizers.recipes.classifier._data import Data
from regularizers.recipes.classifier._parts import parts
from regularizers.recipes.classifier._predict import probabilities
from regularizers.recipes.classifier.saved import save
from regularizers.recipes.data import load_labelled_digits

QUICK = ["classifier", "--units", "8", "--epochs", "2", "--seeds", "1"]


def frame(seed, rows=90):
    """Blobs in columns of very different sizes, with a category, and the class in `kind`."""
    rng = np.random.default_rng(seed)
    kinds = np.arange(rows) % 3
    return pd.DataFrame(
        {
            "a": rng.normal(size=rows) + 2 * (kinds == 0),
            "t": 1.7e9 + np.arange(rows) * 60.0,
            "b": 1e-9 * (rng.normal(size=rows) + 2 * (kinds == 1)),
            "colour": np.array(["red", "green"])[rng.integers(0, 2, rows)],
            "kind": np.array([*"uvw"])[kinds],
        }
    )


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with `train.csv`, `new.csv`, and in `runs` a run."""
    place = tmp_path_factory.mktemp("predict")
    frame(0).to_csv(place / "train.csv", index=False)
    frame(1, 40).to_csv(place / "new.csv", index=False)
    told = ["--data", place / "train.csv", "--target", "kind", "--categorical", "colour"]
    assert run(*QUICK, *told, "--runs", place / "runs") == 0
    return place


@pytest.fixture(scope="module")
def folder(place):
    return only_folder(place / "runs")


def predict(folder, data, out, *more) -> int:
    return run("classifier", "predict", folder, "--data", data, "--out", out, *more)


def read(path):
    return pd.read_csv(path, dtype={"class": str, **dict.fromkeys(["p(u)", "p(v)", "p(w)"], "f4")})


def test_it_writes_classes_and_probabilities_and_says_what_is_right(folder, place, capsys):
    assert predict(folder, place / "new.csv", place / "out.csv", "--network", "l1-kernels-0") == 0
    printed = capsys.readouterr().out
    found = read(place / "out.csv")
    assert list(found) == ["row", "class", "p(u)", "p(v)", "p(w)"]
    assert found["row"].tolist() == list(range(1, 41))
    chances = found[["p(u)", "p(v)", "p(w)"]].to_numpy()
    np.testing.assert_allclose(chances.sum(1), 1, rtol=1e-5)
    assert found["class"].tolist() == [["u", "v", "w"][i] for i in chances.argmax(1)]
    right = (found["class"] == frame(1, 40)["kind"]).mean()
    assert f"{right:.2%} are right" in printed
    assert "40 samples, by l1-kernels-0 of" in printed
    assert str(place / "out.csv") in printed.splitlines()[-1]


def test_the_probabilities_are_those_of_scikit_learns_scaling_and_the_weights(folder, place):
    loaded = load(folder, "none-0")
    assert loaded.metadata["classes"] == ["u", "v", "w"]
    assert loaded.metadata["arguments"]["units"] == 8
    columns = [column["name"] for column in loaded.metadata["schema"]["columns"]]
    assert columns == ["a", "t", "b", "colour"]
    new = frame(1, 40)
    x = np.column_stack([new["a"], new["t"], new["b"], new["colour"] == "green"])
    x = np.column_stack([x, new["colour"] == "red"]).astype(float)
    with torch.no_grad():
        logits = loaded.module(torch.from_numpy(x))
    assert predict(folder, place / "new.csv", place / "out.csv", "--network", "none-0") == 0
    chances = read(place / "out.csv")[["p(u)", "p(v)", "p(w)"]].to_numpy()
    assert np.array_equal(chances, logits.softmax(1).numpy())
    w = {k: v.double().numpy() for k, v in loaded.module.network.state_dict().items()}
    scaling = loaded.module.scaling
    z = (x - scaling.shift.numpy()) / scaling.scale.numpy()
    for i in (0, 2):
        z = np.maximum(z @ w[f"{i}.weight"].T + w[f"{i}.bias"], 0)
    np.testing.assert_allclose(logits, z @ w["4.weight"].T + w["4.bias"], atol=1e-5)


@pytest.mark.parametrize("kind", ["mlp", "conv"])
def test_a_saved_network_gives_the_bits_that_it_gave_before(kind, tmp_path):
    labelled = load_labelled_digits()
    config = Config(network=kind, units=8)
    found = parts(Data(labelled), config, 0)
    arguments = replace(found.arguments(config), dropout=0.5, batch_norm=True)
    network = arguments.build().eval()
    x = torch.from_numpy(labelled.samples.x[:50])
    before = network(found.scaling(x))
    saved = RunFolder.create(tmp_path, "classifier")
    saved.write_json("config.json", {"recipe": "classifier"})
    save(saved, "any-0", network, arguments, found)
    again = load(saved.path, "any-0").module
    assert torch.equal(again(x), before)
    assert torch.equal(again(x.double()), before)
    assert not again.training


def test_another_process_gives_the_same_bits_from_columns_in_another_order(folder, place):
    assert predict(folder, place / "new.csv", place / "here.csv") == 0
    mixed = frame(1, 40)[["colour", "kind", "b", "t", "a"]].drop(columns="kind")
    mixed.to_csv(place / "mixed.csv", index=False)
    # the folder alone, elsewhere, without the data of the training
    moved = place / "elsewhere" / "run"
    shutil.copytree(folder, moved)
    arguments = ["classifier", "predict", str(moved), "--data", str(place / "mixed.csv")]
    done = subprocess.run(
        [sys.executable, "-m", "regularizers", *arguments],
        capture_output=True,
        text=True,
        check=False,
        cwd=place,
    )
    assert done.returncode == 0, done.stderr
    assert "right" not in done.stdout
    assert (moved / "classes-mixed.csv").read_bytes() == (place / "here.csv").read_bytes()


def test_by_default_it_is_the_best_method_on_validation_samples(folder, place, capsys):
    accuracies = {m: of["0"]["validation_accuracy"] for m, of in figures(folder).items()}
    best = max(accuracies, key=accuracies.get).lower().replace(" ", "-")
    assert predict(folder, place / "new.csv", place / "out.csv") == 0
    assert f"by {best}-0 of" in capsys.readouterr().out


BAD = {
    "missing": (lambda f: f.drop(columns="t"), "expected the columns of the training, .* 't'"),
    "new": (lambda f: f.assign(extra=1.5), r"got a new one, column 6 \('extra'\)"),
    "category": (lambda f: f.replace("red", "blue"), r"line \d+, column 4 .* got 'blue'"),
    "class": (lambda f: f.replace("w", "x"), r"line 4, column 5 .* 'u', 'v', 'w', got 'x'"),
    "far": (lambda f: f.assign(b=1e300), "row 1: expected a sample like those of the training"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_file_that_is_not_as_the_training_is_refused(case, folder, place, capsys):
    change, message = BAD[case]
    change(frame(1, 40)).to_csv(place / "bad.csv", index=False)
    assert predict(folder, place / "bad.csv", place / "bad-out.csv") == 2
    err = capsys.readouterr().err
    assert len(err.splitlines()) == 1
    assert pd.Series([err]).str.contains(message).all(), err
    assert not (place / "bad-out.csv").exists()


def test_a_folder_without_what_is_needed_is_refused(folder, place, tmp_path):
    with pytest.raises(RunFolderError, match=r"expected a network that it holds, .*none-0.*'x'"):
        load(folder, "x")
    with pytest.raises(RunFolderError, match="expected the folder of an earlier run"):
        load(tmp_path)
    old = tmp_path / "old"
    shutil.copytree(folder, old)
    path = old / "networks" / "none-0.safetensors"
    with safe_open(path, framework="pt") as file:
        tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
        metadata = file.metadata()
    save_file(tensors, path)
    with pytest.raises(RunFolderError, match="one of an earlier version, which did not keep"):
        load(old, "none-0")
    del tensors["network.0.bias"]
    save_file(tensors, path, metadata)
    with pytest.raises(
        RunFolderError, match=r"expected the weights of the network .*network\.0\.bias"
    ):
        load(old, "none-0")
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(
        RunFolderError, match=r"none-0\.safetensors: expected a file of safetensors"
    ):
        load(old, "none-0")
    (old / "metrics.json").unlink()
    with pytest.raises(RunFolderError, match="expected a run with a trained network, got one with"):
        load(old)
    config = json.loads((old / "config.json").read_text())
    del config["recipe"]
    (old / "config.json").write_text(json.dumps(config))
    with pytest.raises(RunFolderError, match="got one of an earlier version, which does not say"):
        load(old)


def test_pictures_of_another_shape_are_refused_and_labels_are_read(tmp_path, capsys):
    x = np.random.default_rng(0).integers(0, 256, (40, 6, 5), dtype=np.uint8)
    np.savez(tmp_path / "x.npz", x_train=x[:30], y_train=np.arange(30) % 2, x_test=x[30:],
             y_test=np.arange(10) % 2)  # fmt: skip
    told = ["--data", tmp_path / "x.npz", "--network", "conv"]
    assert run(*QUICK, *told, "--runs", tmp_path / "runs") == 0
    printed = capsys.readouterr().out
    assert "21 samples for training, 9 for validation, 10 for testing" in printed
    assert "test %" in printed
    folder = only_folder(tmp_path / "runs")
    loaded = load(folder, "none-0")
    found = probabilities(loaded.module, x[30:].reshape(10, 30), "x").argmax(1)
    shown = figures(folder)["none"]["0"]
    assert shown["test_accuracy"] == (found == np.arange(10) % 2).mean()
    np.save(tmp_path / "new.npy", x[30:])
    np.save(tmp_path / "labels.npy", np.arange(10) % 2)
    labels = ["--labels", tmp_path / "labels.npy", "--network", "none-0"]
    assert predict(folder, tmp_path / "new.npy", tmp_path / "out.csv", *labels) == 0
    assert f"{shown['test_accuracy']:.2%} are right" in capsys.readouterr().out
    assert read(tmp_path / "out.csv")["class"].tolist() == [str(label) for label in found]
    np.save(tmp_path / "new.npy", x.reshape(40, 5, 6))
    assert predict(folder, tmp_path / "new.npy", tmp_path / "out.csv") == 2
    assert "expected pictures of shape (6, 5), as in the training, got (5, 6)" in (
        capsys.readouterr().err
    )


def test_a_run_of_another_recipe_is_refused(folder, place, capsys):
    assert run("sparse-autoencoder", "encode", folder, "--data", place / "new.csv") == 2
    assert "expected the folder of a run of sparse-autoencoder, got 'classifier'" in (
        capsys.readouterr().err
    )


def test_the_door_is_public():
    assert rz.recipes.load is load
