"""Half the squared Jacobian against the whole of it."""

import numpy as np
import pytest
import torch
from torch import nn

from regularizers.errors import ArrayTypeError, ConfigurationError, RegimeError, ShapeError
from regularizers.functional import jacobian_penalty


def net(outputs: int) -> nn.Sequential:
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(3, 5), nn.Tanh(), nn.Linear(5, outputs)).double()


def batch(samples: int = 4, **options) -> torch.Tensor:
    generator = torch.Generator().manual_seed(1)
    x = torch.randn(samples, 3, generator=generator, dtype=torch.float64).to(**options)
    return x.requires_grad_()


def by_brute_force(model: nn.Module, x: torch.Tensor) -> torch.Tensor:
    """Return half the squared Frobenius norm of the Jacobian of each sample, averaged."""
    each = [
        torch.autograd.functional.jacobian(model, one[None], create_graph=True).square().sum()
        for one in x
    ]
    return sum(each) / len(x) / 2


@pytest.mark.parametrize("outputs", [1, 4])
def test_every_output_by_itself_is_exact(outputs):
    model, x = net(outputs), batch()
    penalty, expected = jacobian_penalty(x, model(x), None), by_brute_force(model, x)

    torch.testing.assert_close(penalty, expected)
    wanted = torch.autograd.grad(expected, list(model.parameters())[:2])
    torch.testing.assert_close(torch.autograd.grad(penalty, list(model.parameters())[:2]), wanted)


@pytest.mark.parametrize("flat", [False, True])
@pytest.mark.parametrize("projections", [1, 3])
def test_one_output_is_exact_whatever_is_drawn(projections, flat):
    model, x = net(1), batch()
    output = model(x)[:, 0] if flat else model(x)

    torch.testing.assert_close(jacobian_penalty(x, output, projections), by_brute_force(model, x))


def test_random_projections_are_right_on_average():
    """Within four standard errors of the estimates themselves, for value and gradient."""
    model, x = net(4), batch()
    weight = model[0].weight
    generator = torch.Generator().manual_seed(2)
    values, slopes = [], []
    for _ in range(600):
        penalty = jacobian_penalty(x, model(x), generator=generator)
        values.append(penalty.detach())
        slopes.append(torch.autograd.grad(penalty, weight)[0])
    expected = by_brute_force(model, x)

    for drawn, wanted in (
        (torch.stack(values), expected),
        (torch.stack(slopes), torch.autograd.grad(expected, weight)[0]),
    ):
        error = drawn.std(dim=0) / len(drawn) ** 0.5
        assert ((drawn.mean(dim=0) - wanted).abs() < 4 * error).all()
        assert (error < 0.1 * wanted.abs().max()).all()


def test_several_projections_are_the_mean_of_single_ones():
    model, x = net(4), batch()
    several = jacobian_penalty(x, model(x), 3, generator=torch.Generator().manual_seed(3))
    generator = torch.Generator().manual_seed(3)
    single = [jacobian_penalty(x, model(x), generator=generator) for _ in range(3)]

    torch.testing.assert_close(several, sum(single) / 3)


def test_inputs_and_outputs_may_have_any_axes():
    model = nn.Conv2d(2, 3, 2).double()
    x = torch.randn(2, 2, 3, 3, dtype=torch.float64, requires_grad=True)

    torch.testing.assert_close(jacobian_penalty(x, model(x), None), by_brute_force(model, x))


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_is_summed_in_single(dtype):
    x = batch(dtype=dtype).detach().requires_grad_()
    weight = torch.full((3, 1), 200.0, dtype=dtype)
    penalty = jacobian_penalty(x, x @ weight)

    assert penalty.dtype == torch.float32
    assert penalty.item() == pytest.approx(0.5 * 3 * 200.0**2)


def test_an_empty_batch_and_no_outputs_cost_nothing():
    for x, model in ((batch(0), net(4)), (batch(), lambda x: x[:, :0])):
        for projections in (1, None):
            assert jacobian_penalty(x, model(x), projections).item() == 0


def test_the_draws_are_those_of_the_generator():
    model, x = net(4), batch()
    twice = [
        jacobian_penalty(x, model(x), generator=torch.Generator().manual_seed(4)) for _ in range(2)
    ]

    assert twice[0].item() == twice[1].item()
    assert jacobian_penalty(x, model(x)).item() != twice[0].item()


@pytest.mark.parametrize("name", ["inputs", "outputs"])
@pytest.mark.parametrize(
    ("bad", "error", "match"),
    [
        (
            torch.ones(4, 2, dtype=torch.int64),
            ArrayTypeError,
            ".*real floating type, got torch.int64",
        ),
        (torch.ones(4, 2, dtype=torch.complex64), ArrayTypeError, ".*real floating type, got"),
        ([1.0], ArrayTypeError, "an array of a floating type .*, got list"),
        (np.ones((4, 2)), ArrayTypeError, "a tensor of PyTorch, which differentiates .*, got nda"),
        (torch.tensor(1.0), ShapeError, "samples along axis 0, got a tensor of one number"),
    ],
    ids=["integers", "complex", "list", "numpy", "number"],
)
def test_what_is_no_batch_of_real_numbers(name, bad, error, match):
    x = batch()
    given = {"inputs": x, "outputs": net(2)(x)} | {name: bad}
    with pytest.raises(error, match=f"^{name}: expected {match}"):
        jacobian_penalty(**given)


def test_batches_of_two_sizes():
    x = batch()
    match = r"outputs: expected one for each of the 4 samples of the inputs, .* shape \(3, 2\)"
    with pytest.raises(ShapeError, match=match):
        jacobian_penalty(x, net(2)(x)[:3])


def test_inputs_that_require_no_gradient():
    x = batch().detach()
    with pytest.raises(RegimeError, match=r"inputs: .*; call inputs\.requires_grad_\(\) before"):
        jacobian_penalty(x, net(2)(x))


@pytest.mark.parametrize(
    ("outputs", "match"),
    [
        (lambda x: net(2)(x.detach()), "whose graph does not lead to the inputs"),
        (lambda x: net(2)(x).detach(), "which have no graph"),
    ],
    ids=["of other inputs", "detached"],
)
def test_outputs_that_do_not_depend_on_the_inputs(outputs, match):
    x = batch()
    with pytest.raises(RegimeError, match=f"outputs: expected what was computed .*{match}; give"):
        jacobian_penalty(x, outputs(x))


@pytest.mark.parametrize("projections", [0, -1, 1.0, True, "all"], ids=repr)
def test_projections_that_are_no_number(projections):
    x = batch()
    with pytest.raises(ConfigurationError, match="projections: expected an integer of 1 or more"):
        jacobian_penalty(x, net(2)(x), projections)


def test_a_generator_of_another_library():
    x = batch()
    with pytest.raises(ConfigurationError, match=r"generator: expected a torch\.Generator or None"):
        jacobian_penalty(x, net(2)(x), generator=np.random.default_rng(0))
