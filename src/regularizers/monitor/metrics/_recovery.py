"""How much of a known dictionary another one has found."""

from __future__ import annotations

import importlib
from typing import Any, NamedTuple

import torch
from torch import Tensor

from regularizers.errors import ArrayTypeError, ConfigurationError, ShapeError
from regularizers.modules import describe


class Recovery(NamedTuple):
    """What `recovery` found.

    Attributes:
        mean: the mean absolute cosine of true units under the best matching; the MCC.
        share: the share of true units whose matched absolute cosine exceeds the threshold.
        matching: (true units,), int64: the found unit matched to each; -1 where there was none
            left.
        cosines: (true units,), float64: the absolute cosine of each with its match; 0 where there
            is none.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> true = torch.eye(2)
        >>> found = torch.tensor([[0.6, 2.0], [0.8, 0.0]])  # a column for each unit
        >>> result = rz.monitor.recovery(true, found)
        >>> result.matching.tolist()  # the first true unit is the second found one
        [1, 0]
        >>> [round(cosine, 4) for cosine in result.cosines.tolist()]
        [1.0, 0.8]
        >>> round(result.mean, 4), result.share
        (0.9, 0.5)
    """

    mean: float
    share: float
    matching: Tensor
    cosines: Tensor


def recovery(true: Tensor, found: Tensor, *, threshold: float = 0.9) -> Recovery:
    r"""Compare two dictionaries under the best matching of their units.

    .. math:: \text{mean} = \frac{1}{U} \max_\pi \sum_{u=1}^{U}
        \frac{|d_u \cdot \hat d_{\pi(u)}|}{\|d_u\|_2 \, \|\hat d_{\pi(u)}\|_2}

    π matches each true unit to a found unit of its own. Where fewer units were found than are true,
    those that are left over have a cosine of 0; a unit of zeros has a cosine of 0 with any. Signs
    and sizes do not matter. It waits for the device.

    Args:
        true: (features, true units), a column for each unit, as in `decoder.weight`.
        found: (features, found units).
        threshold: a true unit is recovered if its absolute cosine exceeds it; in [0, 1].

    Returns:
        The mean, the share of recovered units, and the matching.

    Raises:
        ArrayTypeError: one of them is no tensor of a real floating type.
        ShapeError: they are no matrices, or have other numbers of features, or no unit.
        ConfigurationError: the threshold is not in [0, 1], a value is not finite, or SciPy is
            missing.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> true = torch.eye(3)
        >>> found = torch.tensor([[0.0, -2.0], [1.0, 0.0], [0.0, 0.0]])
        >>> result = rz.monitor.recovery(true, found)
        >>> round(result.mean, 4), round(result.share, 4), result.matching.tolist()
        (0.6667, 0.6667, [1, 0, -1])

    Source: Hyvärinen and Morioka, "Unsupervised feature extraction by time-contrastive learning and
    nonlinear ICA", 2016, for the mean correlation of a matching; Song et al., "Mechanistic
    interpretability should prioritize feature consistency in SAEs", 2025,
    `arXiv:2505.20254 <https://arxiv.org/abs/2505.20254>`__, for its use on dictionaries.
    """
    _check(true, found, threshold)
    cosines = (_directions(true).mT @ _directions(found)).abs().cpu()
    if not cosines.isfinite().all():
        raise ConfigurationError("recovery: expected finite dictionaries, got NaN or infinity")
    rows, columns = _assignment()(cosines.numpy(), maximize=True)
    matching = torch.full((true.shape[1],), -1)
    matching[torch.as_tensor(rows)] = torch.as_tensor(columns)
    each = torch.zeros(true.shape[1], dtype=torch.float64)
    each[torch.as_tensor(rows)] = cosines[torch.as_tensor(rows), torch.as_tensor(columns)]
    share = (each > threshold).double().mean()
    return Recovery(each.mean().item(), share.item(), matching, each)


def _directions(matrix: Tensor) -> Tensor:
    """Return the columns in float64 at length 1, those of zeros as they are."""
    wide = matrix.detach().double()
    norms = torch.linalg.vector_norm(wide, dim=0)
    return wide / torch.where(norms == 0, 1.0, norms)


def _assignment() -> Any:
    try:
        return importlib.import_module("scipy.optimize").linear_sum_assignment
    except ImportError:
        raise ConfigurationError(
            "recovery: the best matching needs SciPy, which is not installed: pip install scipy"
        ) from None


def _check(true: object, found: object, threshold: float) -> None:
    for name, matrix in (("true", true), ("found", found)):
        if not isinstance(matrix, Tensor) or not matrix.dtype.is_floating_point:
            raise ArrayTypeError(
                f"recovery: {name}: expected a torch.Tensor of a real floating type, got "
                f"{describe(matrix)}"
            )
        if matrix.ndim != 2 or matrix.numel() == 0:
            raise ShapeError(
                f"recovery: {name}: expected (features, units), a column for each unit, as in "
                f"decoder.weight, got {describe(matrix)}"
            )
    assert isinstance(true, Tensor)
    assert isinstance(found, Tensor)
    if len(true) != len(found):
        raise ShapeError(
            f"recovery: expected two dictionaries of the same features, which are rows, got "
            f"{len(true)} and {len(found)}; a weight of an encoder is transposed: weight.mT"
        )
    if not 0 <= threshold <= 1:
        raise ConfigurationError(
            f"recovery: threshold: expected a cosine in [0, 1], got {threshold!r}"
        )
