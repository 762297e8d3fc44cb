"""The one autograd Function: values by plain formulas, derivatives by finite differences."""

import pytest
import torch
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

import regularizers as rz

# one read of an array, without a model
from regularizers.attach.reading._plan import penalise

TARGET = 0.2
PENALTIES = {
    "L1": rz.L1,
    "L2Squared": rz.L2Squared,
    "L2Norm": rz.L2Norm,
    "KLSparsity": lambda strength, **options: rz.KLSparsity(strength, TARGET, **options),
}
MASKS = {
    "no mask": None,
    "rows": torch.tensor([True, False, True]),
    "elements": torch.tensor(
        [[True, False, True, False], [False, False, False, False], [True, True, False, False]]
    ),
    "nothing": torch.zeros(3, 4, dtype=torch.bool),
}

every_penalty = pytest.mark.parametrize("name", PENALTIES)
every_reduce = pytest.mark.parametrize("reduce", ["sum", "batch_mean", "mean"])
every_mask = pytest.mark.parametrize("mask", MASKS.values(), ids=MASKS)


def activations(*shape: int, seed: int = 0) -> Tensor:
    """Return float64 values from 0.1 to 0.9, away from every kink."""
    values = torch.rand(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    return 0.1 + 0.8 * values


def signed(name: str, x: Tensor) -> Tensor:
    """Return `x` with every other sign turned, except for KL, whose domain is positive."""
    turned = torch.where(torch.arange(x.shape[-1]) % 2 == 0, x, -x)
    return x if name == "KLSparsity" else turned


def plain(name: str, reduce: str, x: Tensor, mask: Tensor | None) -> Tensor:
    """Return the penalty of a matrix, read row by row and element by element."""
    if mask is None:
        mask = torch.ones_like(x, dtype=torch.bool)
    if mask.ndim == 1:
        mask = mask[:, None].expand(x.shape)
    rows = [row[valid] for row, valid in zip(x, mask, strict=True) if valid.any()]
    columns = [col[valid] for col, valid in zip(x.T, mask.T, strict=True) if valid.any()]
    flat = x[mask]
    if flat.numel() == 0:
        return 0 * x.sum()
    if name == "L2Norm":
        norms = [row.square().sum().sqrt() for row in rows]
        if reduce == "batch_mean":
            return torch.stack(norms).mean()
        squares = flat.square()
        return squares.sum().sqrt() if reduce == "sum" else squares.mean().sqrt()
    if name == "KLSparsity":
        means = torch.stack([column.mean() for column in columns])
        off = (1 - TARGET) * torch.log((1 - TARGET) / (1 - means))
        units = TARGET * torch.log(TARGET / means) + off
        return units.mean() if reduce == "mean" else units.sum()
    total = flat.abs().sum() if name == "L1" else flat.square().sum()
    return total / {"sum": 1, "batch_mean": len(rows), "mean": flat.numel()}[reduce]


@every_penalty
@every_reduce
@every_mask
def test_value_and_gradient_are_those_of_the_plain_formula(name, reduce, mask):
    term = PENALTIES[name](1.0, reduce=reduce)
    x = signed(name, activations(3, 4)).requires_grad_()
    value, expected = penalise(x, term, 0, mask), plain(name, reduce, x, mask)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(
        torch.autograd.grad(value, x), torch.autograd.grad(expected, x), msg="gradient"
    )


@every_penalty
@every_reduce
@every_mask
def test_first_and_second_derivatives_pass_finite_differences(name, reduce, mask):
    term = PENALTIES[name](1.0, reduce=reduce)
    x = signed(name, activations(3, 4)).requires_grad_()
    assert gradcheck(lambda x: penalise(x, term, 0, mask), x)
    assert gradgradcheck(lambda x: penalise(x, term, 0, mask), x)


@pytest.mark.parametrize("batch_axis", [1, -1, (0, 2), ()])
@every_penalty
def test_batch_axes_are_what_is_averaged_over(name, batch_axis):
    term = PENALTIES[name](1.0, reduce="batch_mean")
    x = signed(name, activations(2, 3, 4)).requires_grad_()
    axes = (batch_axis,) if isinstance(batch_axis, int) else batch_axis
    samples = torch.movedim(x, axes, tuple(range(len(axes)))).flatten(len(axes))
    samples = samples.reshape(-1, samples.shape[-1])
    value, expected = penalise(x, term, batch_axis), plain(name, "batch_mean", samples, None)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(torch.autograd.grad(value, x), torch.autograd.grad(expected, x))
    assert gradcheck(lambda x: penalise(x, term, batch_axis), x)


@every_penalty
@every_reduce
def test_vmap_and_func_grad_agree_with_a_loop(name, reduce):
    term = PENALTIES[name](1.0, reduce=reduce)
    x = signed(name, activations(5, 3, 4))

    def one(x: Tensor) -> Tensor:
        return penalise(x, term, 0)

    def oracle(x: Tensor) -> tuple[Tensor, Tensor]:
        x = x.clone().requires_grad_()
        value = plain(name, reduce, x, None)
        return value.detach(), torch.autograd.grad(value, x)[0]

    values, gradients = map(torch.stack, zip(*map(oracle, x), strict=True))
    torch.testing.assert_close(torch.func.vmap(one)(x), values)
    torch.testing.assert_close(torch.func.grad(one)(x[0]), gradients[0])
    torch.testing.assert_close(torch.func.vmap(torch.func.grad(one))(x), gradients)


@pytest.mark.parametrize("mean", [-0.3, 0.0, 1.0, 1.7])
def test_kl_keeps_pulling_where_the_mean_leaves_the_unit_interval(mean):
    x = torch.full((3, 2), mean, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(penalise(x, rz.KLSparsity(1.0, TARGET), 0), x)
    edge = 1e-6 if mean < 0.5 else 1 - 1e-6
    slope = (1 - TARGET) / (1 - edge) - TARGET / edge
    torch.testing.assert_close(gradient, torch.full_like(gradient, slope / 3))


@pytest.mark.parametrize("reduce", ["sum", "batch_mean", "mean"])
def test_l2_norm_has_no_gradient_at_zero_and_the_right_one_beside_it(reduce):
    x = torch.zeros(2, 3, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(penalise(x, rz.L2Norm(1.0, reduce=reduce), 0), x)
    assert torch.equal(gradient, torch.zeros(2, 3, dtype=torch.float64))

    tiny = torch.tensor([[3e-30, 4e-30]], requires_grad=True)
    value = penalise(tiny, rz.L2Norm(1.0), 0)
    assert value.item() == pytest.approx(5e-30)
    (gradient,) = torch.autograd.grad(value, tiny)
    torch.testing.assert_close(gradient, torch.tensor([[0.6, 0.8]]))


def test_l1_has_no_gradient_at_zero():
    x = torch.tensor([[-2.0, 0.0, 3.0]], requires_grad=True)
    (gradient,) = torch.autograd.grad(penalise(x, rz.L1(1.0), 0), x)
    assert gradient.tolist() == [[-1.0, 0.0, 1.0]]


@every_penalty
def test_empty_input_is_zero_with_an_empty_gradient(name):
    x = torch.zeros(0, 3, requires_grad=True)
    value = penalise(x, PENALTIES[name](1.0), 0)
    (gradient,) = torch.autograd.grad(value, x)
    assert value.item() == 0
    assert gradient.shape == (0, 3)


@every_penalty
def test_what_a_mask_leaves_out_may_be_nan(name):
    x = signed(name, activations(3, 4))
    clean = x.clone().requires_grad_()
    x[1] = float("nan")
    x.requires_grad_()
    rows = MASKS["rows"]
    value = penalise(x, PENALTIES[name](1.0, reduce="batch_mean"), 0, rows)
    expected = plain(name, "batch_mean", clean, rows)
    torch.testing.assert_close(value, expected)
    torch.testing.assert_close(torch.autograd.grad(value, x), torch.autograd.grad(expected, clean))
