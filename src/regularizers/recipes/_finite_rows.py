"""What a network makes of new samples, part by part."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from regularizers.errors import DataError

_AT_ONCE = 1000


@torch.no_grad()
def finite_rows(network: Callable[[Tensor], Tensor], x: Tensor, name: str, what: str) -> Tensor:
    """Return what a network makes of samples, (samples, outputs).

    Args:
        network: reads samples as they are in a file.
        x: the samples, (samples, features).
        name: the data, as an error names it.
        what: what it makes, as an error says that it is lacking: `no code`.

    Raises:
        DataError: a sample is so far from those of the training that float32 does not hold it.
    """
    found = torch.cat([network(part) for part in torch.split(x, _AT_ONCE)])
    wrong = (~found.isfinite().all(dim=1)).nonzero().flatten()
    if len(wrong):
        raise DataError(
            f"{name}, row {int(wrong[0]) + 1}: expected a sample like those of the training, got "
            f"one so far from them that it has {what} in float32; mend or drop it"
        )
    return found
