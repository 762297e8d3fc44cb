"""A tensor that is kept for a weight, and follows it to other devices, dtypes and meshes."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.distributed.tensor import DTensor, distribute_tensor

from regularizers.errors import RegimeError
from regularizers.modules import whole


class Kept:
    """A detached copy of a tensor, read in the form that a weight has at the time.

    Args:
        tensor: of the shape of the weight, and of a floating type.
        option: what it is for, in messages: `"towards"` or `"importance"`.
        wide: whether it is read in at least float32. The importance of a weight in half precision
            may be too small for that precision.
    """

    def __init__(self, tensor: Tensor, option: str, *, wide: bool = False) -> None:
        self._option, self._wide = option, wide
        self._forms: dict[bool, Tensor] = {}
        self.replace(tensor)

    def replace(self, tensor: Tensor) -> None:
        """Keep a copy of another tensor instead."""
        with torch.inference_mode(False):  # a tensor made in inference has no place in a graph
            self.tensor = tensor.detach().clone()
        self._forms.clear()

    def beside(self, weight: Tensor, name: str) -> Tensor:
        """Return the tensor on the device of `weight`, sharded as it is, and in its dtype.

        Args:
            weight: the weight as it is now.
            name: its name, for the message.

        Raises:
            RegimeError: the weight has another shape than it had.
        """
        is_sharded = isinstance(weight, DTensor)
        dtype = torch.promote_types(weight.dtype, torch.float32) if self._wide else weight.dtype
        form = self._forms.get(is_sharded)
        if (
            form is not None
            and form.shape == weight.shape
            and form.dtype == dtype
            and form.device == weight.device
            and (not is_sharded or _is_sharded_alike(form, weight))
        ):
            return form
        if self.tensor.shape != weight.shape:
            raise RegimeError(
                f"{name}: {self._option} has shape {tuple(self.tensor.shape)}, and the weight has "
                f"shape {tuple(weight.shape)} now; make the Regularization after a change of "
                f"shapes, and use torch.distributed.fsdp.fully_shard in place of "
                f"FullyShardedDataParallel, which flattens weights"
            )
        with torch.inference_mode(False):
            form = _in_the_form_of(weight, self.tensor).to(dtype)
        self._forms[is_sharded] = form
        return form


class Absent(Kept):
    """Stands for a tensor that was not given, of a weight that is frozen.

    Args:
        error: is raised when it is read, since the weight is trained then.
    """

    def __init__(self, error: Exception, option: str) -> None:
        super().__init__(torch.empty(0), option)
        self._error = error

    def beside(self, weight: Tensor, name: str) -> Tensor:
        """Raise the error."""
        raise self._error


def _in_the_form_of(weight: Tensor, tensor: Tensor) -> Tensor:
    """Return `tensor` on the device of a weight, and sharded if the weight is."""
    if isinstance(weight, DTensor):
        if isinstance(tensor, DTensor) and _is_sharded_alike(tensor, weight):
            return tensor
        # every process has the whole tensor, so none needs to send it
        return distribute_tensor(
            whole(tensor), weight.device_mesh, weight.placements, src_data_rank=None
        )
    return whole(tensor).to(weight.device)


def _is_sharded_alike(first: Tensor, second: Tensor) -> bool:
    assert isinstance(first, DTensor)
    assert isinstance(second, DTensor)
    return first.device_mesh == second.device_mesh and first.placements == second.placements
