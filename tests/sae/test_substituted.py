"""The output of a module is replaced by its reconstruction, and nothing else is."""

import copy

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence

from regularizers.errors import ConfigurationError, OutputError, SelectionError, ShapeError
from regularizers.sae.evaluation import substituted
from sae.known import random_autoencoder


def network() -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 6), nn.ReLU(), nn.Linear(6, 2))


def run_inside(model, where, sae, x, **options):
    with substituted(model, where, sae, **options):
        return model(x)


def hooks(model: nn.Module) -> int:
    return sum(len(m._forward_hooks) for m in model.modules())


@pytest.mark.parametrize("where", ["1", nn.ReLU, lambda module, name: name == "1"])
def test_what_follows_reads_the_reconstruction(where):
    model, sae, x = network(), random_autoencoder(6, 20), torch.randn(4, 7, 3)
    before = model(x)
    with substituted(model, where, sae):
        changed = model(x)
    assert torch.equal(changed, model[2](sae(model[1](model[0](x)))))
    assert torch.equal(model(x), before)
    assert hooks(model) == 0


def test_gradients_pass_through_the_autoencoder():
    model, sae, x = network(), random_autoencoder(6, 20), torch.randn(4, 3)
    with substituted(model, "1", sae):
        model(x).sum().backward()
    twin = copy.deepcopy(model)
    twin.zero_grad()
    twin[2](sae(twin[1](twin[0](x)))).sum().backward()
    assert torch.allclose(model[0].weight.grad, twin[0].weight.grad)


def test_the_states_of_a_recurrent_layer_are_replaced_and_its_last_state_is_not():
    layer, sae, x = nn.GRU(3, 6, batch_first=True), random_autoencoder(6, 20), torch.randn(2, 5, 3)
    states, last = layer(x)
    with substituted(layer, "", sae):
        made, same = layer(x)
    assert torch.allclose(made, sae(states))
    assert torch.equal(same, last)
    packed = pack_padded_sequence(x, torch.tensor([5, 2]), batch_first=True)
    states, _ = layer(packed)
    with substituted(layer, "", sae):
        made, _ = layer(packed)
    assert torch.allclose(made.data, sae(states.data))
    assert torch.equal(made.batch_sizes, states.batch_sizes)


def test_select_names_a_part():
    class Two(nn.Module):
        def forward(self, x):
            return {"a": x + 1, "b": x}

    model, sae, x = Two(), random_autoencoder(6, 20), torch.randn(4, 6)
    with substituted(model, "", sae, select="a"):
        out = model(x)
    assert torch.allclose(out["a"], sae(x + 1))
    assert torch.equal(out["b"], x)
    with pytest.raises(OutputError, match=r"must be a part of the output, .*not computed"):
        run_inside(model, "", sae, x, select=lambda y: y["a"] * 2)


def test_channels_of_a_convolution_are_features():
    model, sae, x = nn.Conv2d(3, 6, 3), random_autoencoder(6, 20), torch.randn(2, 3, 8, 8)
    plain = model(x)
    with substituted(model, "", sae, axis=1):
        made = model(x)
    assert torch.allclose(made, sae(plain.movedim(1, -1)).movedim(-1, 1))
    with pytest.raises(ShapeError, match=r"axis -1.*\(2, 6, 7, 7\); say axis=1$"):
        run_inside(nn.Conv2d(3, 6, 2), "", sae, x)


def test_a_mask_leaves_the_rest_as_it_is():
    model, sae, x = network(), random_autoencoder(6, 20), torch.randn(2, 4, 3)
    valid = torch.tensor([[True, True, False, False], [True, False, False, False]])
    plain = model[:2](x)
    with substituted(model[:2], "1", sae, mask=lambda _: valid):
        made = model[:2](x)
    assert torch.equal(made[~valid], plain[~valid])
    assert torch.allclose(made[valid], sae(plain[valid]))


def test_the_autoencoder_reads_in_its_own_type():
    model, sae, x = network().bfloat16(), random_autoencoder(6, 20), torch.randn(4, 3).bfloat16()
    with substituted(model, "1", sae):
        made = model[:2](x)
    assert made.dtype == torch.bfloat16
    assert torch.equal(made, sae(model[:2](x).float()).bfloat16())


def test_all_is_as_before_after_an_error():
    model, sae, x = network(), random_autoencoder(6, 20), torch.randn(4, 3)
    sae.train()
    before = model(x)

    def broken(module, inputs):
        assert not sae.training
        assert model.training
        raise KeyError("inside")

    handle = model[2].register_forward_pre_hook(broken)
    with pytest.raises(KeyError):
        run_inside(model, "1", sae, x)
    handle.remove()
    assert sae.training
    assert hooks(model) == 0
    assert torch.equal(model(x), before)


def test_a_copy_made_inside_is_not_changed():
    model, sae, x = network(), random_autoencoder(6, 20), torch.randn(4, 3)
    before = model(x)
    with substituted(model, "1", sae):
        model(x)
        twin = copy.deepcopy(model)
    assert torch.equal(twin(x), before)


def test_the_output_of_attention_is_named_by_select():
    model = nn.TransformerEncoder(nn.TransformerEncoderLayer(6, 2, 12, batch_first=True), 1).eval()
    sae, x = random_autoencoder(6, 20), torch.randn(2, 4, 6)
    with torch.no_grad():
        plain = model(x)
        with substituted(model, "layers.0.linear2", sae):  # not passed over by the fast path
            assert not torch.allclose(model(x), plain)
        with substituted(model, "layers.0.self_attn", sae, select=0):
            assert not torch.allclose(model(x), plain)
        message = r"^layers.0.self_attn: .*tuple.*substituted\(..., select=INDEX"
        with pytest.raises(OutputError, match=message):
            run_inside(model, "layers.0.self_attn", sae, x)
        assert torch.equal(model(x), plain)


class Integers(nn.Module):
    def forward(self, x):
        return x.argmax(-1)


@pytest.mark.parametrize(
    ("model", "where", "error", "message"),
    [
        (network(), "layer", SelectionError, "^substituted: where='layer' matches nothing"),
        (network(), nn.Linear, SelectionError, "expected one module, .* matches 2: 0, 2; name one"),
        (network(), "2", ShapeError, r"^2: expected 6 features along axis -1.*\(4, 2\); name"),
        (nn.Sequential(Integers()), "0", OutputError, "^0: .*real floating type.* int64"),
        ("model", "0", ConfigurationError, "^substituted: expected a torch.nn.Module"),
    ],
)
def test_what_is_no_site(model, where, error, message):
    with pytest.raises(error, match=message):
        run_inside(model, where, random_autoencoder(6, 20), torch.randn(4, 3))


def test_a_module_that_does_not_run_is_named():
    class Around(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(3, 6)

        def forward(self, x):
            return self.inner.forward(x)

    model = Around()
    with pytest.raises(SelectionError, match=r"^inner: this module did not run.*module.forward"):
        run_inside(model, "inner", random_autoencoder(6, 20), torch.randn(4, 3))
