"""One mask for all time steps, of padded and of packed sequences alike."""

import copy
import io

import pytest
import torch
from torch import nn
from torch.nn.utils.rnn import (
    PackedSequence,
    pack_padded_sequence,
    pack_sequence,
    pad_packed_sequence,
)
from torch.utils.checkpoint import checkpoint

import regularizers as rz
from layers.recurrent import noises_of
from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError
from regularizers.layers import LockedDropout

LENGTHS = [3, 5, 1, 5]


def sequences(batch_first=False, dtype=torch.float64):
    """Return padded sequences of `LENGTHS`, with zeros in the padding."""
    generator = torch.Generator().manual_seed(0)
    each = [torch.randn(n, 3, generator=generator, dtype=torch.float64) for n in LENGTHS]
    return nn.utils.rnn.pad_sequence(each, batch_first=batch_first).to(dtype)


def seeded(layer, x, seed=0):
    torch.manual_seed(seed)
    return layer(x)


def packed(x, batch_first=False, *, by_length=False):
    if not by_length:
        return pack_padded_sequence(x, LENGTHS, batch_first, enforce_sorted=False)
    order = sorted(range(4), key=lambda i: -LENGTHS[i])
    x = x[order] if batch_first else x[:, order]
    return pack_padded_sequence(x, [LENGTHS[i] for i in order], batch_first)


SHAPES = [
    ((5, 4, 3), False, (1, 4, 3), 0),
    ((4, 5, 3), True, (4, 1, 3), 1),
    ((5, 3), False, (1, 3), 0),
    ((5, 3), True, (1, 3), 0),
]


@pytest.mark.parametrize(("shape", "batch_first", "mask_shape", "time_axis"), SHAPES)
def test_it_is_the_published_formula_with_its_gradient(shape, batch_first, mask_shape, time_axis):
    layer = LockedDropout(0.4, batch_first)
    noise = noises_of(layer)
    x = torch.randn(shape, dtype=torch.float64, requires_grad=True)
    y = layer(x)
    (mask,) = noise
    assert mask.shape == mask_shape
    assert set(mask.flatten().tolist()) <= {0, 1 / 0.6}
    expected = mask.expand(shape) * x
    torch.testing.assert_close(y, expected)
    cotangent = torch.randn(shape, dtype=torch.float64)
    torch.testing.assert_close(torch.autograd.grad(y, x, cotangent)[0], mask * cotangent)
    # by hand: the same at every step, and not the same in every unit
    kept = (y != 0).movedim(time_axis, 0)
    assert torch.equal(kept, kept[:1].expand_as(kept))


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("batch_first", [False, True])
def test_the_layer_is_the_function(dtype, batch_first):
    x = sequences(batch_first, dtype)
    generator = torch.Generator().manual_seed(3)
    time_axis = 1 if batch_first else 0
    noised = rz.functional.locked_dropout(x, 0.4, generator, time_axis=time_axis)
    y = seeded(LockedDropout(0.4, batch_first), x, 3)
    assert torch.equal(y, noised.y)
    assert y.dtype == dtype


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("by_length", [False, True])
def test_packed_sequences_have_the_masks_of_padded_ones(batch_first, by_length):
    x, layer = sequences(batch_first).requires_grad_(), LockedDropout(0.5, batch_first)
    given = packed(x, batch_first, by_length=by_length)
    dropped = seeded(layer, given)
    assert isinstance(dropped, PackedSequence)
    assert dropped.batch_sizes is given.batch_sizes
    assert dropped.sorted_indices is given.sorted_indices
    assert dropped.unsorted_indices is given.unsorted_indices
    assert (given.sorted_indices is None) == by_length

    y, lengths = pad_packed_sequence(dropped, batch_first)
    padded, _ = pad_packed_sequence(given, batch_first)
    expected = seeded(layer, padded)
    assert lengths.tolist() == (sorted(LENGTHS)[::-1] if by_length else LENGTHS)
    torch.testing.assert_close(y, expected, rtol=0, atol=0)
    assert not torch.equal(y, padded)
    actual = torch.autograd.grad(y.pow(3).sum(), x, retain_graph=True)
    torch.testing.assert_close(actual, torch.autograd.grad(expected.pow(3).sum(), x))


def test_a_packed_sequence_of_one():
    x = torch.ones(4, 3)
    dropped = seeded(LockedDropout(0.5), pack_sequence([x]))
    assert torch.equal(dropped.data, seeded(LockedDropout(0.5), x[:, None])[:, 0])


def test_packed_sequences_between_recurrent_layers():
    torch.manual_seed(0)
    first, drop, second = nn.LSTM(3, 3), LockedDropout(0.5), nn.LSTM(3, 3)
    states, _ = first(packed(sequences(dtype=torch.float32)))
    y, _ = second(drop(states))
    y.data.sum().backward()
    assert all(p.grad is not None for p in first.parameters())


def test_the_share_that_is_dropped():
    y = seeded(LockedDropout(0.3), torch.ones(2, 300, 300))
    assert abs((y[0] == 0).double().mean() - 0.3) < 5 * (0.3 * 0.7 / 90_000) ** 0.5
    assert abs(y[0].mean() - 1) < 5 * (0.3 / 0.7 / 90_000) ** 0.5


def test_evaluation_and_a_rate_of_zero_give_the_very_same():
    random = torch.get_rng_state()
    for x in (sequences(), packed(sequences())):
        assert LockedDropout(0.5).eval()(x) is x
        assert LockedDropout(0).train()(x) is x
    assert torch.equal(torch.get_rng_state(), random)
    assert list(LockedDropout(0.5).state_dict()) == []


def test_gradcheck_to_the_second_order():
    layer, x = LockedDropout(0.4), sequences()[:2, :2].requires_grad_()
    assert torch.autograd.gradcheck(lambda x: seeded(layer, x), x)
    assert torch.autograd.gradgradcheck(lambda x: seeded(layer, x) ** 2, x)


@pytest.mark.parametrize("use_reentrant", [False, True])
def test_a_checkpoint_draws_the_same_noise_again(use_reentrant):
    block, x = nn.Sequential(nn.Linear(3, 3), LockedDropout(0.4)).double(), sequences()
    x.requires_grad_()
    expected = torch.autograd.grad(seeded(block, x).square().sum(), [x, *block.parameters()])
    torch.manual_seed(0)
    y = checkpoint(block, x, use_reentrant=use_reentrant)
    torch.randn(3)
    y.square().sum().backward()
    torch.testing.assert_close((x.grad, *(p.grad for p in block.parameters())), expected)


def test_it_compiles_whole():
    torch.compiler.reset()
    layer = LockedDropout(0.4, batch_first=True)
    compiled = torch.compile(layer, backend="aot_eager", fullgraph=True)
    x = sequences(batch_first=True)
    torch.testing.assert_close(seeded(compiled, x), seeded(layer, x))
    assert torch.equal(compiled.eval()(x), x)


def test_copies_and_pickles():
    layer = LockedDropout(0.4, batch_first=True)
    file = io.BytesIO()
    torch.save(layer, file)
    file.seek(0)
    x = sequences(batch_first=True)
    for twin in (copy.deepcopy(layer), torch.load(file, weights_only=False)):
        assert repr(twin) == repr(layer) == "LockedDropout(rate=0.4, batch_first=True)"
        assert torch.equal(seeded(twin, x), seeded(layer, x))
    assert repr(LockedDropout(0.4)) == "LockedDropout(rate=0.4)"


def test_empty_batches():
    assert LockedDropout(0.5)(torch.ones(5, 0, 3)).shape == (5, 0, 3)
    assert LockedDropout(0.5)(torch.ones(0, 2, 3)).shape == (0, 2, 3)


@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4, 5)])
def test_an_input_that_is_no_sequence(shape):
    for batch_first, expected in [(False, "time, batch, units"), (True, "batch, time, units")]:
        match = (
            rf"^LockedDropout: expected an input of shape \({expected}\) or \(time, units\), got \("
        )
        with pytest.raises(ShapeError, match=match):
            LockedDropout(0.5, batch_first)(torch.ones(shape))


@pytest.mark.parametrize("rate", [1.0, -0.1, float("nan"), True, None, "0.5"], ids=repr)
def test_a_rate_that_cannot_be(rate):
    match = rf"^rate: expected a number in \[0, 1\), the fraction dropped, got {rate!r} of"
    with pytest.raises(ConfigurationError, match=match):
        LockedDropout(rate)
    layer = LockedDropout(0.5)
    layer.rate = rate
    for x in (sequences(), packed(sequences())):
        with pytest.raises(ConfigurationError, match=match):
            layer(x)


def test_what_has_no_real_gradient():
    integers = torch.ones(5, 2, 3, dtype=torch.int64)
    for x in (integers, pack_padded_sequence(integers, [5, 4])):
        with pytest.raises(ArrayTypeError, match=r"^LockedDropout: expected a tensor of a real"):
            LockedDropout(0.5)(x)


@pytest.mark.parametrize("value", [1, None, "yes"])
def test_a_batch_first_that_is_no_boolean(value):
    with pytest.raises(ConfigurationError, match=r"^batch_first: expected True or False, got "):
        LockedDropout(0.5, value)
