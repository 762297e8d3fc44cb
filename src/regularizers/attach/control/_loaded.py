"""Whether a model was restored, and the strengths of its penalties were not."""

from __future__ import annotations

import warnings

from torch import nn
from torch.utils.hooks import RemovableHandle

from regularizers.modules import OnLoad


class Loaded:
    """Knows of the model's states that are loaded before the first step.

    Args:
        model: the model.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._is_waiting = False

    def attach(self) -> list[RemovableHandle]:
        """Put the hook in."""
        return [self._model.register_load_state_dict_post_hook(OnLoad(self.note))]  # type: ignore[no-untyped-call]

    def note(self) -> None:
        """Know of a state of the model."""
        self._is_waiting = True

    def settle(self) -> None:
        """Know that the strengths were restored too."""
        self._is_waiting = False

    def warn(self) -> None:
        """Warn at a first step if the strengths begin anew, though the model does not."""
        if self._is_waiting:
            self._is_waiting = False
            warnings.warn(
                "the model's state was loaded, and the strengths of this Regularization begin at "
                "their first step; to go on with a run, save reg.state_dict() beside the model's "
                "state, and restore it with reg.load_state_dict()",
                stacklevel=4,
            )
