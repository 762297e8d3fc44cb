"""Plain tensors within transforms of `torch.func`, which wrap tensors."""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import Tensor

from regularizers.errors import RegimeError
from regularizers.modules import is_transformed


def outside() -> AbstractContextManager[object]:
    """Return a context in which no transform wraps new tensors."""
    if not is_transformed():
        return nullcontext()
    clear: AbstractContextManager[object] = (
        torch._functorch.pyfunctorch.temporarily_clear_interpreter_stack()
    )
    return clear


def unwrapped(x: Tensor, site: str) -> Tensor:
    """Return the plain tensor in `x`.

    Raises:
        RegimeError: `x` is batched by `vmap`, whose batch axis a monitor cannot read.
    """
    functorch = torch._C._functorch
    while functorch.is_functorch_wrapped_tensor(x):
        if functorch.is_batchedtensor(x):
            raise RegimeError(
                f"{site}: within vmap a monitor cannot tell samples from members of the batch; "
                f"detach() it, or monitor a forward outside of vmap"
            )
        x = functorch.get_unwrapped(x)
    return x
