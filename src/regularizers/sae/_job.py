"""The training as Lightning runs it: batches in, steps, checkpoints."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import lightning
import torch
from lightning.fabric.plugins import CheckpointIO
from lightning.pytorch.callbacks import ModelCheckpoint
from torch import Tensor, nn

from regularizers._checkpoints import Checkpoints, shapes_of
from regularizers._lightning import own_interrupt, quiet
from regularizers.attach import Regularization
from regularizers.errors import DataError
from regularizers.layers import BatchTopK, TopK
from regularizers.sae._active import number_at
from regularizers.sae._autoencoder import Losses, SparseAutoencoder
from regularizers.sae._batches import Batches
from regularizers.sae._history import History
from regularizers.sae._joined import Joined, joined_world
from regularizers.sae._memory import memory
from regularizers.sae._noted import Noted, pooled
from regularizers.sae._revival import Revival
from regularizers.sae._room import check_room
from regularizers.sae._settings import Settings
from regularizers.sae._trainer_options import callbacks_of, plugins_of

SAMPLES = 16_384
"""Samples of the first batches from which the scale is measured."""

_SAVES = 20
"""Checkpoints of a training."""

_CURE = (
    "delete it, and the training begins anew; classes of your own callbacks and batches are read "
    "after torch.serialization.add_safe_globals([CLASS])"
)


def fit(
    sae: SparseAutoencoder,
    batches: Batches,
    settings: Settings,
    folder: Path | None,
    *,
    progress: bool,
    options: dict[str, Any],
) -> History:
    """Train, from the checkpoint in `folder` if there is one; `train` says the rest."""
    steps = len(batches) // settings.accumulated
    job = Job(sae, batches, settings)
    callbacks = callbacks_of(options)
    last, plugins = None, plugins_of(options)
    if folder is not None:
        last = folder / "last.ckpt"
        if not any(isinstance(plugin, CheckpointIO) for plugin in plugins):
            plugins.append(Checkpoints({"architecture": sae.architecture, **shapes_of(sae)}, _CURE))
        callbacks.append(
            ModelCheckpoint(
                dirpath=folder,
                filename="last",
                enable_version_counter=False,
                every_n_train_steps=max(steps // _SAVES, 1),
            )
        )
    defaults: dict[str, Any] = {"devices": 1, "logger": False}
    was_training = sae.training
    try:
        with quiet(), own_interrupt():
            trainer = lightning.Trainer(
                **defaults | options | {"callbacks": callbacks, "plugins": plugins},
                max_epochs=1,
                gradient_clip_val=settings.clip,
                enable_checkpointing=folder is not None,
                enable_progress_bar=progress,
                enable_model_summary=False,
                num_sanity_val_steps=0,
            )
            resumed = last if last is not None and last.exists() else None
            trainer.fit(job, train_dataloaders=batches, ckpt_path=resumed, weights_only=True)
    finally:
        job.close()
        sae.train(was_training)
    return job.history


class Job(lightning.LightningModule):
    """The loss, the optimizer, and the work between steps."""

    def __init__(self, sae: SparseAutoencoder, batches: Batches, settings: Settings) -> None:
        super().__init__()
        self.sae = sae
        self._batches, self._settings = batches, settings
        self._steps = len(batches) // settings.accumulated
        self.history = History(self._steps)
        self._regularization: Regularization | None = None
        self._revival: Revival | None = None
        self._loaded: dict[str, Any] | None = None
        self._last: Losses | None = None
        self._noted: list[Noted] = []

    def on_fit_start(self) -> None:
        # here the processes are known, and the optimizer's parameters are in their place
        sae = self.sae
        (optimizer,) = self.trainer.optimizers
        regularization = sae.regularization(process_group="world")
        regularization.attach(optimizer)
        self._regularization = regularization
        if self._settings.revive:
            self._revival = Revival(
                sae,
                optimizer,
                steps=self._steps,
                seed=self._settings.seed,
                accumulated=self._settings.accumulated,
            )
        if self._loaded is not None:
            regularization.load_state_dict(self._loaded["regularization"])
            if self._revival is not None:
                self._revival.load_state_dict(self._loaded["revival"])
        else:
            self._calibrate()

    def _calibrate(self) -> None:
        """Measure the scale from the first batches, which the training then takes again."""
        of_all = joined_world()
        parts: list[tuple[Any, ...]] = []
        position, samples = self._batches.state_dict(), 0
        for batch in self._batches:
            parts.append(self.sae.parts(batch))
            samples += len(_rows(parts[-1][0]))
            if samples * of_all.size >= SAMPLES:
                break
        self._batches.load_state_dict(position)
        self._check_room(len(_rows(parts[0][0])), of_all.size)
        self.sae.calibrate(
            *[_joined(some, self.device, of_all) for some in zip(*parts, strict=True)]
        )

    def _check_room(self, rows: int, processes: int) -> None:
        """Raise if the device has not the memory for a batch of so many rows."""
        encoder, decoder = self.sae.encoder, self.sae.decoder
        need = memory(
            encoder.in_features,
            self.sae.units,
            rows,
            outputs=decoder.out_features,
            architecture=self.sae.architecture,
            revive=self._settings.revive,
            processes=processes,
            dtype=decoder.weight.dtype,
        )
        check_room(need, self.device, self.trainer.num_devices)

    def training_step(self, batch: Any, number: int) -> Tensor:
        assert self._regularization is not None
        step, place = divmod(number, self._settings.accumulated)
        _set_active(self.sae, step)
        found = self.sae.losses(*self.sae.parts(batch))
        # kept here: Lightning walks through what a step returns
        self._last = Losses(*[part.detach() for part in found])
        if self.history.is_due(step + 1):
            self._noted.append(Noted.of(self._last))
        if place + 1 < self._settings.accumulated:
            self._give_revival(self._last)
        return found.loss + self._regularization.penalty()

    def optimizer_step(
        self, epoch: int, batch_idx: int, optimizer: Any, optimizer_closure: Any = None
    ) -> None:
        super().optimizer_step(epoch, batch_idx, optimizer, optimizer_closure)
        # here and not when the batch ends: checkpoints are written before that
        assert self._last is not None
        self._give_revival(self._last)
        if self._noted:
            self._note(batch_idx // self._settings.accumulated + 1)

    def _give_revival(self, found: Losses) -> None:
        if self._revival is not None:
            self._revival.step(found.scaled, found.error, found.code)

    def _note(self, step: int) -> None:
        """Add a point to the history, and log it."""
        loss, active, explained = pooled(self._noted)
        self._noted = []
        if not math.isfinite(loss):
            raise DataError(
                f"data: expected a finite loss, got {loss} at step {step}; look for NaN and "
                f"infinite samples, or lower the learning rate"
            )
        strengths = self._regularization.strengths if self._regularization is not None else {}
        point = {
            "loss": loss,
            "active": active,
            "explained": explained,
            "strength": next(iter(strengths.values()), 0.0),
        }
        revival = self._revival
        idle = 0 if revival is None else int(revival.idle.sum())
        revived = 0 if revival is None else revival.revived
        self.history.add(step, **point, idle=idle, revived=revived)
        shown = {"L0": point["active"], "EV": point["explained"], "λ": point["strength"]}
        self.log_dict(shown | {"idle": float(idle)}, prog_bar=True)

    def configure_optimizers(self) -> Any:
        settings = self._settings
        optimizer = torch.optim.Adam(
            self.parameters(), settings.learning_rate, betas=settings.betas
        )
        rate = torch.optim.lr_scheduler.LambdaLR(
            optimizer, lambda step: settings.rate_at(step, self._steps)
        )
        return [optimizer], [{"scheduler": rate, "interval": "step"}]

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        assert self._regularization is not None
        checkpoint["regularization"] = self._regularization.state_dict()
        checkpoint["revival"] = None if self._revival is None else self._revival.state_dict()
        checkpoint["history"] = self.history.state_dict()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._loaded = checkpoint
        self.history = History.from_state_dict(checkpoint["history"])

    def close(self) -> None:
        """Take the hooks out of the autoencoder."""
        if self._regularization is not None:
            self._regularization.detach()


def _set_active(sae: nn.Module, step: int) -> None:
    """Tell a nonlinearity that counts by itself how many units are to be active."""
    if isinstance(sae.coding, BatchTopK):
        sae.coding.k = number_at(sae.active, step)  # type: ignore[arg-type]
    elif isinstance(sae.coding, TopK):
        sae.coding.k = round(number_at(sae.active, step))  # type: ignore[arg-type]


def _rows(x: Any) -> Tensor:
    """Return a tensor of a batch; one of a crosscoder's sites."""
    first: Tensor = next(iter(x.values())) if isinstance(x, Mapping) else x
    return first


def _joined(parts: Sequence[Any], device: torch.device, of_all: Joined) -> Any:
    """Return the rows of several batches of all processes as one."""
    if isinstance(parts[0], Mapping):
        return {site: _joined([part[site] for part in parts], device, of_all) for site in parts[0]}
    return of_all.gather(torch.cat(list(parts)).to(device))
