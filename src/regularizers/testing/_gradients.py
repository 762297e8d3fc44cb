"""The gradient against the value."""

from __future__ import annotations

from typing import Any

import numpy as np

from regularizers.testing._case import Case, derivative, near


def check_value(case: Case) -> None:
    """Raise unless the value is one finite number, of at least float32."""
    value = case.penalty(case.array)
    if tuple(value.shape) != ():
        raise case.fault(
            f"the value has the shape {tuple(value.shape)}; it should be one number: sum the "
            f"statistic, or let value() do it"
        )
    if not np.isfinite(float(value)):
        raise case.fault(
            f"the value is {float(value)} at numbers between {case.x.min():.3g} and "
            f"{case.x.max():.3g}; for a formula of another range say check_penalty(..., x=)"
        )
    both, _ = case.penalty.value_and_gradient(case.array)
    if not near(float(both), float(value)):
        raise case.fault(
            f"value_and_gradient has the value {float(both):.6g}, and a call {float(value):.6g}"
        )


def check_gradient(case: Case) -> None:
    """Raise unless the gradient is the derivative by differences."""
    compare_with_differences(case, None)


def compare_with_differences(case: Case, valid: Any) -> None:
    """Raise unless the gradient is the derivative by differences, where elements are `valid`."""
    gradient = case.gradient(valid=valid)
    where = "" if valid is None else "with a mask "
    if gradient.shape != case.x.shape:
        raise case.fault(
            f"{where}the gradient has the shape {gradient.shape}, and x {case.x.shape}"
        )
    by_differences = derivative(lambda x: case.value(x, valid), case.x)
    smooth = np.isfinite(by_differences)
    if valid is not None:
        smooth &= np.broadcast_to(_spread(valid, case.x), case.x.shape)
    got, expected = gradient[smooth], by_differences[smooth]
    if near(got, expected, rtol=1e-5):
        return
    if (ratio := case.ratio(got, expected)) is not None:
        raise case.fault(
            f"{where}the gradient is {ratio:.4g} times the numerical one{case.why(ratio)}"
        )
    worst = int(np.nanargmax(np.where(np.isfinite(got), np.abs(got - expected), np.inf)))
    raise case.fault(
        f"{where}the gradient at an element {case.x[smooth][worst]:.4g} is {got[worst]:.6g}, and "
        f"by differences of the value {expected[worst]:.6g}; is it that of another function?"
    )


def _spread(valid: Any, x: Any) -> Any:
    return np.reshape(valid, valid.shape + (1,) * (x.ndim - valid.ndim))


def check_strength(case: Case) -> None:
    """Raise unless the strength is a factor of both."""
    value = case.value()
    twice = case.of(case.x)
    doubled = float((2 * case.penalty)(twice.array))
    if not near(doubled, 2 * value):
        raise case.fault(
            f"the value for twice the strength is {doubled / value:.4g} times as large; the "
            f"library multiplies by the strength, the formula is for a strength of 1"
        )


def check_autograd(case: Case) -> None:
    """Raise unless autograd's derivatives, of the value and of the gradient, are right too."""
    if case.library.name != "PyTorch":
        return
    import torch

    x = case.array.requires_grad_()
    value = case.penalty(x)
    cure = "does the formula leave the graph, as by item(), detach() or NumPy?"
    if not value.requires_grad:
        raise case.fault(f"autograd has no gradient of the value; {cure}")
    (by_autograd,) = torch.autograd.grad(value, x)
    gradient, by = case.gradient(), case.library.numbers(by_autograd)
    if not near(by, gradient):
        raise case.fault(
            f"autograd's gradient of the value begins {by.flat[0]:.6g}, and the analytic one "
            f"{gradient.flat[0]:.6g}; {cure}"
        )
    direction = case.library.array(np.cos(np.arange(case.x.size)).reshape(case.x.shape))
    along = case.library.numbers(direction)
    expected = derivative(lambda x: float((case.gradient(x) * along).sum()), case.x)
    product = (case.penalty.gradient(x) * direction).sum()
    again = torch.zeros_like(x)
    if product.requires_grad:
        (again,) = torch.autograd.grad(product, x, allow_unused=True, materialize_grads=True)
    smooth = np.isfinite(expected)
    got = case.library.numbers(again)
    if not near(got[smooth], expected[smooth], rtol=1e-4):
        worst = int(np.argmax(np.abs(got[smooth] - expected[smooth])))
        raise case.fault(
            f"the gradient differentiated again is {got[smooth][worst]:.6g}, and by differences "
            f"{expected[smooth][worst]:.6g}; does pullback leave the graph?"
        )


def check_apply(case: Case) -> None:
    """Raise unless `apply` adds the gradient, and leaves the array as it is."""
    x, grads = case.array, case.library.array(np.ones(case.x.shape))
    value = float(case.penalty.apply(x, grads))
    if not np.array_equal(case.library.numbers(x), case.x):
        raise case.fault("apply changes x; does the formula write into its array?")
    if not near(value, case.value()):
        raise case.fault(f"apply returns {value:.6g}, and the value is {case.value():.6g}")
    if not near(case.library.numbers(grads), 1 + case.gradient()):
        raise case.fault("apply adds another gradient than gradient() returns")


def check_at_zero(case: Case) -> None:
    """Raise unless the gradient at 0 is a number, and 0 at a kink there."""
    zero = case.of(np.zeros(case.x.shape))
    if not np.isfinite(zero.value()):
        return
    gradient = zero.gradient()
    cure = "keep infinite derivatives from 0, as by xp.where; |x| is xp.maximum(x, -x)"
    if not np.isfinite(gradient).all():
        raise case.fault(f"the gradient at 0 is {gradient.flat[0]}, where it should be 0; {cure}")
    even = near(case.value(-case.x), case.value()) and near(
        case.gradient(-case.x), -case.gradient()
    )
    if even and np.abs(gradient).max() > 1e-9:
        raise case.fault(
            f"the gradient at 0 is {gradient.flat[0]:.6g}; of an even function it should be 0, as "
            f"that of |x| is"
        )
    if case.library.name == "PyTorch":
        import torch

        x = zero.array.requires_grad_()
        (by_autograd,) = torch.autograd.grad(case.penalty(x), x)
        by = case.library.numbers(by_autograd)
        # at a kink of a function that is not even, any slope between the two sides will do
        if not (near(by, gradient) or (np.isfinite(by).all() and not even)):
            raise case.fault(
                f"autograd's gradient of the value at 0 is {by.flat[0]:.6g}, and the analytic one "
                f"{gradient.flat[0]:.6g}; {cure}"
            )
