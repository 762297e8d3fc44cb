"""Derivatives by the array library's own differentiation."""

from __future__ import annotations

import sys
from collections.abc import Callable

import array_api_compat

from regularizers.errors import ConfigurationError
from regularizers.penalties.arrays._arrays import Array, Namespace


def derivative_of(
    xp: Namespace, function: Callable[[Array], Array], x: Array, *, otherwise: str
) -> Array:
    """Return the derivative at `x` of a function whose result is one number.

    Where the graph of `x` is recorded the derivative is in it, to be differentiated again.

    Args:
        xp: the namespace of `x`.
        function: of an array such as `x`.
        x: an array of PyTorch or JAX.
        otherwise: what is expected of an array of another library, and the cure.

    Raises:
        ConfigurationError: the library differentiates nothing.
    """
    if hasattr(xp, "by_torch"):  # a compiler does not trace asking for the library of an array
        return xp.by_torch(function, x)
    if array_api_compat.is_torch_array(x):
        return by_torch(function, x)
    if array_api_compat.is_jax_array(x):
        return sys.modules["jax"].grad(function)(x)
    raise ConfigurationError(
        f"{otherwise}; got an array of {type(x).__module__.partition('.')[0]}, which "
        f"differentiates nothing by itself"
    )


def by_torch(function: Callable[[Array], Array], x: Array) -> Array:
    """Return the derivative at a tensor of a function whose result is one number."""
    torch = sys.modules["torch"]
    if torch.compiler.is_compiling() or torch._C._functorch.peek_interpreter_stack() is not None:
        # a transform, which transforms and compilers can follow
        return torch.func.grad(function)(x)
    recorded = torch.is_grad_enabled() and x.requires_grad
    # a backward pass, a step of an optimizer and inference mode record nothing by themselves
    with torch.inference_mode(False), torch.enable_grad():
        apart = x.clone() if x.is_inference() else x.detach()
        leaf = x if recorded else apart.requires_grad_()
        value = function(leaf)
        if not value.requires_grad:  # a constant
            return torch.zeros_like(x)
        (slope,) = torch.autograd.grad(
            value, leaf, create_graph=recorded, allow_unused=True, materialize_grads=True
        )
    return slope
