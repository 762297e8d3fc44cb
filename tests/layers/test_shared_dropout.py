"""Dropout by one mask along axes, as a layer; locked dropout with the seeds it always had."""

import pytest
import torch
from torch import nn

from regularizers.errors import ConfigurationError, ShapeError
from regularizers.layers import LockedDropout, SharedDropout


def seeded(layer, x, seed=0):
    torch.manual_seed(seed)
    return layer(x)


@pytest.mark.parametrize("batch_first", [False, True])
@pytest.mark.parametrize("shape", [(5, 4, 3), (5, 3)])
def test_locked_dropout_is_the_case_of_the_axis_of_time_to_the_bit(batch_first, shape):
    x = torch.randn(shape)
    locked = seeded(LockedDropout(0.4, batch_first), x)
    time = 1 if batch_first and len(shape) == 3 else 0
    assert torch.equal(locked, seeded(SharedDropout(0.4, time), x))
    # by hand, from PyTorch's own numbers
    torch.manual_seed(0)
    mask_shape = [1 if axis == time else extent for axis, extent in enumerate(shape)]
    kept = torch.rand(mask_shape) >= 0.4
    assert torch.equal(locked, x * (kept.float() / 0.6))


def test_it_drops_channels_as_pytorch_does_in_distribution():
    x = torch.ones(2000, 8, 3, 2)
    ours, theirs = SharedDropout(0.3, (2, 3))(x), nn.Dropout2d(0.3)(x)
    for y in (ours, theirs):
        assert torch.equal(y, y[:, :, :1, :1].expand_as(y))
        assert abs((y[:, :, 0, 0] == 0).double().mean() - 0.3) < 5 * (0.3 * 0.7 / 16_000) ** 0.5


def test_the_batch_shares_the_mask_only_if_stated():
    x = torch.ones(50, 40)
    assert (seeded(SharedDropout(0.5, 0), x).std(dim=0) == 0).all()
    assert (seeded(SharedDropout(0.5, -1), x).std(dim=1) == 0).all()
    assert (seeded(SharedDropout(0.5, -1), x).std(dim=0) > 0).all()


def test_its_text_shows_its_settings():
    assert repr(SharedDropout(0.5, 1)) == "SharedDropout(rate=0.5, axes=1)"
    assert repr(SharedDropout(p=0.5, axes=(-2, -1))) == "SharedDropout(rate=0.5, axes=(-2, -1))"


@pytest.mark.parametrize("arguments", [(0.5,), (0.5, [1]), (0.5, 1.0), (0.5, "output")], ids=repr)
def test_axes_that_are_no_integers(arguments):
    with pytest.raises(ConfigurationError, match=r"^axes: expected an integer or a tuple of integ"):
        SharedDropout(*arguments)


def test_an_axis_that_is_not_there():
    with pytest.raises(ShapeError, match=r"^axes: expected axes of an array of 2 dim.* got 2$"):
        SharedDropout(0.5, (0, 2))(torch.ones(3, 3))
