"""Attention says itself which axis is the batch and which is time."""

import pytest
import torch
from torch import Tensor, nn

import regularizers as rz
from regularizers.errors import ShapeError

TOKENS, SEQUENCES, WIDTH = 5, 3, 8

LAYERS = {
    "layer": lambda **options: nn.TransformerEncoderLayer(WIDTH, 2, 16, 0.0, **options),
    "decoder layer": lambda **options: nn.TransformerDecoderLayer(WIDTH, 2, 16, 0.0, **options),
    "stack": lambda **options: nn.TransformerEncoder(
        LAYERS["layer"](**options), 2, enable_nested_tensor=False
    ),
    "decoder stack": lambda **options: nn.TransformerDecoder(LAYERS["decoder layer"](**options), 2),
    "whole": lambda **options: nn.Transformer(WIDTH, 2, 1, 1, 16, 0.0, **options),
}
# what PyTorch says of its own inference path
pytestmark = pytest.mark.filterwarnings("ignore:enable_nested_tensor is True")

batch_first = pytest.mark.parametrize("batch_first", [True, False])
every_layer = pytest.mark.parametrize("kind", LAYERS)


def made(kind: str, *, batch_first: bool) -> nn.Module:
    torch.manual_seed(0)
    return LAYERS[kind](batch_first=batch_first).double()


def attention(*, batch_first: bool) -> nn.MultiheadAttention:
    torch.manual_seed(0)
    return nn.MultiheadAttention(WIDTH, 2, batch_first=batch_first).double()


def tokens(*, batch_first: bool) -> Tensor:
    x = torch.randn(SEQUENCES, TOKENS, WIDTH, dtype=torch.float64)
    return x if batch_first else x.transpose(0, 1)


def run(module: nn.Module, x: Tensor) -> Tensor:
    """Return what a layer puts out for `x`, and of a decoder for `x` as its memory too."""
    is_decoder = isinstance(
        module, (nn.Transformer, nn.TransformerDecoder, nn.TransformerDecoderLayer)
    )
    return module(x, x) if is_decoder else module(x)


def assert_same(module: nn.Module, actual: Tensor, expected: Tensor) -> None:
    parameters = [p for p in module.parameters() if p.requires_grad]
    torch.testing.assert_close(actual, expected)
    torch.testing.assert_close(
        torch.autograd.grad(actual, parameters, retain_graph=True, allow_unused=True),
        torch.autograd.grad(expected, parameters, allow_unused=True),
    )


def norms(y: Tensor, *, batch_first: bool) -> Tensor:
    """Return the mean over sequences of the norm of each."""
    by_sequence = y if batch_first else y.transpose(0, 1)
    return torch.stack([one.square().sum().sqrt() for one in by_sequence]).mean()


@batch_first
@every_layer
def test_the_batch_is_averaged_whichever_axis_it_is(kind, batch_first):
    module, x = made(kind, batch_first=batch_first), tokens(batch_first=batch_first)
    penalty = rz.L1(0.5) + rz.L2Norm(2.0)
    reg = rz.Regularization(module, [rz.activity(penalty, where="")])
    y = run(module, x)
    expected = 0.5 * y.abs().sum() / SEQUENCES + 2 * norms(y, batch_first=batch_first)
    assert_same(module, reg.penalty(), expected)


@batch_first
@every_layer
@pytest.mark.parametrize("rows", [SEQUENCES, 3000])
def test_a_sum_over_elements_goes_by_the_batch_too(kind, batch_first, rows):
    """As small outputs and large ones are read on a way of their own elsewhere."""
    module = made(kind, batch_first=batch_first)
    x = torch.randn(rows, TOKENS, WIDTH, dtype=torch.float64)
    reg = rz.Regularization(module, [rz.activity(rz.L1(0.5), where="")])
    y = run(module, x if batch_first else x.transpose(0, 1))
    assert_same(module, reg.penalty(), 0.5 * y.abs().sum() / rows)


@batch_first
@every_layer
def test_time_is_the_other_axis(kind, batch_first):
    module, x = made(kind, batch_first=batch_first), tokens(batch_first=batch_first)
    reg = rz.Regularization(module, [rz.tar(1.0, where="")])
    y = run(module, x)
    steps = y if batch_first else y.transpose(0, 1)
    assert_same(module, reg.penalty(), (steps[:, 1:] - steps[:, :-1]).square().mean())


@batch_first
@pytest.mark.parametrize("delivery", ["collect", "inject"])
@pytest.mark.parametrize("select", [0, lambda output: output[0]], ids=["index", "function"])
def test_attention_itself(batch_first, delivery, select):
    module, x = attention(batch_first=batch_first), tokens(batch_first=batch_first)
    rules = [rz.activity(rz.L2Norm(1.0), where="0", select=select)]
    reg = rz.Regularization(nn.ModuleList([module]), rules, delivery=delivery)
    y, _ = module(x, x, x)
    loss = y.square().sum()
    loss = loss + reg.penalty() if delivery == "collect" else reg.scale_from(loss)
    actual = torch.autograd.grad(loss, list(module.parameters()))
    reg.detach()
    y, _ = module(x, x, x)
    by_hand = y.square().sum() + norms(y, batch_first=batch_first)
    torch.testing.assert_close(actual, torch.autograd.grad(by_hand, list(module.parameters())))


@batch_first
@pytest.mark.parametrize("average", [True, False])
def test_the_weights_of_attention_have_the_batch_first(batch_first, average):
    module, x = attention(batch_first=batch_first), tokens(batch_first=batch_first)
    reg = rz.Regularization(module, [rz.activity(rz.L2Norm(1.0), where="", select=1)])
    _, weights = module(x, x, x, average_attn_weights=average)
    expected = weights.flatten(1).square().sum(dim=1).sqrt().mean()
    assert weights.shape[0] == SEQUENCES
    assert_same(module, reg.penalty(), expected)


@batch_first
def test_one_sequence_without_a_batch_axis_is_a_batch_of_one(batch_first):
    x = torch.randn(TOKENS, WIDTH, dtype=torch.float64)
    module = attention(batch_first=batch_first)
    rules = [rz.activity(rz.L1(1.0), where="", select=part) for part in (0, 1)]
    reg = rz.Regularization(module, [*rules, rz.tar(1.0, where="", select=0)])
    y, weights = module(x, x, x)
    expected = y.abs().sum() + weights.abs().sum() + (y[1:] - y[:-1]).square().mean()
    assert_same(module, reg.penalty(), expected)

    layer = made("layer", batch_first=batch_first)
    reg = rz.Regularization(layer, [rz.activity(rz.L1(1.0), where="")])
    y = layer(x)
    assert_same(layer, reg.penalty(), y.abs().sum())


def test_a_batch_axis_that_is_said_goes_before_what_the_layer_knows():
    module, x = made("layer", batch_first=False), tokens(batch_first=False)
    rules = [
        rz.activity(rz.L1(1.0, batch_axis=0), where=""),
        rz.activity(rz.L1(1.0), where="", batch_axis=(0, 1)),
    ]
    reg = rz.Regularization(module, rules)
    y = run(module, x)
    expected = y.abs().sum() / TOKENS + y.abs().sum() / (TOKENS * SEQUENCES)
    assert_same(module, reg.penalty(), expected)


def test_a_time_axis_that_contradicts_the_layer_raises():
    module, x = made("layer", batch_first=False), tokens(batch_first=False)
    reg = rz.Regularization(module, [rz.tar(1.0, where="", time_axis=1)])
    with pytest.raises(ShapeError, match=r"says 1, but this layer was made with time at axis 0"):
        module(x)
    reg.detach()


def test_a_padding_mask_is_of_valid_tokens():
    module, x = made("layer", batch_first=True), tokens(batch_first=True)
    padding = torch.arange(TOKENS) >= torch.tensor([[5], [2], [3]])

    def valid(x, src_key_padding_mask):
        return ~src_key_padding_mask

    rules = [
        rz.activity(rz.L2Squared(1.0, reduce="mean"), where="", mask=valid),
        rz.tar(1.0, where="", mask=valid),
    ]
    reg = rz.Regularization(module, rules)
    y = module(x, src_key_padding_mask=padding)
    pairs = [y[i, 1:n] - y[i, : n - 1] for i, n in enumerate([5, 2, 3])]
    expected = y[~padding].square().mean() + torch.cat(pairs).square().mean()
    assert_same(module, reg.penalty(), expected)


def test_a_stack_whose_layers_do_not_say_it_has_the_batch_first():
    class Own(nn.TransformerEncoder):
        def forward(self, src):
            return self.layers[0](src)

    module = Own(nn.Linear(WIDTH, WIDTH).double(), 1, enable_nested_tensor=False)
    reg = rz.Regularization(module, [rz.activity(rz.L1(1.0), where="")])
    y = module(tokens(batch_first=True))
    torch.testing.assert_close(reg.penalty(), y.abs().sum() / SEQUENCES)


def test_a_layer_that_pools_its_tokens_has_samples():
    class Pooled(nn.TransformerEncoderLayer):
        def forward(self, src):
            return super().forward(src).mean(dim=1)

    module = Pooled(WIDTH, 2, 16, 0.0, batch_first=True).double()
    reg = rz.Regularization(module, [rz.activity(rz.L1(1.0), where="")])
    y = module(tokens(batch_first=True))
    torch.testing.assert_close(reg.penalty(), y.abs().sum() / SEQUENCES)


@batch_first
def test_statistics_of_the_batch_are_of_each_token_and_unit(batch_first):
    class Squashed(nn.TransformerEncoderLayer):
        def forward(self, src):
            return super().forward(src).sigmoid()

    module = Squashed(WIDTH, 2, 16, 0.0, batch_first=batch_first).double()
    reg = rz.Regularization(module, [rz.activity(rz.KLSparsity(1.0, 0.2), where="")])
    y = module(tokens(batch_first=batch_first))
    mean = y.mean(dim=0 if batch_first else 1)
    expected = (0.2 * (0.2 / mean).log() + 0.8 * (0.8 / (1 - mean)).log()).sum()
    assert_same(module, reg.penalty(), expected)


@pytest.mark.usefixtures("compiler")
def test_compiled():
    module, x = made("layer", batch_first=False), tokens(batch_first=False)
    reg = rz.Regularization(module, [rz.activity(rz.L1(1.0), where=""), rz.tar(1.0, where="")])
    y = torch.compile(module, backend="aot_eager", fullgraph=True)(x)
    expected = y.abs().sum() / SEQUENCES + (y[1:] - y[:-1]).square().mean()
    torch.testing.assert_close(reg.penalty(), expected)
