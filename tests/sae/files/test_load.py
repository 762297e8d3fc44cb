"""Files of SAELens give what its formulas give."""

import json

import numpy as np
import pytest
import torch

from regularizers.errors import ConfigurationError, DataError
from regularizers.sae.files import fold_decoder_norms, load, save
from sae.files.oracle import FEATURES, TOLERANCES, UNITS, File, assert_near


def small_threshold():
    return {"threshold": np.linspace(-0.5, 0.5, UNITS, dtype="float32")}


FILES = {
    "standard": File("standard"),
    "topk": File("topk"),
    "topk, rescaled": File("topk", {"rescale_acts_by_decoder_norm": True}),
    "jumprelu": File("jumprelu"),
    "jumprelu, below 0": File("jumprelu", tensors=small_threshold()),
    "gated": File("gated"),
    "standard, not centred": File("standard", {"apply_b_dec_to_input": False}),
    "gated, not centred": File("gated", {"apply_b_dec_to_input": False}),
    "rescaled, not centred": File(
        "topk", {"rescale_acts_by_decoder_norm": True, "apply_b_dec_to_input": False}
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_codes_and_outputs_are_theirs(name, x, tmp_path):
    file = FILES[name]
    code, output = file.results(x)
    assert 0 < (code > 0).double().mean() < 1
    for dtype in TOLERANCES:
        path = tmp_path / str(dtype)
        sae = load(file.write(path, dtype=str(dtype)))
        assert_near(sae.encode(x.to(dtype)), code)
        assert_near(sae(x.to(dtype)), output)
        assert sae.scale == 1
        assert not sae.training
        again = load(save(sae, tmp_path / f"{dtype} again"))
        assert torch.equal(again.encode(x.to(dtype)), sae.encode(x.to(dtype)))


@pytest.mark.parametrize("name", ["standard", "jumprelu", "gated"])
def test_decoder_norms_are_folded_where_asked(name, x, tmp_path):
    sae = load(FILES[name].write(tmp_path / "theirs"))
    with torch.no_grad():
        sae.decoder.weight[:, 0] = 0
    norms = sae.decoder.weight.norm(dim=0)
    assert (norms - 1).abs().max() > 0.2
    folded = fold_decoder_norms(sae)
    expected = torch.ones(UNITS).index_fill(0, torch.tensor(0), 0)
    torch.testing.assert_close(folded.decoder.weight.norm(dim=0), expected)
    torch.testing.assert_close(folded(x), sae(x), rtol=0, atol=2e-6)
    codes = sae.encode(x)[:, 1:] * norms[1:]
    torch.testing.assert_close(folded.encode(x)[:, 1:], codes, rtol=0, atol=2e-6)
    assert torch.equal(sae.decoder.weight.norm(dim=0), norms)


def test_norms_are_not_folded_where_units_are_compared(tmp_path):
    sae = load(FILES["topk"].write(tmp_path / "theirs"))
    with pytest.raises(ConfigurationError, match="'topk', which compares codes"):
        fold_decoder_norms(sae)


def test_the_type_is_kept(tmp_path):
    sae = load(File("jumprelu", {"dtype": "torch.bfloat16"}).write(tmp_path / "theirs"))
    assert {t.dtype for t in sae.state_dict().values()} == {torch.bfloat16}


def test_active_units_are_what_the_file_says(tmp_path):
    metadata = {"sae_lens_version": "6.54.12"}
    quiet = File("standard", {"metadata": metadata}).write(tmp_path / "quiet")
    with pytest.raises(ConfigurationError, match=r"does not say how many.*load\(folder, active=32"):
        load(quiet)
    assert load(quiet, active=4).active == 4
    details = metadata | {"training_architecture_details": {"k": 4.5}, "l0": 4.4}
    said = File("jumprelu", {"metadata": details}).write(tmp_path / "said")
    assert load(said).active == 4.5
    topk = FILES["topk"].write(tmp_path / "topk")
    with pytest.raises(ConfigurationError, match="expected the k of the file, 3, got 4"):
        load(topk, active=4)


VERSION = {"sae_lens_version": "6.60.0"}


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"architecture": "temporal"}, "expected one of standard, topk.*got 'temporal'"),
        ({"architecture": "batchtopk"}, r"save_inference_model\(folder\)"),
        ({"metadata": {"sae_lens_version": "7.0.1"}}, r"7\.0\.1.*update regularizers"),
        ({"metadata": None}, "version None.*open it in SAELens 6"),
        ({"metadata": VERSION, "gain": 2}, r"later than 6\.54\.12.*known here: gain"),
        ({"d_in": None}, "d_in: expected a positive integer"),
        ({"d_in": 4}, r"W_enc: expected a floating tensor of shape \(4, 24\)"),
        ({"normalize_activations": "layer_norm"}, 'expected "none", got .layer_norm.*yourself'),
        ({"dtype": "float8_e4m3fn"}, "dtype: expected one of float32, float64, float16, bfloat16"),
        ({"architecture": "gated"}, "missing: b_gate, b_mag, r_mag; not expected: b_enc"),
    ],
)
def test_other_files_are_refused(change, words, tmp_path):
    folder = File("standard").write(tmp_path / "theirs")
    path = folder / "cfg.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(DataError, match=words):
        load(folder)


def test_keys_that_saelens_passes_over_are_passed_over(tmp_path):
    folder = File("standard", {"l1_coefficient": 2.0, "lp_norm": 1.0}).write(tmp_path / "theirs")
    assert load(folder).features == FEATURES


def test_broken_folders_are_refused(tmp_path):
    with pytest.raises(
        DataError, match=r"^load: [^:]*: expected a folder with cfg\.json, found no folder"
    ):
        load(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"folder with cfg\.json, found nothing"):
        load(tmp_path / "empty")
    folder = File("standard").write(tmp_path / "theirs")
    (folder / "cfg.json").write_text('{"d_in":')
    with pytest.raises(DataError, match="expected JSON, got a file that is none"):
        load(folder)
    (folder / "cfg.json").write_text("[]")
    with pytest.raises(DataError, match="expected a JSON object, got list"):
        load(folder)
