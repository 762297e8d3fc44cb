"""BatchTopK: the largest units of a whole batch, as they are."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn

from regularizers.errors import ConfigurationError, RegimeError
from regularizers.functional.codes import check_mean_k
from regularizers.layers._largest_of_batch import largest_of_batch
from regularizers.layers._largest_of_processes import largest_of_processes
from regularizers.layers._pre_activations import check_pre_activations
from regularizers.layers._top_k import where_positive
from regularizers.modules import Pass, Processes, ProcessGroup, current_pass


class BatchTopK(nn.Module):
    r"""Returns the k·N largest positive pre-activations of a batch of N samples, and zeros.

    .. math:: f = \max(0, z)\, 1[z \in \mathrm{top}_{kN}(z)] \ \text{in training}, \qquad
        f = z\, 1[z \ge t] \ \text{in evaluation}

    In training it is `functional.batch_top_k`: a sample has as many active units as it needs, and k
    in the mean. In evaluation, where a sample must not depend on the others, units above one
    threshold are active. t is a moving average of the least element that was kept in training, and
    at first the first. The gradient is that of the selection: the one for f where f is not 0.

    Args:
        k: the mean number of active units; k·N is rounded. The attribute `k` may be set between
            steps.
        momentum: the weight of the former t in the moving average, in [0, 1).
        process_group: the processes that share a batch, over all of which k·N are selected: a
            `torch.distributed.ProcessGroup`, `"world"`, or `"local"` where each has a batch of its
            own. None is for a single process.

    Shape:
        The output has the shape and type of the input. Its last axis numbers the units, all others
        the samples. The buffer `threshold` has no axes.

    Raises:
        ConfigurationError: a k that is not above 0, a momentum outside [0, 1) or another group; in
            the forward, a k above the number of units.
        RegimeError: in evaluation, before any training; in training, several processes are running
            and no group is stated.
        ArrayTypeError: in the forward, an input that is not real floating point.
        ShapeError: in the forward, an input without axes.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> coding = rz.layers.BatchTopK(1.5)
        >>> coding(torch.tensor([[3.0, 1.0, 2.0], [-1.0, 0.5, -2.0]]))
        tensor([[3., 1., 2.],
                [0., 0., 0.]])
        >>> coding.eval()(torch.tensor([[0.5, 1.5, 3.0]]))
        tensor([[0.0000, 1.5000, 3.0000]])

    Source: Bussmann, Leask, Nanda, "BatchTopK sparse autoencoders", 2024,
    `arXiv:2412.06410 <https://arxiv.org/abs/2412.06410>`__.
    """

    threshold: Tensor
    """t, NaN before any training."""

    def __init__(
        self, k: float, momentum: float = 0.99, process_group: ProcessGroup = None
    ) -> None:
        super().__init__()
        check_mean_k(k)
        if isinstance(momentum, bool) or not (
            isinstance(momentum, (int, float)) and 0 <= momentum < 1
        ):
            raise ConfigurationError(
                f"momentum: expected a number in [0, 1), the weight of the former threshold, got "
                f"{momentum!r}"
            )
        Processes(process_group)  # raises unless it states which share a batch
        self.k = k
        self.momentum = float(momentum)
        self.process_group = process_group
        self.register_buffer("threshold", torch.tensor(math.nan))
        self._trained: tuple[Tensor, int] | None = None

    def forward(self, z: Tensor) -> Tensor:
        """Return the largest of the batch; in evaluation those above the threshold."""
        check_pre_activations(self, z)
        if not self.training:
            return self._above_threshold(z)
        check_mean_k(self.k, z.shape[-1])
        kept, least = _Kept.apply(z, self.k, self._group())  # type: ignore[no-untyped-call]
        self._follow(least)
        selected: Tensor = kept
        return selected

    @torch.no_grad()
    def _follow(self, least: Tensor) -> None:
        """Move the threshold towards the least element that was kept, if any was."""
        if not torch.compiler.is_compiling() and current_pass() is not Pass.FORWARD:
            return  # a checkpoint repeats a forward, which has moved it
        former, least = self.threshold, least.to(self.threshold.dtype)
        moved = torch.lerp(least, former, self.momentum)
        known = least.where(former.isnan(), moved)
        former.copy_(former.where(least.isnan(), known))

    def _above_threshold(self, z: Tensor) -> Tensor:
        # of one axis, so that both are compared in the wider type
        threshold = self.threshold.detach().reshape(1)
        kept = z * (z >= threshold).to(z.dtype)
        if torch.compiler.is_compiling():
            return kept + (threshold - threshold).to(z.dtype)  # NaN before any training
        self._check_trained()
        return kept

    def _check_trained(self) -> None:
        """Raise unless the threshold has a value, which is read once for each that it has."""
        now = self.threshold, self.threshold._version
        if self._trained is not None and self._trained[0] is now[0] and self._trained[1] == now[1]:
            return
        if self.threshold.isnan():
            raise RegimeError(
                "BatchTopK: evaluation needs a threshold, which training finds, and there was no "
                "training; run batches through it in training mode, load a state, or set it: "
                "layer.threshold.fill_(0.5)"
            )
        self._trained = now

    def _group(self) -> dist.ProcessGroup | None:
        """Return the processes that share the batch; None for this one by itself."""
        processes = Processes(self.process_group)
        if processes.are_unstated():
            raise RegimeError(
                "BatchTopK: the k·N largest of each process's part are not those of the whole "
                "batch; say BatchTopK(k, process_group='world') if the processes share one "
                "batch, a group of them, or 'local' if each has a whole batch of its own"
            )
        return processes.group

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "_trained": None}

    def extra_repr(self) -> str:
        """Return the settings, as the module's text shows them."""
        return f"k={self.k}, momentum={self.momentum}"


class _Kept(torch.autograd.Function):
    """The largest elements of a batch and zeros; and the least that was kept."""

    generate_vmap_rule = True

    @staticmethod
    def forward(z: Tensor, k: float, group: dist.ProcessGroup | None) -> tuple[Tensor, Tensor]:
        samples = math.prod(z.shape[:-1])
        if group is None:
            return largest_of_batch(z, round(k * samples))
        return largest_of_processes(z, k, samples, group)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: tuple[Tensor, Tensor]) -> None:
        kept, least = output
        ctx.mark_non_differentiable(least)
        ctx.save_for_backward(kept)

    @staticmethod
    def backward(ctx: Any, cotangent: Tensor, _: Tensor) -> tuple[Tensor, None, None]:
        return where_positive(cotangent, *ctx.saved_tensors), None, None
