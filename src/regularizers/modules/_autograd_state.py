"""The state of autograd in which a hook runs: checkpoints, transforms, saved-tensor hooks."""

from __future__ import annotations

import sys
from collections.abc import Callable
from enum import Enum
from types import FrameType
from typing import Any, TypeVar

import torch
from torch import Tensor, nn
from torch.autograd import forward_ad
from torch.distributed.fsdp import FSDPModule
from torch.distributed.tensor import DTensor

MODULES_SAVING_OUTPUT = (nn.ReLU, nn.Tanh, nn.Sigmoid, nn.Softmax)
"""Modules that save their output for the backward pass; for a tensor see `is_saved_anyway`."""

_SAVE_THEIR_RESULT = {"ReluBackward0", "TanhBackward0", "SigmoidBackward0", "SoftmaxBackward0"}

_CHECKPOINT = "torch.utils.checkpoint"

# looked up once: after a large kernel the caches are cold, and attribute chains cost microseconds
_task = torch._C._current_graph_task_id
_saved_hooks = torch._C._autograd._top_saved_tensors_default_hooks
_transform = torch._C._functorch.peek_interpreter_stack

Function = TypeVar("Function", bound=Callable[..., Any])


def never_compiled(function: Function) -> Function:
    """Exclude a function from compilation, which may reach it after a graph break.

    Such a function asks about the state at run time; in compiled code the custom operators ask.

    Args:
        function: the function, which is returned.

    Example:
        >>> import torch
        >>> from regularizers.modules import never_compiled
        >>> @never_compiled
        ... def is_eager():
        ...     return not torch.compiler.is_compiling()
        >>> is_eager()
        True
    """
    dynamo: Any = torch._C._dynamo.eval_frame
    if hasattr(dynamo, "set_code_exec_strategy"):  # without it the compiler only warns
        action = dynamo._FrameAction
        skipped = dynamo._FrameExecStrategy(action.SKIP, action.DEFAULT)
        dynamo.set_code_exec_strategy(function.__code__, skipped)
    return function


def eager_only(function: Function) -> Function:
    """Keep the compiler from tracing a function and its callees, which run eagerly by themselves.

    Where a graph breaks, the compiler would trace each frame that it meets.

    Args:
        function: the function, which is returned.

    Example:
        >>> from regularizers.modules import eager_only
        >>> @eager_only
        ... def twice(x):
        ...     return 2 * x
        >>> twice(3)
        6
    """
    dynamo: Any = torch._C._dynamo.eval_frame
    if hasattr(dynamo, "set_code_exec_strategy"):
        action = dynamo._FrameAction
        skipped = dynamo._FrameExecStrategy(action.SKIP, action.SKIP)
        dynamo.set_code_exec_strategy(function.__code__, skipped)
    return function


class Pass(Enum):
    """What a forward with gradients enabled belongs to.

    Example:
        >>> import torch
        >>> from torch.utils.checkpoint import checkpoint
        >>> from regularizers.modules import current_pass
        >>> def layer(x):
        ...     print(current_pass().name)
        ...     return x.sin()
        >>> x = torch.ones(2, requires_grad=True)
        >>> y = checkpoint(layer, x, use_reentrant=False)
        FORWARD
        >>> y.sum().backward()
        RECOMPUTED
    """

    FORWARD = "the forward itself"
    CHECKPOINTED = "the forward itself, which a non-reentrant checkpoint is to repeat"
    RECOMPUTED = "a forward that a non-reentrant checkpoint repeats in the backward"
    REENTRANT = "a forward that a reentrant checkpoint repeats in the backward"


@never_compiled
def current_pass() -> Pass:
    """Return what the running forward belongs to; not for use under compilation.

    Example:
        >>> from regularizers.modules import current_pass
        >>> print(current_pass().value)
        the forward itself
    """
    if _task() == -1:
        return Pass.RECOMPUTED if _is_recomputation_on_top() else Pass.FORWARD
    if _is_recomputation_on_top() or _caller_in_checkpoint() == "unpack_hook":
        return Pass.RECOMPUTED
    return Pass.REENTRANT


@never_compiled
def is_plain_forward() -> bool:
    """Fast check: no backward, saved-tensor hook or transform is active.

    Example:
        >>> import torch
        >>> from regularizers.modules import is_plain_forward
        >>> with torch.autograd.graph.save_on_cpu():
        ...     is_plain_forward()
        False
    """
    return simple_pass() is Pass.FORWARD


@never_compiled
def simple_pass() -> Pass | None:
    """Return what the running forward belongs to, or None if only `current_pass` can tell.

    Unlike `current_pass` it recognises a forward that a checkpoint will recompute.

    Example:
        >>> import torch
        >>> from torch.utils.checkpoint import checkpoint
        >>> from regularizers.modules import simple_pass
        >>> def layer(x):
        ...     print(simple_pass().name)
        ...     return x.sin()
        >>> x = torch.ones(2, requires_grad=True)
        >>> _ = checkpoint(layer, x, use_reentrant=False)
        CHECKPOINTED
    """
    if _transform() is not None or forward_ad._current_level >= 0:
        return None
    hooks: Any = _saved_hooks(True)
    if hooks is None:
        return Pass.FORWARD if _task() == -1 else None
    if getattr(hooks[0], "__module__", "") != _CHECKPOINT:
        return None
    if "_recomputation_hook" in hooks[0].__qualname__:
        return Pass.RECOMPUTED
    return Pass.CHECKPOINTED if _task() == -1 else None


@never_compiled
def is_first_reentrant_pass() -> bool:
    """Return whether a reentrant checkpoint will recompute this forward without gradients.

    Example:
        >>> import torch
        >>> from torch.utils.checkpoint import checkpoint
        >>> from regularizers.modules import is_first_reentrant_pass
        >>> def layer(x):
        ...     print(is_first_reentrant_pass())
        ...     return x.sin()
        >>> y = checkpoint(layer, torch.ones(2, requires_grad=True), use_reentrant=True)
        True
        >>> y.sum().backward()
        False
    """
    return _caller_in_checkpoint() == "CheckpointFunction.forward"


@never_compiled
def saved_tensors_are_hooked() -> bool:
    """Return whether saved tensors go through hooks other than those of a checkpoint.

    Such hooks may move or copy a tensor, as offloading does, and then its version counter does not
    detect changes in place. A checkpoint's hooks return the recomputed tensor itself.

    Example:
        >>> import torch
        >>> from regularizers.modules import saved_tensors_are_hooked
        >>> with torch.autograd.graph.save_on_cpu():
        ...     saved_tensors_are_hooked()
        True
    """
    hooks = _saved_hooks(True)
    return hooks is not None and getattr(hooks[0], "__module__", "") != _CHECKPOINT


@never_compiled
def is_saved_anyway(x: Tensor) -> bool:
    """Return whether the operation that computed `x` saves it for its own backward.

    Saving it once more costs no memory, and autograd detects a change in place.

    Args:
        x: the output of an operation.

    Example:
        >>> import torch
        >>> from regularizers.modules import is_saved_anyway
        >>> x = torch.ones(2, requires_grad=True)
        >>> is_saved_anyway(x.tanh()), is_saved_anyway(x.sin())
        (True, False)
    """
    return type(x.grad_fn).__name__ in _SAVE_THEIR_RESULT and _saved_hooks(True) is None


@never_compiled
def is_transformed() -> bool:
    """Return whether a transform of `torch.func` is running.

    Example:
        >>> import torch
        >>> from regularizers.modules import is_transformed
        >>> def loss(x):
        ...     print(is_transformed())
        ...     return x.sum()
        >>> _ = torch.func.grad(loss)(torch.ones(2))
        True
    """
    return _transform() is not None


@never_compiled
def is_vmap_without_grad() -> bool:
    """Return whether only `vmap` is running, and no gradient transform of `torch.func`.

    Example:
        >>> import torch
        >>> from regularizers.modules import is_vmap_without_grad
        >>> def total(x):
        ...     print(is_vmap_without_grad())
        ...     return x.sum()
        >>> _ = torch.func.vmap(total)(torch.ones(2, 3))
        True
        >>> _ = torch.func.vmap(torch.func.grad(total))(torch.ones(2, 3))
        False
    """
    levels = torch._C._functorch.get_interpreter_stack() or []
    transforms = {level.key() for level in levels}
    return bool(transforms) and torch._C._functorch.TransformType.Grad not in transforms


@never_compiled
def has_ended(value: Tensor) -> bool:
    """Return whether `value` belongs to a transform of `torch.func` that has ended.

    Args:
        value: a tensor.

    Example:
        >>> import torch
        >>> from regularizers.modules import has_ended
        >>> kept = []
        >>> def loss(x):
        ...     kept.append(x)
        ...     return x.sum()
        >>> _ = torch.func.grad(loss)(torch.ones(2))
        >>> has_ended(kept[0]), has_ended(torch.ones(2))
        (True, False)
    """
    dead: bool = torch._C._functorch.is_dead_tensor_wrapper(value)  # type: ignore[attr-defined]
    wrapped = torch._C._functorch.is_functorch_wrapped_tensor(value)
    return dead or (wrapped and not is_transformed())


@never_compiled
def is_vmap_batched(value: Tensor) -> bool:
    """Return whether `value` is batched by a `vmap`.

    Args:
        value: a tensor.

    Example:
        >>> import torch
        >>> from regularizers.modules import is_vmap_batched
        >>> def total(x):
        ...     print(is_vmap_batched(x), is_vmap_batched(torch.ones(2)))
        ...     return x.sum()
        >>> _ = torch.func.vmap(total)(torch.ones(2, 3))
        True False
    """
    functorch = torch._C._functorch
    while functorch.is_functorch_wrapped_tensor(value):
        if functorch.is_batchedtensor(value):
            return True
        value = functorch.get_unwrapped(value)
    return False


@never_compiled
def is_forward_mode() -> bool:
    """Return whether forward-mode differentiation is active: `jvp`, `jacfwd`, `hessian`.

    Example:
        >>> import torch
        >>> from regularizers.modules import is_forward_mode
        >>> with torch.autograd.forward_ad.dual_level():
        ...     is_forward_mode()
        True
    """
    return forward_ad._current_level >= 0


def may_hold_a_part_of_the_units(module: nn.Module, model: nn.Module) -> bool:
    """Return whether a plain output tensor may be one shard of the units (tensor parallelism).

    It is a shard if its module is sharded by columns. It may be one if the module has no weights
    and other modules of the model are sharded. FSDP gathers weights for the forward, so its
    sharding does not count.

    Args:
        module: the module whose output it is.
        model: the model that it is in.

    Example:
        >>> import torch
        >>> from regularizers.modules import may_hold_a_part_of_the_units
        >>> model = torch.nn.Sequential(torch.nn.Linear(4, 3), torch.nn.ReLU())
        >>> may_hold_a_part_of_the_units(model[1], model)
        False
    """
    own = [p for p in module.parameters() if isinstance(p, DTensor)]
    if own:
        return any(placement.is_shard(0) for p in own for placement in p.placements)
    has_weights = next(module.parameters(), None) is not None
    return not has_weights and any(
        isinstance(p, DTensor)
        for part in model.modules()
        if not _is_managed_by_fsdp(part, model)
        for p in part._parameters.values()
    )


def _is_managed_by_fsdp(part: nn.Module, model: nn.Module) -> bool:
    return any(
        isinstance(outer, FSDPModule) and any(inner is part for inner in outer.modules())
        for outer in model.modules()
    )


@never_compiled
def _is_recomputation_on_top() -> bool:
    hooks = _saved_hooks(True)
    return hooks is not None and "_recomputation_hook" in getattr(hooks[0], "__qualname__", "")


@never_compiled
def _caller_in_checkpoint() -> str | None:
    """Return the name of the innermost calling function of `torch.utils.checkpoint`, or None."""
    frame: FrameType | None = sys._getframe(1)
    while frame is not None:
        if frame.f_globals.get("__name__") == _CHECKPOINT:
            for name in (
                "unpack_hook",
                "CheckpointFunction.forward",
                "CheckpointFunction.backward",
            ):
                if frame.f_code.co_qualname.endswith(name):
                    return name
        frame = frame.f_back
    return None
