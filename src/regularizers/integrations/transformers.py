"""The callback for the Trainer of transformers, and for trainers that are built upon it."""

from __future__ import annotations

import math
import weakref
from collections.abc import Callable, Iterable
from typing import Any

from torch import nn

from regularizers.attach import AnyRule, Regularization
from regularizers.errors import ConfigurationError, RegimeError
from regularizers.integrations._frameworks import check_framework
from regularizers.integrations._trainer_checks import check_parallel, check_targets, say_two
from regularizers.integrations._trainer_state import mark_run, resume_state, write_state
from regularizers.integrations._trainer_window import Window

check_framework("transformers", "5.23")
check_framework("accelerate", "1.5")
from transformers import TrainerCallback  # noqa: E402

from regularizers.integrations._trainer_step import scale_within, trainer_in_use  # noqa: E402

__all__ = ["Regularizing"]

_Callbacks = weakref.WeakKeyDictionary[nn.Module, weakref.ref["Regularizing"]]
_training: _Callbacks = weakref.WeakKeyDictionary()
"""The callback that a model is, or was last, trained with."""


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
        self._scale = math.nan
        self._leave: Callable[[], object] | None = None
        self._state: Any = None

    def on_train_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Attach the rules, and go on from the state beside the checkpoint."""
        model, optimizer, loader = (given[k] for k in ("model", "optimizer", "train_dataloader"))
        self.on_train_end(args, state, control)
        other = _training[model]() if model in _training else None
        if other is not None and other.regularization is not None:
            other.on_train_end(args, state, control)
            say_two(in_one_trainer=other._state is state)
        check_parallel(args, optimizer)
        options: dict[str, Any] = {**self._options, "delivery": "inject"}
        self.regularization = reg = Regularization(model, self._rules, **options)
        try:
            check_targets(reg)
            injects = any(row.kind in ("activity", "temporal") for row in reg.report().rows)
            self._window = Window(args, loader, state.global_step) if injects else None
            if injects:
                self._leave = scale_within(trainer_in_use(), reg, lambda: self._scale)
            if reg.acts_in_steps:
                reg.attach(optimizer)
            if state.global_step > 0:
                resume_state(reg, args, state)
        except BaseException:
            self.on_train_end(args, state, control)
            raise
        mark_run(state)
        _training[model], self._state, self._has_stepped = weakref.ref(self), state, False

    def on_epoch_begin(self, *_: Any, **__: Any) -> None:
        """Count the batches of the epoch."""
        if self._window is not None:
            self._window.begin_epoch()

    def on_step_begin(self, args: Any, state: Any, control: Any, **given: Any) -> None:
        """Set the scale of the penalties for the batches of this window."""
        if self._window is not None:
            scaler = getattr(given["optimizer"], "scaler", None)
            scale = 1.0 if scaler is None else scaler.get_scale()
            self._in_use.set_scale(None)
            self._scale = scale / self._window.begin()

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
        write_state(self._in_use, args, state)

    def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Leave the model as it was."""
        if self._leave is not None:
            self._leave()
        if self.regularization is not None:
            self.regularization.detach()
        self.regularization = self._leave = None

    @property
    def _in_use(self) -> Regularization:
        if self.regularization is None:
            raise RegimeError(
                "Regularizing: another training of this model has begun, and these rules are "
                "detached; train a model by one Trainer at a time"
            )
        return self.regularization
