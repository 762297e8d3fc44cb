"""Lightning: a callback that regularizes while its trainer fits."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import ExitStack
from inspect import signature
from typing import Any

import torch
from torch import Tensor

from regularizers.attach import AnyRule, Regularization
from regularizers.errors import ConfigurationError, RegimeError
from regularizers.integrations._frameworks import check_framework
from regularizers.integrations._training_step import TrainingStep, replace
from regularizers.monitor import Monitor

check_framework("lightning", "2.6")

import lightning.pytorch as pl  # noqa: E402

__all__ = ["Regularizing"]

_MEASURED = {"SingleDeviceStrategy", "DDPStrategy", "ModelParallelStrategy"}


class Regularizing(pl.Callback):
    """Rules that hold while a `lightning.Trainer` fits; the LightningModule is not edited.

    When fit starts, the callback makes a `Regularization` of the model and attaches the optimizers.
    It adds the penalty to the loss that `training_step` returns, before Lightning divides it by
    `accumulate_grad_batches` and scales it, so both have the same share. What `training_step` logs
    is still the loss of the task. Checkpoints hold the state of the strengths. When fit ends, by an
    exception too, all hooks are removed.

    Args:
        rules: as `Regularization` takes them; names begin at the LightningModule.
        attach: whether rules of weights act in the step of the optimizers, as weight decay does.
            Otherwise they are a part of the loss.
        log: whether to log `Regularization.as_dict()`, every `log_every_n_steps`.
        monitor: settings of a `Monitor`, such as `{"where": "net.*"}`. Its numbers are logged too,
            over all processes and the steps since the last row.
        name: tells several of these callbacks of one trainer apart, in checkpoints too.
        **options: of `Regularization`, such as `process_group="world"` or `delivery="inject"`.

    Raises:
        FrameworkError: when this module is loaded: Lightning is missing or too old.
        SelectionError: when fit starts: a rule matches nothing. `Regularization` and its `attach`
            raise their other errors then, too.
        ConfigurationError: when fit starts: two of these callbacks have a penalty in common, or
            another trainer is fitting with this one.
        RegimeError: when fit starts: no gradient was measured in this strategy; or optimization is
            manual, and a rule acts in the loss.

    Example:
        >>> import lightning
        >>> import regularizers as rz
        >>> rules = [rz.activity(rz.L1(1e-3), where="net.1"), rz.kernel(rz.L2Squared(1e-4))]
        >>> regularizing = rz.integrations.lightning.Regularizing(rules)
        >>> trainer = lightning.Trainer(
        ...     callbacks=[regularizing], accelerator="cpu", logger=False,
        ...     enable_checkpointing=False,
        ... )  # and then trainer.fit(model)
    """

    regularization: Regularization | None = None
    """The rules attached to the model; None while nothing is fitted."""
    monitor: Monitor | None = None
    """The monitor; None while nothing is fitted, or none was asked for."""

    def __init__(
        self,
        rules: Iterable[AnyRule] = (),
        *,
        attach: bool = True,
        log: bool = True,
        monitor: Mapping[str, Any] | None = None,
        name: str = "",
        **options: Any,
    ) -> None:
        self._rules, self._options = list(rules), options
        signature(Regularization).bind(None, self._rules, **options)  # a wrong name is said here
        self._attach, self._log, self._monitored, self._name = attach, log, monitor, name
        self._trainer: pl.Trainer | None = None
        self._state: dict[str, Any] = {}
        self._losses: list[Tensor] = []
        self._steps = 0
        self._undo = ExitStack()

    @property
    def state_key(self) -> str:
        """The key of its state in a checkpoint, with its `name`."""
        return self._generate_state_key(name=self._name) if self._name else "Regularizing"

    def state_dict(self) -> dict[str, Any]:
        """Return the state of the strengths, as `Regularization.state_dict`."""
        return self._state if self.regularization is None else self.regularization.state_dict()

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        """Restore the strengths, now or when fit starts."""
        self._state = state_dict
        if self.regularization is not None:
            self.regularization.load_state_dict(state_dict)

    def setup(self, trainer: pl.Trainer, pl_module: pl.LightningModule, stage: str) -> None:
        """Put this callback before the others of a trainer that is to fit."""
        if stage != "fit":
            return
        others = [c for c in trainer.callbacks if c is not self]  # type: ignore[attr-defined]
        last = self._trainer
        if last not in (None, trainer) and self.regularization and not last.state.stopped:
            raise ConfigurationError(
                "Regularizing: another trainer is fitting with this callback; make one for each"
            )
        self._detach()  # a finder of learning rates that failed did not tell this callback
        if last is not trainer:
            self._trainer, self._state = trainer, {}
        # first of all, so that such finders step with the penalty, and restore the strengths
        trainer.callbacks = [self, *others]  # type: ignore[attr-defined]

    def on_fit_start(self, trainer: pl.Trainer, pl_module: pl.LightningModule) -> None:
        """Attach the rules and the monitor, and go on from the state of a checkpoint."""
        strategy = trainer.strategy
        _check_strategy(strategy)
        self._step = TrainingStep(pl_module, strategy.training_step)
        reg = self.regularization = Regularization(self._step, self._rules, **self._options)
        self._undo.callback(reg.detach)
        for other in trainer.callbacks:  # type: ignore[attr-defined]
            if isinstance(other, Regularizing) and other.regularization not in (None, reg):
                _check_apart(reg, other.regularization)
        if self._state:
            reg.load_state_dict(self._state)
        kinds = {row.kind for row in reg.report().rows}
        strengths = [rule for rule in reg.state_dict()["rules"].values() if rule != "number"]
        in_loss = kinds & {"activity", "temporal"} if self._attach else kinds
        if pl_module.automatic_optimization:
            self._undo.callback(replace(strategy, self._training_step))
        elif in_loss:
            raise RegimeError(
                f"Regularizing: with manual optimization {type(pl_module).__name__}.training_step "
                f"has the loss alone, and rules of the kind {min(in_loss)} are a part of it; make "
                f"reg = rz.Regularization(self, rules) there and write loss + reg.penalty(); here "
                f"leave rules of weights, with attach=True"
            )
        if self._attach and reg.acts_in_steps:
            reg.attach(*trainer.optimizers)
        self._of_loss = any("TargetLoss" in rule for rule in strengths) and not self._injects
        if self._of_loss or (strengths and not self._attach):
            handle = trainer.optimizers[0].register_step_post_hook(self._advance)
            self._undo.callback(handle.remove)
        if self._monitored is not None:
            self.monitor = Monitor(self._step, **self._monitored)
            self._undo.callback(self.monitor.detach)
        self._steps = trainer.global_step

    def on_train_batch_end(
        self, trainer: pl.Trainer, pl_module: pl.LightningModule, *_: object
    ) -> None:
        """Log the numbers after a step of the optimizer, every `log_every_n_steps`."""
        if trainer.global_step == self._steps:
            return  # gradients are being accumulated
        self._steps = trainer.global_step
        if not (self._log and trainer._logger_connector.should_update_logs):
            return
        assert self.regularization is not None
        numbers = self.regularization.as_dict()
        if self.monitor is not None:
            numbers |= self.monitor.synced().as_dict()
            self.monitor.reset()
        pl_module.log_dict(numbers)

    def on_exception(self, *_: object) -> None:
        """Leave the model as it was."""
        self._detach()

    def teardown(self, *_: object, **__: object) -> None:
        """Leave the model as it was."""
        self._detach()

    @property
    def _injects(self) -> bool:
        return self._options.get("delivery") == "inject"

    def _training_step(self, *args: Any, **kwargs: Any) -> Any:
        """Return what the training step returns, its loss with the penalty."""
        output = self._step.returned(*args, **kwargs)
        loss = output.get("loss") if isinstance(output, Mapping) else output
        reg = self.regularization
        assert reg is not None
        if not isinstance(loss, Tensor):  # Lightning skips the batch, or says what is wrong
            if not self._injects:
                with torch.no_grad():
                    reg.penalty()
            return output
        if self._of_loss:
            self._losses.append(loss.detach())
        loss = reg.scale_from(loss) if self._injects else loss + reg.penalty()
        return {**output, "loss": loss} if isinstance(output, Mapping) else loss

    def _advance(self, *_: object) -> None:
        assert self.regularization is not None
        losses, self._losses = self._losses, []
        if not self._of_loss:
            self.regularization.step()
        elif losses:
            self.regularization.step(loss=torch.stack(losses).mean())

    def _detach(self) -> None:
        """Leave the model and the strategy as they were, and keep the state."""
        try:
            if self.regularization is not None:
                self._state = self.regularization.state_dict()
        finally:
            self._undo.close()
            self.regularization, self.monitor, self._losses = None, None, []
            vars(self).pop("_step", None)


def _check_strategy(strategy: object) -> None:
    # by name, since those of pytorch_lightning are other classes
    if not {each.__name__ for each in type(strategy).__mro__} & _MEASURED:
        raise RegimeError(
            f"Regularizing: expected {', '.join(sorted(_MEASURED))}, got "
            f"{type(strategy).__name__}, in which no gradient was measured; without this callback "
            f"write loss + reg.penalty() in training_step"
        )


def _check_apart(mine: Regularization, other: Regularization) -> None:
    """Raise if penalties of two callbacks would add up at a site."""
    names = {(row.site, row.kind, row.penalty.split("(")[0]) for row in mine.report().rows}
    for row in other.report().rows:
        if (row.site, row.kind, row.penalty.split("(")[0]) in names:
            raise ConfigurationError(
                f"Regularizing: two callbacks have {row.penalty} at {row.site}, which would add "
                f"up; leave its rule to one of them"
            )
