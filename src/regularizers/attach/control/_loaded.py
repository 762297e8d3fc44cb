"""Detects a model that was restored without the strengths of its penalties."""

from __future__ import annotations

import warnings

from torch import nn
from torch.utils.hooks import RemovableHandle

from regularizers.modules import OnLoad


class Loaded:
    """Detects that the model loads a state before the first step.

    Args:
        model: the model.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._model_only = False

    def attach(self) -> list[RemovableHandle]:
        """Register the hook."""
        return [self._model.register_load_state_dict_post_hook(OnLoad(self.model_loaded))]  # type: ignore[no-untyped-call]

    def model_loaded(self) -> None:
        """Record that the model has loaded a state."""
        self._model_only = True

    def strengths_restored(self) -> None:
        """Record that the strengths were restored too."""
        self._model_only = False

    def warn(self) -> None:
        """Warn at the first step if the model was restored and the strengths were not."""
        if self._model_only:
            self._model_only = False
            warnings.warn(
                "the model's state was loaded, and the strengths of this Regularization begin at "
                "their first step; to go on with a run, save reg.state_dict() beside the model's "
                "state, and restore it with reg.load_state_dict()",
                stacklevel=4,
            )
