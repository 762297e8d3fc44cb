"""Weight standardization, as a parametrization of the weight of a layer."""

from __future__ import annotations

import math
from typing import TypeVar

import torch
from torch import Tensor, nn
from torch.nn.parameter import UninitializedParameter
from torch.nn.utils import parametrize

from regularizers.errors import ArrayTypeError, ConfigurationError
from regularizers.layers._noise import noise_dtype
from regularizers.penalties.arrays import check_positive

ModuleT = TypeVar("ModuleT", bound=nn.Module)


def weight_standardization(
    module: ModuleT, *, scaled: bool = False, gamma: float = 1.0, eps: float = 1e-6
) -> ModuleT:
    r"""Let a layer use its weight with mean 0 and variance 1 for each output.

    .. math:: \hat W_{oj} = \frac{W_{oj} - \mu_o}{\sqrt{\sigma_o^2 + \varepsilon}}, \qquad
        \mu_o = \frac 1N \sum_j W_{oj}, \qquad
        \sigma_o^2 = \frac 1N \sum_j (W_{oj} - \mu_o)^2

    j runs over the N weights of output o: its inputs (those of its group) times the kernel. With
    `scaled=True` the output has the variance of the input times γ², without a batch normalization:

    .. math:: \hat W_{oj} = \frac{\gamma\, g_o}{\sqrt N}\,
        \frac{W_{oj} - \mu_o}{\sqrt{\sigma_o^2 + \varepsilon}}

    where the gain g is a parameter that starts at 1. γ belongs to the nonlinearity before the
    layer; for a ReLU the authors use √2 / √(1 − 1/π) ≈ 1.7139.

    The weight becomes a parametrization of PyTorch's, as with `weight_norm`: W is trained and
    saved, as `parametrizations.weight.original`, and `module.weight` is computed.
    `torch.nn.utils.parametrize.remove_parametrizations(module, "weight")` makes what was computed
    the weight again. A kernel rule penalises the computed weight, as one site. In half precision
    the weight is standardized in float32.

    Args:
        module: an `nn.Linear`, or a convolution, transposed or not, of any number of dimensions. It
            is changed in place.
        scaled: whether to divide by √N and multiply by a learned gain.
        gamma: γ, above 0; only with `scaled=True`.
        eps: ε, above 0.

    Returns:
        The module.

    Raises:
        ConfigurationError: another kind of module; a weight that is standardized already, not
            initialised, computed by a hook, or one number for each output; a γ or ε that is not
            above 0; a γ without `scaled=True`.
        ArrayTypeError: a weight that is not real floating point.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> from torch import nn
        >>> conv = rz.layers.weight_standardization(nn.Conv2d(3, 8, 3))
        >>> weight = conv.weight.flatten(1)
        >>> bool((weight.mean(dim=1).abs() < 1e-6).all())
        True
        >>> torch.allclose(weight.var(dim=1, correction=0), torch.ones(8), atol=1e-3)
        True

    Source: Qiao et al., "Micro-batch training with batch-channel normalization and weight
    standardization", 2019, `arXiv:1903.10520 <https://arxiv.org/abs/1903.10520>`__; scaled: Brock,
    De, Smith, "Characterizing signal propagation to close the performance gap in unnormalized
    ResNets", 2021, `arXiv:2101.08692 <https://arxiv.org/abs/2101.08692>`__.
    """
    weight = _checked_weight(module)
    groups = module.groups if isinstance(module, _TRANSPOSED) else None
    outputs = weight.shape[0] if groups is None else groups * weight.shape[1]
    if weight.numel() < 2 * outputs:
        raise ConfigurationError(
            f"weight_standardization: expected two weights or more for each output, since fewer "
            f"are always 0 without their mean, got {type(module).__name__} with a weight of shape "
            f"{tuple(weight.shape)} for {outputs} outputs"
        )
    if gamma != 1 and not scaled:
        raise ConfigurationError(
            f"gamma: expected scaled=True, which it is a factor of, got gamma={gamma!r} without"
        )
    standardization = WeightStandardization(
        nn.Parameter(torch.ones_like(weight.detach().reshape(-1)[:outputs])) if scaled else None,
        gamma=check_positive(gamma, "gamma"),
        eps=check_positive(eps, "eps"),
        transposed_groups=groups,
    )
    parametrize.register_parametrization(module, "weight", standardization)
    return module


class WeightStandardization(nn.Module):
    """The parametrization that `weight_standardization` registers, with its formula.

    Args:
        gain: g, one number for each output; None for no scale.
        gamma: γ, above 0.
        eps: ε, above 0.
        transposed_groups: the groups of a transposed convolution, whose weight is (inputs, outputs
            of a group, ...); None where outputs are the first axis.

    Shape:
        The output has the shape and type of the weight.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> standardize = rz.layers.WeightStandardization(
        ...     None, gamma=1.0, eps=1e-6, transposed_groups=None
        ... )
        >>> standardize(torch.tensor([[1.0, 3.0], [0.0, 8.0]])).round(decimals=3)
        tensor([[-1.,  1.],
                [-1.,  1.]])
    """

    def __init__(
        self, gain: nn.Parameter | None, *, gamma: float, eps: float, transposed_groups: int | None
    ) -> None:
        super().__init__()
        self.gain = gain
        self.gamma = gamma
        self.eps = eps
        self.transposed_groups = transposed_groups

    def forward(self, weight: Tensor) -> Tensor:
        """Return the standardized weight."""
        w, outputs = weight.to(noise_dtype(weight)), [0]
        if self.transposed_groups is not None:
            w, outputs = w.reshape(self.transposed_groups, -1, *w.shape[1:]), [0, 2]
        others = [axis for axis in range(w.ndim) if axis not in outputs]
        variance, mean = torch.var_mean(w, others, correction=0, keepdim=True)
        standardized = (w - mean) * torch.rsqrt(variance + self.eps)
        if self.gain is not None:
            N = w.numel() // mean.numel()
            gain = self.gain.to(w.dtype).reshape(mean.shape)
            standardized = standardized * (gain * (self.gamma / math.sqrt(N)))
        return standardized.reshape(weight.shape).to(weight.dtype)

    def extra_repr(self) -> str:
        """Return the settings, as the module's text shows them."""
        return f"eps={self.eps}" + ("" if self.gain is None else f", scaled, gamma={self.gamma}")


_TRANSPOSED = nn.modules.conv._ConvTransposeNd
_KINDS = (nn.Linear, nn.modules.conv._ConvNd)


def _checked_weight(module: nn.Module) -> Tensor:
    """Return the weight of `module`; raise unless it can be standardized."""
    kind = type(module).__name__
    if not isinstance(module, _KINDS):
        raise ConfigurationError(
            f"weight_standardization: expected an nn.Linear or a convolution, got {kind}; call it "
            f"for each such layer in a model"
        )
    parametrized = parametrize.is_parametrized(module, "weight")
    if parametrized and any(
        isinstance(part, WeightStandardization)
        for part in module.parametrizations["weight"]  # type: ignore[index]
    ):
        raise ConfigurationError(
            f"weight_standardization: the weight of {kind} is standardized already; "
            f"torch.nn.utils.parametrize.remove_parametrizations(module, 'weight') takes it out"
        )
    if not parametrized and module._parameters.get("weight") is None:
        raise ConfigurationError(
            f"weight_standardization: expected a weight that is a parameter, got one of {kind} "
            f"that a hook computes, as of torch.nn.utils.prune or the older weight_norm; remove it "
            f"first"
        )
    weight: Tensor = module.weight
    if isinstance(weight, UninitializedParameter):
        raise ConfigurationError(
            f"weight_standardization: the weight of {kind} is not initialised; run one batch "
            f"through the module first"
        )
    if not weight.is_floating_point():
        raise ArrayTypeError(
            f"weight_standardization: expected a weight of a real floating type, got "
            f"{weight.dtype} in {kind}"
        )
    return weight
