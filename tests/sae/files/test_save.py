"""What is saved is what SAELens' formulas need; ours comes back to the bit."""

import json
from pathlib import Path

import pytest
import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from regularizers.errors import (
    ArrayTypeError,
    ConfigurationError,
    DataError,
    RunFolderError,
    ShapeError,
)
from regularizers.sae.files import load, save
from sae.files.oracle import FEATURES, TOLERANCES, UNITS, K, assert_near, formulas

ARCHITECTURES = ["l1", "topk", "jumprelu", "batchtopk", "gated"]


def read(folder):
    return json.loads((folder / "cfg.json").read_text()), load_file(
        folder / "sae_weights.safetensors"
    )


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_their_formulas_give_our_codes_and_outputs(architecture, trained, x, tmp_path):
    for dtype in TOLERANCES:
        sae = trained(architecture, dtype=dtype)
        config, tensors = read(save(sae, tmp_path / str(dtype)))
        code, output = formulas(config, tensors, x)
        assert 0 < (code > 0).double().mean() < 1
        assert_near(sae.encode(x.to(dtype)), code)
        assert_near(sae(x.to(dtype)), output)
        norms = tensors["W_dec"].norm(dim=1)
        torch.testing.assert_close(norms, torch.ones_like(norms))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_ours_comes_back_to_the_bit(architecture, trained, x, tmp_path):
    sae = trained(architecture, nested=(4, UNITS))
    if architecture == "jumprelu":
        sae.coding.gate.bandwidth = 0.03
    before = torch.get_rng_state()
    again = load(save(sae, tmp_path / "sae"))
    assert torch.equal(torch.get_rng_state(), before)
    assert not again.training
    assert again.state_dict().keys() == sae.state_dict().keys()
    for name, tensor in sae.state_dict().items():
        assert again.state_dict()[name].dtype == tensor.dtype
        assert torch.equal(again.state_dict()[name], tensor), name
    assert [p.requires_grad for p in again.parameters()] == [True] * len(list(sae.parameters()))
    for name in ("features", "units", "active", "architecture", "nested"):
        assert getattr(again, name) == getattr(sae, name)
    assert torch.equal(again(x), sae(x))
    if architecture == "jumprelu":
        assert again.coding.gate.bandwidth == 0.03


def test_a_threshold_that_is_reached_counts_as_before(trained, tmp_path):
    sae = trained("batchtopk", scale=1.0)
    _, tensors = read(save(sae, tmp_path / "sae"))
    reached, theirs = sae.coding.threshold, tensors["threshold"]
    assert (reached > theirs).all()  # theirs is active above, ours from it on
    assert (torch.nextafter(reached, torch.tensor(-1.0)) <= theirs).all()


def test_thresholds_are_rounded_down_to_a_narrow_type(trained, tmp_path):
    sae = trained("jumprelu", scale=1.0, dtype=torch.bfloat16)
    wide = torch.linspace(0.1, 0.2, UNITS)
    sae.coding.gate.threshold = torch.nn.Parameter(wide)
    again = load(save(sae, tmp_path / "sae"))
    assert torch.equal(again.coding.gate.threshold, wide)
    theirs = read(tmp_path / "sae")[1]["threshold"]
    assert theirs.dtype == torch.bfloat16
    assert (theirs.float() <= wide).all()
    assert (theirs.float() > wide * (1 - 2**-7)).all()


def test_the_configuration_and_its_metadata(trained, tmp_path):
    rates = torch.linspace(0, 1, UNITS)
    folder = save(
        trained("topk"), tmp_path / "a" / "b", metadata={"hook_name": "mlp"}, firing_rates=rates
    )
    config, tensors = read(folder)
    assert {name: tuple(t.shape) for name, t in tensors.items()} == {
        "W_enc": (FEATURES, UNITS),
        "W_dec": (UNITS, FEATURES),
        "b_enc": (UNITS,),
        "b_dec": (FEATURES,),
    }
    assert config == {
        "d_in": FEATURES,
        "d_sae": UNITS,
        "dtype": "float32",
        "device": "cpu",
        "apply_b_dec_to_input": True,
        "normalize_activations": "none",
        "reshape_activations": "none",
        "metadata": {"sae_lens_version": "6.54.12", "hook_name": "mlp"},
        "architecture": "topk",
        "k": K,
        "rescale_acts_by_decoder_norm": False,
    }
    logs = load_file(folder / "sparsity.safetensors")["sparsity"]
    torch.testing.assert_close(logs[[0, -1]], torch.tensor([-10.0, 0.0]))
    own = json.loads((folder / "regularizers.json").read_text())
    assert (own["format"], own["architecture"], own["active"]) == (1, "topk", K)
    assert own["scale"] == torch.tensor(3.7).item()


def test_a_folder_is_replaced_whole_or_stays(trained, tmp_path):
    folder = save(trained("l1"), tmp_path / "sae", firing_rates=torch.ones(UNITS))
    save(trained("gated"), folder)
    assert not (folder / "sparsity.safetensors").exists()
    assert load(folder).architecture == "gated"
    broken = trained("l1")
    broken.nested = (object(),)  # no JSON: fails in the last file
    with pytest.raises(TypeError):
        save(broken, folder)
    assert load(folder).architecture == "gated"
    assert [p.name for p in tmp_path.iterdir()] == ["sae"]
    (folder / "notes.txt").touch()
    with pytest.raises(RunFolderError, match=r"this one holds notes\.txt; choose another"):
        save(trained("l1"), folder)
    with pytest.raises(RunFolderError, match="expected a folder, got a file"):
        save(trained("l1"), folder / "notes.txt")


def test_the_former_folder_comes_back_if_the_new_one_cannot_take_its_place(
    trained, tmp_path, monkeypatch
):
    folder = save(trained("gated"), tmp_path / "sae")
    rename = Path.rename

    def failing(path, target):
        if path.name == "new":
            raise PermissionError("the disk says no")
        return rename(path, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(RunFolderError, match="cannot be written: the disk says no; free some"):
        save(trained("l1"), folder)
    assert load(folder).architecture == "gated"


def test_a_disk_that_is_full_is_said_and_leaves_nothing(trained, tmp_path, monkeypatch):
    def full(*_):
        raise SafetensorError("I/O error: No space left on device")

    monkeypatch.setattr("safetensors.torch.save_file", full)
    with pytest.raises(RunFolderError, match=r"cannot be written: .*No space left .*; free some"):
        save(trained("l1"), tmp_path / "sae")
    assert [*tmp_path.iterdir()] == []


def test_what_cannot_be_saved_is_refused(trained, tmp_path):
    sae, folder = trained("l1"), tmp_path / "sae"
    cases = [
        ({"metadata": {"a": {1}}}, ConfigurationError, "of JSON's types"),
        ({"metadata": {"a": float("nan")}}, ConfigurationError, "of JSON's types"),
        ({"firing_rates": [0.5]}, ArrayTypeError, r"floating tensor of shape \(24,\)"),
        ({"firing_rates": torch.ones(3)}, ShapeError, r"one rate a unit.*got \(3,\)"),
        ({"firing_rates": 2 * torch.ones(UNITS)}, ConfigurationError, "divide counts"),
    ]
    for options, error, words in cases:
        with pytest.raises(error, match=words):
            save(sae, folder, **options)
    with pytest.raises(ConfigurationError, match="expected a SparseAutoencoder of one of l1,"):
        save(torch.nn.Linear(2, 2), folder)
    sae.scale.fill_(float("inf"))
    with pytest.raises(ConfigurationError, match="scale: expected a positive number, got inf"):
        save(sae, folder)
    untrained = trained("batchtopk")
    untrained.coding.threshold.fill_(float("nan"))
    with pytest.raises(ConfigurationError, match="train the autoencoder first"):
        save(untrained, folder)
    assert not folder.exists()


def test_one_half_written_by_another_program_is_refused(trained, tmp_path):
    folder = save(trained("jumprelu"), tmp_path / "sae")
    weights = folder / "sae_weights.safetensors"
    tensors = load_file(weights)
    save_file(tensors | {"b_enc": tensors["b_enc"] + 1}, weights)
    with pytest.raises(DataError, match=r"no longer agree.*remove regularizers\.json"):
        load(folder)
    for name in ("regularizers.json", "regularizers.safetensors"):
        (folder / name).unlink()
    assert load(folder, active=K).architecture == "jumprelu"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": 2, "library": "9.0"}, r"at most 1, got 2 \(written by regularizers 9\.0\)"),
        ({"architecture": "other"}, "got 'other'"),
        ({"units": "24"}, "units: expected a positive integer, got '24'"),
        ({"units": 25}, "of another name or shape"),
        ({"architecture": "l1"}, "of another name or shape"),
    ],
)
def test_our_own_file_may_be_wrong(change, words, trained, tmp_path):
    folder = save(trained("jumprelu"), tmp_path / "sae")
    path = folder / "regularizers.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=words):
        load(folder)


def test_half_a_folder_is_refused(trained, tmp_path):
    sae = trained("batchtopk")
    for name in ("regularizers.json", "regularizers.safetensors", "sae_weights.safetensors"):
        folder = save(sae, tmp_path / name)
        (folder / name).unlink()
        with pytest.raises(DataError, match=rf"folder with {name}, found cfg\.json"):
            load(folder)
    folder = save(sae, tmp_path / "sae")
    own = folder / "regularizers.safetensors"
    save_file({k: t for k, t in load_file(own).items() if k != "scale"}, own)
    with pytest.raises(DataError, match="missing: scale"):
        load(folder)
    own.write_bytes(own.read_bytes()[:40])
    with pytest.raises(DataError, match="a whole file of safetensors"):
        load(folder)
    with pytest.raises(ConfigurationError, match=r"expected what was saved, 3\.0, got 4"):
        load(save(sae, tmp_path / "other"), active=4)


def test_safetensors_may_be_missing(trained, tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "safetensors.torch", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'regularizers\[sae\]'"):
        save(trained("l1"), tmp_path / "sae")
    assert list(tmp_path.iterdir()) == []
