"""Brings units that explain next to nothing to directions that many errors share."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch.optim import Optimizer

from regularizers.layers import JumpReLU
from regularizers.sae._active import number_at
from regularizers.sae._autoencoder import SparseAutoencoder
from regularizers.sae._joined import joined_world
from regularizers.sae._residuals import Residuals

IDLE = 0.05
"""Share of the mean unit's part of the reconstruction below which a unit is idle."""

_STARTS = (2, 16)  # errors that directions are sought from: times the idle units, and more
_NORM = 0.5  # of an encoder row, relative to the mean of the others
_RATE = 0.5  # how often a new unit fires, relative to the mean unit
_LATE = 0.7  # part of the training that is not late
_MOST, _MOST_LATE = 1 / 16, 0.01  # share of the units that start anew at a time
_COST = 0.25  # of a firing, relative to what the mean firing explains
_UNTIL = 0.95
_WINDOW = 20  # batches over which the parts of units are averaged
_ROWS = 1024  # of a batch, from which they are estimated


class Revival:
    r"""Aims idle units at what is missing, and starts Adam's state for them.

    A unit is idle if its part of the reconstruction, a moving average of Σ f², is below 5 % of the
    mean unit's; a dead unit is the extreme case. A missing feature mostly sits merged with another
    in one unit, and a single error is too noisy to part the two. A direction that many errors
    share is not: see `Residuals.directions`. A unit starts anew only where the direction would
    explain more than the unit does, each firing counting against it with a quarter of what the mean
    firing explains: few units can be active, and noise is no feature.

    A new unit has that direction in the dictionary, and in the encoder the direction from which a
    regression reads such errors, at half the mean norm; with JumpReLU at less, if that takes more
    error away. It has no bias, and a threshold at which it fires half as often as the mean unit. If
    it would take less away than the idle unit explains, that unit stays as it is.
    Adam's first moments are 0 for it, its second moments the mean of the others.

    Args:
        sae: the autoencoder.
        optimizer: its optimizer; moments of the kind of Adam's and momentum are known.
        steps: the length of the training. Units are looked for until 95 % of it. At most a
            sixteenth of them start anew at a time, and in the last 30 % at most 1 %.
        every: steps between two looks.
        seed: the seed of what is drawn.
        accumulated: batches whose gradients are accumulated for one step of the optimizer. `step`
            is called for each of them, for the last one after the optimizer's step.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> sae = rz.sae.SparseAutoencoder(8, 32, active=2)
        >>> optimizer = torch.optim.Adam(sae.parameters(), 3e-3)
        >>> revival = rz.sae.Revival(sae, optimizer, steps=1000)
        >>> x = torch.randn(64, 8)
        >>> found = sae.losses(x)
        >>> found.loss.backward()
        >>> optimizer.step()
        >>> revival.step(found.scaled, found.error, found.code)
        0
    """

    def __init__(
        self,
        sae: SparseAutoencoder,
        optimizer: Optimizer,
        *,
        steps: int,
        every: int = 25,
        seed: int = 0,
        accumulated: int = 1,
    ) -> None:
        self._sae, self._optimizer = sae, optimizer
        self._steps, self._every, self._accumulated = steps, every, accumulated
        self._joined = joined_world()
        self._generator = torch.Generator().manual_seed(seed)
        self._residuals: Residuals | None = None
        self._energy: Tensor | None = None
        self._batches: list[tuple[Tensor, Tensor, Tensor]] = []
        """Inputs, errors and parts of units, of the batches since the last step."""
        self._rows = 0
        self._step = 0
        self.revived = 0
        """How many units were started anew so far."""

    @property
    def idle(self) -> Tensor:
        """Which units are idle, (units,)."""
        energy = self._energy
        if energy is None:
            return torch.zeros(self._sae.units, dtype=torch.bool)
        return energy < IDLE * energy.mean()

    @torch.no_grad()
    def step(self, scaled: Tensor, error: Tensor, code: Tensor) -> int:
        """Note a batch after the optimizer's step; return how many units started anew.

        Args:
            scaled: as `SparseAutoencoder.losses` returns it, (samples, features).
            error: likewise.
            code: likewise.
        """
        scaled, error, code = scaled.detach(), error.detach(), code.detach()
        rows = len(code) * self._joined.size * self._accumulated
        some = code[:: max(rows // _ROWS, 1)].to(error.dtype)
        self._rows = len(some) * self._joined.size * self._accumulated
        self._batches.append((scaled, error, some.square().sum(0)))
        if len(self._batches) < self._accumulated:
            return 0
        self._note()
        due = self._step % self._every == 0 and self._step <= _UNTIL * self._steps
        return self._revive() if due else 0

    def _note(self) -> None:
        """Keep what is left of the batches of a step, and the parts of units in them."""
        batches, self._batches = self._batches, []
        for scaled, error, _ in batches:
            residuals = self._pool(scaled, error)
            if len(error) == residuals.inputs.shape[1]:  # a last, smaller batch is left out
                residuals.add(scaled - self._sae.offset, error)
        energy = batches[0][2]
        for _, _, more in batches[1:]:
            energy = energy + more
        if self._energy is None:
            self._energy = energy * _WINDOW
        else:
            self._energy.mul_(1 - 1 / _WINDOW).add_(energy)
        self._step += 1

    def _pool(self, scaled: Tensor, error: Tensor) -> Residuals:
        """Return where inputs and errors are kept, made for the first batch."""
        if self._residuals is None:
            size = len(error), scaled.shape[1], error.shape[1]
            self._residuals = Residuals(*size, self._joined, error, self._accumulated)
        return self._residuals

    def _revive(self) -> int:
        assert self._residuals is not None
        assert self._energy is not None
        energy = self._joined.sum(self._energy)
        idle = energy < IDLE * energy.mean()
        most = _MOST_LATE if self._step > _LATE * self._steps else _MOST
        number = min(int(idle.sum()), max(int(most * len(idle)), 1))
        if not number or bool(idle.all()):
            return 0
        share = number_at(self._sae.active, self._step) / len(idle)
        explained = energy / (_WINDOW * self._rows)
        starts = _STARTS[0] * number + _STARTS[1]
        directions, won = self._residuals.directions(
            number, starts, share, _COST * explained.mean().item() / share, self._generator
        )
        units = explained.where(idle, torch.inf).argsort(stable=True)[: len(directions)]
        is_worth = won > explained[units]
        units, directions = units[is_worth], directions[is_worth]
        if not len(units):
            return 0
        units = self._start(units, ~idle, directions, share, explained)
        self._energy[units] = 3 * IDLE * energy.mean() / self._joined.size
        self.revived += len(units)
        return len(units)

    def _start(
        self, units: Tensor, live: Tensor, direction: Tensor, share: float, explained: Tensor
    ) -> Tensor:
        """Give units a direction in the dictionary and in the encoder, and a fresh state.

        Returns:
            Those of them that explain more than before as they start.
        """
        assert self._residuals is not None
        sae = self._sae
        encoder, decoder = sae.encoder, sae.decoder
        rows = self._residuals.entries(direction)
        rows *= _NORM * encoder.weight[live].norm(dim=1).mean()
        least, gain, won = self._residuals.fitted(rows, direction, _RATE * share)
        is_worth = won > explained[units]
        # a smaller code would win no place among the largest of a batch
        gain = gain.clamp(max=1.0) if isinstance(sae.coding, JumpReLU) else torch.ones_like(gain)
        gain, units = gain[is_worth], units[is_worth]
        encoder.weight[units] = gain[:, None] * rows[is_worth]
        encoder.bias[units] = 0.0
        decoder.weight[:, units] = direction[is_worth].T
        started = [(encoder.weight, 0), (encoder.bias, 0), (decoder.weight, 1)]
        if isinstance(sae.coding, JumpReLU):
            threshold = sae.coding.threshold
            threshold[units] = gain * least[is_worth]
            started.append((threshold, 0))
        for parameter, axis in started:
            _start_state(self._optimizer.state.get(parameter, {}), units, live, axis)
        return units

    def state_dict(self) -> dict[str, Any]:
        """Return everything a resumed training needs, after a step of the optimizer."""
        residuals = self._residuals
        return {
            "step": self._step,
            "revived": self.revived,
            "energy": self._energy,
            "generator": self._generator.get_state(),
            "inputs": None if residuals is None else residuals.inputs,
            "errors": None if residuals is None else residuals.errors,
            "seen": 0 if residuals is None else residuals.seen,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Go on from what `state_dict` returned."""
        self._step, self.revived = state["step"], state["revived"]
        self._generator.set_state(state["generator"])
        self._energy = None if state["energy"] is None else state["energy"].clone()
        self._residuals = None
        if state["inputs"] is not None:
            inputs, errors = state["inputs"], state["errors"]
            size = inputs.shape[1], inputs.shape[2], errors.shape[2]
            self._residuals = Residuals(*size, self._joined, errors, self._accumulated)
            self._residuals.inputs = inputs.clone()
            self._residuals.errors = errors.clone()
            self._residuals.seen = state["seen"]


def _start_state(state: dict[str, Any], units: Tensor, live: Tensor, axis: int) -> None:
    """Start an optimizer's state of some units: no momentum, the mean second moment of others."""
    for name, value in state.items():
        if not isinstance(value, Tensor) or value.ndim <= axis:
            continue
        value = value.movedim(axis, 0)
        if name in ("exp_avg_sq", "max_exp_avg_sq", "square_avg"):
            value[units] = value[live].mean(0)
        elif name in ("exp_avg", "momentum_buffer"):
            value[units] = 0
