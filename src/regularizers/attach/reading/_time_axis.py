"""The time axis of an output, and the state before its first step."""

from __future__ import annotations

import torch
from torch import Tensor

from regularizers.errors import ConfigurationError, ShapeError
from regularizers.modules import Activation
from regularizers.penalties import Difference, Formula


class TimeDifference:
    """A penalty of differences in time, for outputs with either time axis."""

    def __init__(self, term: Difference, site: str) -> None:
        self._term = term
        self._site = site
        self._along = (term.along(0), term.along(1))

    def along_time(self, activation: Activation) -> Difference:
        """Return the penalty along the time axis of an output.

        Raises:
            ConfigurationError: neither the penalty nor the module states the time axis.
            ShapeError: they state different axes.
        """
        stated, known, ndim = self._term.time_axis, activation.time_axis, activation.x.ndim
        if known is None:
            if stated is None:
                raise ConfigurationError(
                    f"{self._site}: time_axis: expected the axis of time, got None; only recurrent "
                    f"layers and attention state it themselves; set it in the penalty, for example "
                    f"time_axis=1"
                )
            return self._term
        if stated is not None and stated % ndim != known:
            raise ShapeError(
                f"{self._site}: time_axis: the penalty says {stated}, but this layer was made with "
                f"time at axis {known}; leave time_axis out"
            )
        return self._along[known]


def time_difference(term: Formula, site: str) -> TimeDifference | None:
    """Return the penalty for either time axis; None for another penalty."""
    return TimeDifference(term, site) if isinstance(term, Difference) else None


def with_initial_state(activation: Activation, state: Tensor) -> Activation:
    """Return the activation with the initial state as one more step, before its first."""
    axis = activation.time_axis
    assert axis is not None
    x = torch.cat([state.unsqueeze(axis).to(activation.x.dtype), activation.x], dim=axis)
    mask = activation.mask
    if mask is not None and mask.ndim > axis:
        # the new step counts; a pair with a padded step still does not
        mask = torch.cat([torch.ones_like(mask.narrow(axis, 0, 1)), mask], dim=axis)
    return activation._replace(x=x, mask=mask)
