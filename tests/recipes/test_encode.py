"""Saved autoencoders: codes of samples as they are in a file, in another process, and bad files."""

import re
import shutil
import subprocess
import sys

import numpy as np
import pandas as pd
import pytest
import torch
from sklearn.preprocessing import StandardScaler
from torch import nn

import regularizers as rz
from recipes.commands import figures, only_folder, run
from regularizers.errors import RunFolderError
from regularizers.recipes import load
from regularizers.recipes.sparse_autoencoder import Config

# how rows are split is tested without a training
from regularizers.recipes.sparse_autoencoder._data import load as load_data

QUICK = ["sparse-autoencoder", "--units", "12", "--active", "3", "--steps", "20"]


def frame(seed, rows=120):
    rng = np.random.default_rng(seed)
    x = rng.random((rows, 6)) * [1, 1e-9, 1e6, 1, 1, 1] + [0, 0, 1.7e9, 0, 0, 0]
    return pd.DataFrame(x, columns=[*"abcdef"])


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """A folder with `train.csv`, `new.csv`, and in `runs` a run; `f` is constant in training."""
    place = tmp_path_factory.mktemp("encode")
    train = frame(0)
    unseen = np.random.default_rng(0).permutation(120)[:24]
    train["f"] = np.where(np.isin(np.arange(120), unseen), 1e9 * train["f"], 5.0)
    train.to_csv(place / "train.csv", index=False)
    frame(1, 40).to_csv(place / "new.csv", index=False)
    assert run(*QUICK, "--data", place / "train.csv", "--runs", place / "runs") == 0
    return place


@pytest.fixture(scope="module")
def folder(place):
    return only_folder(place / "runs")


def encode(folder, data, out, *more) -> int:
    return run("sparse-autoencoder", "encode", folder, "--data", data, "--out", out, *more)


def test_codes_are_those_of_the_saelens_folder_on_scaled_samples(folder, place, capsys):
    loaded = load(folder)
    assert loaded.metadata["network"] == "jumprelu"
    assert loaded.metadata["dropped"] == ["f"]
    x = frame(1, 40).to_numpy(copy=True)
    train = pd.read_csv(place / "train.csv").to_numpy()
    seen = train[np.random.default_rng(0).permutation(120)[24:]]
    low, high = seen.min(0)[:5], seen.max(0)[:5]
    scaled = torch.from_numpy((x[:, :5] - low) / (high - low)).float()
    sae = rz.sae.load(folder / "jumprelu")
    with torch.no_grad():
        code = loaded.module.encode(torch.from_numpy(x))
        torch.testing.assert_close(code, sae.encode(scaled), rtol=1e-4, atol=1e-5)
        y = loaded.module(torch.from_numpy(x))
        np.testing.assert_allclose(y[:, :5], sae(scaled).numpy() * (high - low) + low, rtol=1e-4)
    assert y.dtype == torch.float64
    assert (y[:, 5] == 5.0).all()
    assert torch.equal(loaded.module.decode(code), y)
    assert encode(folder, place / "new.csv", place / "out.npz") == 0
    printed = capsys.readouterr().out
    assert np.array_equal(np.load(place / "out.npz")["codes"], code.numpy())
    worth = rz.sae.evaluate(sae, scaled)
    assert f"{worth.l0:.1f} of 12 units are active in a sample" in printed
    shown = float(re.search(r"explained variance (-?[\d.]+)%", printed)[1])
    assert shown == pytest.approx(100 * worth.explained_variance, abs=0.1)


def test_a_column_constant_in_training_does_not_spoil_the_validation(folder):
    assert figures(folder)["jumprelu"]["mse"] < 1


@pytest.mark.parametrize("network", ["l1", "kl"])
def test_another_process_gives_the_same_bits(network, folder, place):
    assert encode(folder, place / "new.csv", place / "here.npy", "--network", network) == 0
    mixed = frame(1, 40)[[*"fbdaec"]]
    mixed.to_csv(place / "mixed.csv", index=False)
    moved = place / f"elsewhere-{network}"
    shutil.copytree(folder, moved)
    arguments = ["sparse-autoencoder", "encode", str(moved), "--data", str(place / "mixed.csv")]
    done = subprocess.run(
        [sys.executable, "-m", "regularizers", *arguments, "--network", network],
        capture_output=True,
        text=True,
        check=False,
        cwd=place,
    )
    assert done.returncode == 0, done.stderr
    there = np.load(moved / "codes-mixed.npz")["codes"]
    assert np.array_equal(there, np.load(place / "here.npy"))
    assert ("mean activation" in done.stdout) == (network == "kl")


def test_a_csv_has_a_column_for_each_unit(folder, place):
    assert encode(folder, place / "new.csv", place / "out.csv") == 0
    assert encode(folder, place / "new.csv", place / "out.npy") == 0
    found = pd.read_csv(place / "out.csv", dtype="f4")
    assert list(found) == ["row", *(f"unit {i + 1}" for i in range(12))]
    assert np.array_equal(found.iloc[:, 1:], np.load(place / "out.npy"))


def test_what_is_not_as_the_training_is_refused(folder, place, tmp_path, capsys):
    frame(1).drop(columns="b").to_csv(place / "bad.csv", index=False)
    assert encode(folder, place / "bad.csv", place / "bad.npz") == 2
    assert "expected the columns of the training, got none called 'b'" in capsys.readouterr().err
    assert encode(folder, place / "new.csv", place / "codes.txt") == 2
    assert "out: expected a .npz, .npy or .csv, got" in capsys.readouterr().err
    frame(1).assign(b=1e300).to_csv(place / "bad.csv", index=False)
    assert encode(folder, place / "bad.csv", place / "bad.npz") == 2
    assert "row 1: expected a sample like those of the training" in capsys.readouterr().err
    with pytest.raises(RunFolderError, match=r"expected a network that it holds, jumprelu, l1, kl"):
        load(folder, "topk")
    old = tmp_path / "old"
    shutil.copytree(folder, old)
    (old / "jumprelu" / "sae_weights.safetensors").write_bytes(b"cut")
    with pytest.raises(RunFolderError, match="expected the network of this run, got files that"):
        load(old)
    (old / "scaling.safetensors").unlink()
    with pytest.raises(RunFolderError, match=r"scaling\.safetensors: expected the file of a tr"):
        load(old, "l1")


def test_activations_are_taken_as_they_are(tmp_path, capsys):
    rows = torch.rand(120, 6) * 3
    stream = rz.sae.activations(nn.Identity(), "", rows.split(30))
    stream.store(tmp_path / "stored", shard_rows=50)
    told = ["--batch-size", 32, "--beside", "--data", tmp_path / "stored"]
    assert run(*QUICK, *told, "--runs", tmp_path / "runs") == 0
    folder = only_folder(tmp_path / "runs")
    loaded = load(folder)
    assert loaded.metadata["schema"] is None
    expected = rz.sae.load(folder / "jumprelu").encode(rows)
    assert torch.equal(loaded.module.encode(rows), expected)
    assert encode(folder, tmp_path / "stored", tmp_path / "out.npy") == 0
    torch.testing.assert_close(torch.from_numpy(np.load(tmp_path / "out.npy")), expected)
    narrow = rz.sae.activations(nn.Identity(), "", rows[:, :5].split(30))
    narrow.store(tmp_path / "narrow", shard_rows=50)
    assert encode(folder, tmp_path / "narrow", tmp_path / "out.npy") == 2
    assert "expected rows of 6 numbers, as in the training, got 5" in capsys.readouterr().err
    assert run(*QUICK, *told, "--scale", "minmax") == 2
    assert "scale: expected none for a folder of activations, got minmax" in capsys.readouterr().err


def test_rows_validate_by_group_by_time_or_from_a_file(tmp_path):
    table = frame(0).assign(who=np.arange(120) % 7, when=np.arange(120)[::-1])
    table.to_csv(tmp_path / "x.csv", index=False)
    frame(1, 30).to_csv(tmp_path / "v.csv", index=False)
    x = table[[*"abcdef"]].to_numpy()

    def loaded(**settings):
        return load_data(Config(data=tmp_path / "x.csv", batch_size=32, scale="none", **settings))

    data = loaded(group="who", drop=("when",))
    assert data.columns == tuple("abcdef")
    held_out = np.array(data.rows) - 1
    assert len({*(held_out % 7)}) == 1
    assert sorted(held_out) == [i for i in range(120) if i % 7 == held_out[0] % 7]
    assert np.array_equal(data.validation.numpy(), x[held_out].astype(np.float32))
    data = loaded(time="when", drop=("who",))
    assert sorted(data.rows) == list(range(1, 25))
    data = loaded(validation=tmp_path / "v.csv", drop=("who", "when"))
    assert data.training_samples == 120
    assert np.array_equal(data.validation.numpy(), frame(1, 30).to_numpy().astype(np.float32))
    data = load_data(
        Config(data=tmp_path / "v.csv", batch_size=8, scale="standard", validation=0.5)
    )
    seen = frame(1, 30).to_numpy()[np.random.default_rng(0).permutation(30)[15:]]
    expected = StandardScaler().fit_transform(seen)
    np.testing.assert_allclose(data.training, expected, atol=1e-6)
