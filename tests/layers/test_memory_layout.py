"""Tensors laid out in memory as others are."""

import pytest
import torch

# which chunks of memory WeightDrop is given is up to cuDNN
from regularizers.layers._memory_layout import laid_out_as


def views(chunk, *places):
    return [chunk.narrow(0, start, rows * 2).view(rows, 2) for start, rows in places]


@pytest.mark.parametrize(
    "places",
    [[(0, 2), (4, 3)], [(6, 2), (0, 3)], [(2, 2), (7, 3)]],
    ids=["in order", "swapped", "with gaps"],
)
def test_each_lies_where_its_counterpart_does(places):
    like = views(torch.ones(14), *places)
    tensors = [torch.randn(2, 2, requires_grad=True), torch.randn(3, 2, requires_grad=True)]
    laid_out = laid_out_as(like, tensors)
    torch.testing.assert_close(laid_out, tensors, rtol=0, atol=0)
    assert len({t.untyped_storage().data_ptr() for t in laid_out}) == 1
    assert [t.storage_offset() for t in laid_out] == [t.storage_offset() for t in like]
    assert laid_out[0].untyped_storage().nbytes() == 14 * 4
    outside = torch.ones(14, dtype=torch.bool)
    for start, rows in places:
        outside[start : start + rows * 2] = False
    chunk = laid_out[0].detach().as_strided((14,), (1,), 0)
    assert (chunk[outside] == 0).all()

    cotangents = [torch.randn_like(t) for t in tensors]
    gradients = torch.autograd.grad(laid_out, tensors, cotangents)
    torch.testing.assert_close(list(gradients), cotangents, rtol=0, atol=0)


SQUARE = torch.ones(4, 2)
APART = {
    "each by itself": [torch.ones(2, 2), torch.ones(3, 2)],
    "alone": views(torch.ones(4), (0, 2)),
    "tied": views(torch.ones(10), (0, 2), (2, 3)),
    "in a chunk shared with others": views(torch.ones(21), (0, 2), (4, 3)),
    "not contiguous": [SQUARE[:2].T, SQUARE[2:].T],
    "nowhere": None,
}


@pytest.mark.parametrize("like", APART.values(), ids=APART.keys())
def test_what_is_not_in_a_chunk_of_its_own_stays_as_it_is(like):
    if like is not None:
        tensors = [torch.randn_like(t) for t in like]
        assert laid_out_as(like, tensors) is tensors
        return

    def inside(*like):
        tensors = [t * 2 for t in like]
        assert laid_out_as(like, tensors) is tensors
        return tensors[0].sum()

    torch.func.grad(inside)(*views(torch.ones(10), (0, 2), (4, 3)))


def test_other_types_stay_as_they_are():
    tensors = [torch.ones(2, 2), torch.ones(3, 2, dtype=torch.float64)]
    assert laid_out_as(views(torch.ones(10), (0, 2), (4, 3)), tensors) is tensors
