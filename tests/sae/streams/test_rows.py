"""Which rows a stream gives, against hooks written by hand and loops over positions."""

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_sequence

from regularizers.errors import ConfigurationError, OutputError, ShapeError
from regularizers.sae.streams import activations
from sae.streams.cells import Tokens, by_hook, sorted_rows, text


def in_order(model, where, data, **settings):
    """Return all rows in the order of the data."""
    stream = activations(model, where, data, buffer=0, batch_size=5, **settings)
    return torch.cat(list(stream))


def test_rows_are_those_of_a_hook_written_by_hand():
    model = nn.Sequential(nn.Linear(4, 6), nn.Dropout(0.5), nn.ReLU(inplace=True))
    data = list(torch.randn(17, 4).split(6))
    expected = torch.cat([model[0](x) for x in data])
    # the ReLU changes the output of the Linear in place after it was read
    assert torch.equal(in_order(model, "0", data), expected)
    assert torch.equal(in_order(model, "2", data), expected.relu())


@pytest.mark.parametrize("excluded", [(), (3, 5)])
def test_tokens_that_count_of_a_residual_stream(excluded):
    model, data = Tokens(), text()
    expected = []
    for batch in data:
        output = by_hook(model, model.blocks[1], lambda batch=batch: model(**batch))
        for sequence, ids, counted in zip(output, *batch.values(), strict=True):
            expected += [
                row
                for row, token, counts in zip(sequence, ids, counted, strict=True)
                if counts and token not in excluded
            ]
    found = in_order(model, "blocks.1", data, exclude_tokens=excluded)
    assert len(expected) < 3 * 4 * 6
    assert torch.equal(found, torch.stack(expected))


def test_a_mask_of_the_batch_replaces_the_attention_mask():
    model, data = Tokens(), text()
    everything = in_order(model, "embed", data, mask=lambda batch: None)
    assert torch.equal(
        everything, torch.cat([model.embed(b["input_ids"]) for b in data]).flatten(0, 1)
    )
    first = in_order(model, "embed", data, mask=lambda b: torch.arange(6).expand(4, 6) == 0)
    assert torch.equal(first, everything.reshape(-1, 6, 8)[:, 0])


def test_ids_alone_and_the_first_of_a_tuple():
    model = Tokens()
    ids = [batch["input_ids"] for batch in text()]
    expected = torch.cat(ids).flatten()
    expected = model.embed(expected[expected != 7])
    assert torch.equal(in_order(model, "embed", ids, exclude_tokens=[7]), expected)
    pairs = [(x, "a label") for x in ids]
    assert torch.equal(in_order(model, "embed", pairs, exclude_tokens=[7]), expected)
    given = in_order(
        model, "embed", pairs, exclude_tokens=[7], forward=lambda m, b: m(input_ids=b[0])
    )
    assert torch.equal(given, expected)


def test_positions_of_a_convolution_are_samples():
    model = nn.Sequential(nn.Conv2d(2, 3, 2), nn.ReLU())
    x = torch.randn(4, 2, 4, 5)
    y = model[0](x)
    expected = torch.stack([y[n, :, i, j] for n in range(4) for i in range(3) for j in range(4)])
    assert torch.equal(in_order(model, "0", [x]), expected)
    assert torch.equal(in_order(model, "1", [x], channel_axis=1), expected.relu())
    # one picture without a batch
    torch.testing.assert_close(in_order(model, "0", [x[0]]), expected[:12].detach())
    with pytest.raises(ConfigurationError, match=r"1: .*\(4, 3, 3, 4\) of a ReLU.*channel_axis=1"):
        in_order(model, "1", [x])
    assert torch.equal(in_order(model, "0", [x], channel_axis=2).T, y.movedim(2, 0).flatten(1))


@pytest.mark.parametrize("batch_first", [True, False])
def test_recurrent_states_without_padding(batch_first):
    model = nn.LSTM(2, 3, batch_first=batch_first)
    sequences = [torch.randn(n, 2) for n in (4, 2, 1)]
    packed = pack_sequence(sequences)
    expected = torch.cat(
        [model(s[:, None] if not batch_first else s[None])[0].reshape(-1, 3) for s in sequences]
    )
    torch.testing.assert_close(in_order(model, "", [packed]), expected.detach())
    # a mask is (batch, tokens), whatever the order of the axes in the module
    x = torch.randn(3, 4, 2)
    mask = torch.arange(4) < torch.tensor([4, 2, 1])[:, None]
    states = model(x if batch_first else x.transpose(0, 1))[0]
    states = states if batch_first else states.transpose(0, 1)
    data = [x if batch_first else x.transpose(0, 1)]
    found = in_order(model, "", data, mask=lambda _: mask)
    torch.testing.assert_close(found, states[mask].detach())


def test_nested_tokens_have_no_padding():
    model = nn.Linear(4, 3)
    sequences = [torch.randn(n, 4) for n in (3, 1)]
    nested = torch.nested.nested_tensor(sequences, layout=torch.jagged)
    torch.testing.assert_close(in_order(model, "", [nested]), model(torch.cat(sequences)))
    with pytest.raises(OutputError, match="a mask cannot read a nested tensor"):
        in_order(model, "", [nested], mask=lambda _: torch.ones(2, 3, dtype=torch.bool))


def test_rows_of_several_sites_are_of_the_same_token():
    model = nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 2))
    data = torch.randn(40, 4).split(7)
    stream = activations(model, ["0", nn.Tanh, "2"], data, batch_size=8, buffer=20)
    assert stream.sites == ("0", "1", "2")
    for batch in stream:
        assert list(batch) == ["0", "1", "2"]
        assert torch.equal(batch["0"].tanh(), batch["1"])
        torch.testing.assert_close(model[2](batch["1"]), batch["2"])


def test_sites_of_other_positions_raise():
    class Pooled(nn.Module):
        def __init__(self):
            super().__init__()
            self.a, self.b = nn.Linear(4, 4), nn.Linear(4, 4)

        def forward(self, x):
            return self.b(self.a(x).mean(1))

    with pytest.raises(ShapeError, match=r"\(3, 5\) at a and \(3,\) at b"):
        list(activations(Pooled(), "*", [torch.randn(3, 5, 4)]))


def test_the_residual_stream_of_gpt2():
    hf = pytest.importorskip("transformers")
    config = hf.GPT2Config(
        vocab_size=11, n_positions=6, n_embd=8, n_layer=2, n_head=2, bos_token_id=0, eos_token_id=0
    )
    model, data = hf.GPT2Model(config).train(), text(2)
    found = in_order(model, "h.0", data, select=lambda y: y[0] if isinstance(y, tuple) else y)
    model.eval()
    with torch.no_grad():
        states = [model(**b, output_hidden_states=True).hidden_states[1] for b in data]
    masks = [b["attention_mask"] != 0 for b in data]
    expected = torch.cat([s[m] for s, m in zip(states, masks, strict=True)])
    torch.testing.assert_close(found, expected)


def test_compiled_models_and_encoders_are_read_too():
    encoder = nn.TransformerEncoder(Tokens().blocks[0], 2)
    x = torch.randn(3, 6, 8)
    padding = torch.arange(6) >= torch.tensor([[6], [3], [1]])
    stream = activations(
        encoder,
        "layers.0.linear1",
        [x],
        mask=lambda _: ~padding,
        forward=lambda model, x: model(x, src_key_padding_mask=padding),
    )
    assert len(torch.cat(list(stream))) == 10
    model = nn.Sequential(nn.Linear(4, 6), nn.ReLU())
    compiled = torch.compile(model, backend="eager")
    data = [torch.randn(3, 4)]
    with torch.no_grad():
        compiled(data[0])
    assert sorted_rows(activations(compiled, "*.0", data)) == sorted(model[0](data[0]).tolist())
