"""The ways of training of a Trainer in which the gradient would not be right."""

from __future__ import annotations

import warnings
from typing import Any

from regularizers.attach import Regularization
from regularizers.errors import ConfigurationError, RegimeError


def check_parallel(args: Any, optimizer: Any) -> None:
    """Raise unless the model is trained by one process, DistributedDataParallel or FSDP2.

    Args:
        args: the Trainer's arguments.
        optimizer: the optimizer that accelerate has prepared.

    Raises:
        RegimeError: another way, in which the scale of the loss or the parts of a batch are not
            known.
    """
    prepared = getattr(optimizer, "accelerator_state", None)
    if prepared is None:
        raise RegimeError(
            f"expected an optimizer that accelerate has prepared, which knows the loss scale, got "
            f"{type(optimizer).__name__}; use the Trainer's own create_optimizer, or optimizers="
        )
    way = str(getattr(prepared.distributed_type, "value", prepared.distributed_type))
    if args.n_gpu > 1:
        way = "nn.DataParallel"
    elif getattr(prepared, "parallelism_config", None) is not None:
        way = "a parallelism_config"
    elif way == "NO" or way.startswith("MULTI_") or _is_fsdp2(prepared):
        if args.fp16 and getattr(optimizer, "scaler", None) is None:
            raise RegimeError(
                "fp16=True without a gradient scaler in the optimizer, so the scale of the loss is "
                "not known; use bf16=True, or the scaler of accelerate"
            )
        return
    raise RegimeError(
        f"the model is trained by {way}, where the scale of the loss or the parts of a batch are "
        f"not known to a callback; use DistributedDataParallel, torchrun --nproc-per-node=N "
        f"train.py, fsdp_config={{'fsdp_version': 2}}, or a loop of your own with "
        f"loss + reg.penalty()"
    )


def _is_fsdp2(prepared: Any) -> bool:
    return getattr(getattr(prepared, "fsdp_plugin", None), "fsdp_version", None) == 2


def check_targets(reg: Regularization) -> None:
    """Raise if a strength follows the loss, which a callback of a Trainer does not see."""
    for key, reached in reg.targets().items():
        if reached.unit == "loss":
            raise RegimeError(
                f"{key}: its TargetLoss needs the loss of each step, which the Trainer does not "
                f"give to callbacks; use a target of what is measured in the model, such as "
                f"TargetActive, or a loop of your own with reg.step(loss=loss)"
            )


def say_two(*, in_one_trainer: bool) -> None:
    """Raise or warn that a model has the rules of two callbacks.

    Args:
        in_one_trainer: whether one Trainer has both; else an earlier training broke off.

    Raises:
        ConfigurationError: it has.
    """
    if in_one_trainer:
        raise ConfigurationError(
            "Regularizing: expected one in a Trainer, got two, whose equal rules would count "
            "twice; give one of them all rules"
        )
    warnings.warn(
        "Regularizing: an earlier training of this model did not come to its end; its rules are "
        "detached now, since they would have added up",
        stacklevel=3,
    )
