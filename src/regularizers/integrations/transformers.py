"""The callback for the Trainer of transformers, and for trainers that are built upon it."""

from __future__ import annotations

import uuid
import warnings
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from torch import nn
from torch.utils._pytree import tree_map_only

from regularizers.attach import AnyRule, Regularization
from regularizers.errors import ConfigurationError, RegimeError
from regularizers.integrations._frameworks import check_framework
from regularizers.integrations._trainer_checks import check_parallel, check_targets
from regularizers.integrations._trainer_window import Window
from regularizers.modules import whole

check_framework("transformers", "4.50")
check_framework("accelerate", "1.5")
from transformers import TrainerCallback  # noqa: E402

_KEY, _FILE = "regularizers", "regularization.pt"
_training: weakref.WeakKeyDictionary[nn.Module, Regularizing] = weakref.WeakKeyDictionary()


class Regularizing(TrainerCallback):
    """Trains under rules in `Trainer.train()`; after it the model has no hooks.

    Activities enter by the data path, at the scale of the loss over the number of batches in this
    accumulation window: as in one batch of that size, whatever the Trainer divides its loss by.
    Weights and constraints enter in the step of the optimizer. `penalty/...` is in the logs, and
    the state in the checkpoint, as `regularization.pt`, from which training resumes.

    Args:
        rules: as for `Regularization`, which is `.regularization` while the model is trained.
        **options: of `Regularization`, but for `delivery`.

    Raises:
        SelectionError, ConfigurationError, RegimeError: before the first batch: a rule matches
            nothing; the length of a window, the scale of the loss or the state of a checkpoint
            cannot be known; or the model is trained in parallel otherwise than by
            DistributedDataParallel.
        CollectionError: before the first step: an output that a rule selects was not reached.

    Example:
        >>> import regularizers as rz
        >>> from regularizers.integrations.transformers import Regularizing
        >>> rules = [rz.activity(rz.L1(1e-3), where="bert.encoder.layer.*.intermediate")]
        >>> callbacks = [Regularizing(rules)]  # Trainer(model, args, callbacks=callbacks)
    """

    def __init__(self, rules: Iterable[AnyRule] = (), **options: Any) -> None:
        if "delivery" in options:
            raise ConfigurationError(
                "Regularizing: expected no delivery, since the Trainer owns the loss and needs "
                "'inject'; leave it out"
            )
        self.regularization: Regularization | None = None
        self._rules, self._options = rules, options
        self._window: Window | None = None
        self._state: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Attach the rules, and go on from the state beside the checkpoint."""
        model, optimizer, loader = (given[k] for k in ("model", "optimizer", "train_dataloader"))
        self.on_train_end(args, state, control)
        other = _training.pop(model, None)
        if other is not None and other.regularization is not None:
            other.on_train_end(args, state, control)
            _say_two(in_one_trainer=other._state is state)
        check_parallel(args, optimizer)
        options: dict[str, Any] = {**self._options, "delivery": "inject"}
        self.regularization = reg = Regularization(model, self._rules, **options)
        try:
            check_targets(reg)
            injects = any(row.kind in ("activity", "temporal") for row in reg.report().rows)
            self._window = Window(args, loader, state.global_step) if injects else None
            if reg.acts_in_steps:
                reg.attach(optimizer)
            if state.global_step > 0:
                _resume(reg, args, state)
        except BaseException:
            self.on_train_end(args, state, control)
            raise
        _training[model], self._state, self._run = self, state, uuid.uuid4().hex
        state.stateful_callbacks[_KEY] = {"attributes": {"run": self._run}}
        self._has_stepped = False

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        """Count the batches of the epoch."""
        if self._window is not None:
            self._window.begin_epoch()

    def on_step_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Set the scale of the penalties for the batches of this window."""
        if self._window is not None:
            scaler = getattr(given["optimizer"], "scaler", None)
            scale = 1.0 if scaler is None else scaler.get_scale()
            self._in_use.set_scale(scale / self._window.begin())

    def on_substep_end(self, *_: Any, **__: Any) -> None:
        """Count a batch."""
        if self._window is not None:
            self._window.count()

    def on_pre_optimizer_step(self, *_: Any, **__: Any) -> None:
        """Count the last batch of the window; raise if the gradients are not as announced."""
        if self._window is not None:
            self._window.count()
            self._window.check_is_full()
            if not self._has_stepped:
                self._in_use.check_fired()
            self._has_stepped = True

    def on_epoch_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Raise if the data ended within a window."""
        stopped = control.should_training_stop or control.should_epoch_stop
        if self._window is not None and not stopped:
            self._window.check_is_full()

    def on_log(self, args: Any, state: Any, control: Any, logs: Any = None, **_: Any) -> None:
        """Add the last values to the history, and for the callbacks that come after this one."""
        if self.regularization is not None and "loss" in (logs or {}):
            penalties = self.regularization.penalties()
            values = {f"penalty/{key}": value for key, value in penalties.items()}
            logs.update(values)
            state.log_history[-1].update(values)

    def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Write the state beside trainer_state.json."""
        # one process writes it, so the parts of sharded weights are put together by all
        strengths = tree_map_only(torch.Tensor, whole, self._in_use.state_dict())
        saved = {"run": self._run, "step": state.global_step, "state": strengths}
        folder = Path(args.output_dir, f"checkpoint-{state.global_step}")
        if args.should_save and folder.is_dir():
            torch.save(saved, folder / _FILE)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave the model as it was."""
        if self.regularization is not None:
            self.regularization.detach()
        self.regularization = None

    @property
    def _in_use(self) -> Regularization:
        if self.regularization is None:
            raise RegimeError(
                "Regularizing: another training of this model has begun, and these rules are "
                "detached; train a model by one Trainer at a time"
            )
        return self.regularization


def _say_two(*, in_one_trainer: bool) -> None:
    if in_one_trainer:
        raise ConfigurationError(
            "Regularizing: expected one in a Trainer, got two, whose equal rules would count "
            "twice; give one of them all rules"
        )
    warnings.warn(
        "Regularizing: an earlier training of this model did not come to its end; its rules are "
        "detached now, since they would have added up",
        stacklevel=2,
    )


def _resume(reg: Regularization, args: Any, state: Any) -> None:
    """Restore the state that was saved in the checkpoint from which `state` is."""
    run = state.stateful_callbacks.get(_KEY, {}).get("attributes", {}).get("run")
    if run is None:
        warnings.warn(
            "Regularizing: training goes on from a checkpoint that was made without it, so the "
            "strengths begin at their first step",
            stacklevel=2,
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
