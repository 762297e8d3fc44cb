"""A store on disk: what it holds, how it is resumed, and what is refused."""

import json
import shutil

import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from regularizers.errors import ConfigurationError, DataError
from regularizers.sae.streams import StoredActivations, activations, store
from sae.streams.cells import Tokens, text


def contents(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


class Stops:
    """Data that raises before the batch of a number, the first time."""

    def __init__(self, data, number):
        self.data, self.number = data, number

    def __iter__(self):
        for number, batch in enumerate(self.data):
            if number == self.number:
                self.number = None
                raise KeyboardInterrupt
            yield batch


def test_the_store_holds_the_rows_in_the_order_of_the_data(tmp_path):
    model, data = Tokens(), text(5)
    settings = {"where": ["blocks.*", "head"], "data": data, "buffer": 0, "batch_size": 999}
    (expected,) = activations(model, **settings)
    folder = activations(model, **settings).store(tmp_path / "a" / "b", shard_rows=16)
    files = sorted(folder.glob("*.safetensors"))
    for name, rows in expected.items():
        assert torch.equal(torch.cat([load_file(file)[name] for file in files]), rows)
    index = json.loads((folder / "index.json").read_text("utf-8"))
    count = len(expected["head"])
    assert index["complete"] is True
    assert index["shapes"] == {"blocks.0": [count, 8], "blocks.1": [count, 8], "head": [count, 11]}
    assert index["sites"]["head"] == {"width": 11, "dtype": "float32"}
    assert [shard["rows"] for shard in index["shards"]] == [16] * (count // 16) + [count % 16]
    before = contents(folder)
    store(activations(model, **settings), folder, shard_rows=16)  # complete: nothing to do
    assert contents(folder) == before


def test_an_interrupted_store_is_resumed_to_the_bit(tmp_path):
    model, data = Tokens(), text(6)
    whole = contents(activations(model, "head", data).store(tmp_path / "whole", shard_rows=7))
    for stop in (1, 3, 5):
        folder = tmp_path / str(stop)
        stream = activations(model, "head", Stops(data, stop))
        with pytest.raises(KeyboardInterrupt):
            stream.store(folder, shard_rows=7)
        assert 1 <= len(list(folder.glob("shard-*"))) < len(whole) - 1
        with pytest.raises(DataError, match=r"half-written, complete: false, with \d+ rows"):
            StoredActivations(folder)
        # the next shard, half-written, and whole before the index knew of it
        following = folder / f"shard-{len(list(folder.glob('shard-*'))):05d}.safetensors"
        following.with_name(f"{following.name}.draft").write_bytes(b"half")
        following.write_bytes(b"another")
        stream.store(folder, shard_rows=7)
        assert contents(folder) == whole


def test_another_model_type_site_or_setting_is_refused(tmp_path):
    model, data = Tokens(), text(2)
    activations(model, "head", data).store(tmp_path, dtype=torch.bfloat16)
    before = contents(tmp_path)
    with pytest.raises(ConfigurationError, match=r"dtype: expected 'bfloat16', .*, got 'float16'"):
        activations(model, "head", data).store(tmp_path, dtype=torch.float16)
    with pytest.raises(ConfigurationError, match=r"sites: .*\['head'\].*\['embed'\]"):
        activations(model, "embed", data).store(tmp_path, dtype=torch.bfloat16)
    with pytest.raises(ConfigurationError, match=r"exclude_tokens: .*\[\].*\[3\]"):
        activations(model, "head", data, exclude_tokens=[3]).store(tmp_path, dtype=torch.bfloat16)
    with torch.no_grad():
        model.head.bias[0] += 1
    with pytest.raises(ConfigurationError, match=r"model: expected '\w{64}', .*got '\w{64}'"):
        activations(model, "head", data).store(tmp_path, dtype=torch.bfloat16)
    assert contents(tmp_path) == before
    assert next(iter(StoredActivations(tmp_path))).dtype == torch.bfloat16
    assert next(iter(StoredActivations(tmp_path, dtype=torch.float32))).dtype == torch.float32


def test_what_cannot_be_stored_leaves_nothing(tmp_path):
    folder = tmp_path / "new"
    large = [torch.randn(4, 3) + 1e5]
    for data, settings, message in [
        (large, {"dtype": torch.float16}, r"model: an activation of 1e\+05 does not fit"),
        ([torch.ones(4, 3)], {}, "model: .*4 equal rows"),
        ([], {}, "no row that counts"),
    ]:
        with pytest.raises(DataError, match=message):
            activations(nn.Identity(), "", data).store(folder, **settings)
    for settings in ({"dtype": torch.int8}, {"shard_rows": 0}):
        with pytest.raises(ConfigurationError, match=next(iter(settings))):
            activations(nn.Identity(), "", large).store(folder, **settings)
    assert not folder.exists()


def test_a_damaged_store_is_refused(tmp_path):
    folder = activations(nn.Identity(), "", torch.randn(20, 3).split(5)).store(
        tmp_path / "store", shard_rows=10
    )
    shard, index = folder / "shard-00001.safetensors", folder / "index.json"
    data = bytearray(shard.read_bytes())
    data[-1] ^= 1
    shard.write_bytes(data)
    with pytest.raises(DataError, match=r"shard-00001.safetensors: expected the digest"):
        list(StoredActivations(folder))
    assert len(list(StoredActivations(folder, verify=False, batch_size=10))) == 2
    shard.write_bytes(data[:50])
    with pytest.raises(DataError, match=r"shard-00001.safetensors: the shard cannot be read"):
        list(StoredActivations(folder, verify=False))
    shard.unlink()
    with pytest.raises(DataError, match="the shard is missing"):
        list(StoredActivations(folder, workers=1))
    index.write_text(index.read_text("utf-8").replace("activations 1", "activations 9"), "utf-8")
    with pytest.raises(DataError, match=r"expected the format .* 1', got .* 9'"):
        StoredActivations(folder)
    index.write_text("{", "utf-8")
    with pytest.raises(DataError, match="expected the index of stored activations"):
        StoredActivations(folder)
    shutil.rmtree(folder)
    with pytest.raises(DataError, match="expected a folder of stored activations, with an index"):
        StoredActivations(folder)


def test_without_safetensors_it_says_what_to_install(tmp_path, monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "safetensors.torch", None)
    with pytest.raises(ConfigurationError, match=r"pip install 'regularizers\[sae\]'"):
        activations(nn.Identity(), "", [torch.randn(4, 3)]).store(tmp_path)
