"""Which axis of an output is time, and what came before its first step."""

from __future__ import annotations

import torch
from torch import Tensor

from regularizers.errors import ConfigurationError, ShapeError
from regularizers.modules import Activation
from regularizers.penalties import Difference, Formula


class InTime:
    """A penalty of differences in time, for whichever axis time is."""

    def __init__(self, term: Difference, site: str) -> None:
        self._term = term
        self._site = site
        self._along = (term.along(0), term.along(1))

    def of(self, activation: Activation) -> Difference:
        """Return the penalty with the axis of time of this output.

        Raises:
            ConfigurationError: neither the penalty nor the module says which axis is time.
            ShapeError: they contradict; or there is no step.
        """
        said, known, ndim = self._term.time_axis, activation.time_axis, activation.x.ndim
        if known is None:
            if said is None:
                raise ConfigurationError(
                    f"{self._site}: time_axis: expected the axis of time, which only recurrent "
                    f"layers and attention say themselves; say time_axis=1, or whichever it is, in "
                    f"the penalty"
                )
            return self._term
        if said is not None and said % ndim != known:
            raise ShapeError(
                f"{self._site}: time_axis: the penalty says {said}, but this layer was made with "
                f"time at axis {known}; leave time_axis out"
            )
        return self._along[known]


def in_time(term: Formula, site: str) -> InTime | None:
    """Return the penalty for any axis of time, if it is one of differences."""
    return InTime(term, site) if isinstance(term, Difference) else None


def with_state_before(activation: Activation, state: Tensor) -> Activation:
    """Return the activation with one more step, before its first."""
    axis = activation.time_axis
    assert axis is not None
    x = torch.cat([state.unsqueeze(axis).to(activation.x.dtype), activation.x], dim=axis)
    mask = activation.mask
    if mask is not None and mask.ndim > axis:
        # a padded first step stays out of every pair
        mask = torch.cat([torch.ones_like(mask.narrow(axis, 0, 1)), mask], dim=axis)
    return activation._replace(x=x, mask=mask)
