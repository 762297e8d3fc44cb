"""The state of a Regularization in the checkpoints of a Trainer, as a file of its own."""

from __future__ import annotations

import uuid
import warnings
from pathlib import Path
from typing import Any

import torch
from torch.utils._pytree import tree_map_only

from regularizers.attach import Regularization
from regularizers.errors import ConfigurationError
from regularizers.modules import whole

_KEY, _FILE = "regularizers", "regularization.pt"


def mark_run(state: Any) -> None:
    """Give this training a name, which trainer_state.json and our file will share."""
    state.stateful_callbacks[_KEY] = {"attributes": {"run": uuid.uuid4().hex}}


def write_state(reg: Regularization, args: Any, state: Any) -> None:
    """Write the file into the checkpoint of this step; every process must call this."""
    # one process writes, so the parts of sharded weights are put together by all
    strengths = tree_map_only(torch.Tensor, whole, reg.state_dict())
    folder = Path(args.output_dir, f"checkpoint-{state.global_step}")
    if args.should_save and folder.is_dir():
        saved = {"run": _run(state), "step": state.global_step, "state": strengths}
        torch.save(saved, folder / _FILE)


def resume_state(reg: Regularization, args: Any, state: Any) -> None:
    """Restore the state in the checkpoint that the Trainer has restored `state` from.

    A checkpoint of a training without rules has none; a warning says so.

    Raises:
        ConfigurationError: the file of that checkpoint is not found, or is of other rules.
    """
    run = _run(state)
    if run is None:
        warnings.warn(
            "Regularizing: training goes on from a checkpoint that was made without it, so the "
            "strengths begin at their first step",
            stacklevel=3,
        )
        return
    folders = [args.resume_from_checkpoint, f"{args.output_dir}/checkpoint-{state.global_step}"]
    for file in [Path(folder, _FILE) for folder in folders if isinstance(folder, str)]:
        saved = torch.load(file, weights_only=True) if file.is_file() else {}
        if (saved.get("run"), saved.get("step")) == (run, state.global_step):
            reg.load_state_dict(saved["state"])
            return
    raise ConfigurationError(
        f"Regularizing: expected {_FILE} of the checkpoint at step {state.global_step}, found none "
        f"in {' or '.join(map(str, filter(None, folders)))}; say the folder of the checkpoint, "
        f"TrainingArguments(resume_from_checkpoint=folder), and keep {_FILE} in it"
    )


def _run(state: Any) -> str | None:
    """Return the name of the training that `state` is of; None without rules."""
    name: str | None = state.stateful_callbacks.get(_KEY, {}).get("attributes", {}).get("run")
    return name
