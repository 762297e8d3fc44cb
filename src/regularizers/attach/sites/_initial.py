"""The weights at the start of a run, which rules with `towards="initial"` are measured from."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.hooks import RemovableHandle

from regularizers.attach.sites._kept import Kept
from regularizers.attach.sites._parameter import Parameter
from regularizers.errors import ConfigurationError, RegimeError
from regularizers.modules import OnLoad

_KEY = "initial"


class InitialWeights:
    """Copies of weights, by name, as they were when each became a site.

    Args:
        model: the model. A state that it loads before the first use is either that of a run which
            goes on, whose initial weights were others, or the weights that were meant.
    """

    def __init__(self, model: nn.Module) -> None:
        self._model = model
        self._kept: dict[str, Kept] = {}
        self._used = self._loaded = False

    def attach(self) -> list[RemovableHandle]:
        """Register the hook that detects a state that the model loads, if there are weights."""
        if not self._kept:
            return []
        return [self._model.register_load_state_dict_post_hook(OnLoad(self.model_loaded))]  # type: ignore[no-untyped-call]

    def model_loaded(self) -> None:
        """Record that the model has loaded a state."""
        self._loaded = not self._used

    def take(self, parameter: Parameter) -> Kept:
        """Return the weight as it is now; as it was if it has been taken before.

        Raises:
            RegimeError: the weight has no values yet.
        """
        name = parameter.full_name
        if name not in self._kept:
            with torch.no_grad():
                weight = parameter.read()
            if weight.is_meta:
                raise RegimeError(
                    f"{name}: towards='initial' copies the weight, which has no values on the meta "
                    f"device; make the Regularization after the model has its weights"
                )
            self._kept[name] = Kept(weight, "towards")
        return self._kept[name]

    def use(self) -> None:
        """Begin or go on with training.

        Raises:
            RegimeError: the model has loaded a state since the weights were taken.
        """
        if self._loaded:
            raise RegimeError(
                f"{min(self._kept)}: the model has loaded a state after this Regularization took "
                f"its weights as those of towards='initial'; to go on with a run restore its "
                f"reg.load_state_dict(state), and to begin one make the Regularization after "
                f"model.load_state_dict()"
            )
        self._used = True

    def state(self) -> dict[str, dict[str, Tensor]]:
        """Return the entry of `state_dict`; empty if no weights are kept."""
        tensors = {name: kept.tensor for name, kept in self._kept.items()}
        return {_KEY: tensors} if tensors else {}

    def checked(self, state: Mapping[str, Any]) -> dict[str, Tensor]:
        """Return the weights in a state.

        Raises:
            ConfigurationError: one is missing, or does not fit.
        """
        saved = state.get(_KEY, {}) if isinstance(state, Mapping) else {}
        for name, kept in self._kept.items():
            tensor = saved.get(name)
            if not isinstance(tensor, Tensor) or tensor.shape != kept.tensor.shape:
                got = tuple(tensor.shape) if isinstance(tensor, Tensor) else "none"
                raise ConfigurationError(
                    f"load_state_dict: {name}: its rule has towards='initial', so the state must "
                    f"hold its initial weight of shape {tuple(kept.tensor.shape)}, got {got}; "
                    f"save reg.state_dict() of the run that goes on, or give towards= the weights"
                )
        return {name: saved[name] for name in self._kept}

    def restore(self, tensors: Mapping[str, Tensor]) -> None:
        """Measure from these weights from now on."""
        for name, tensor in tensors.items():
            self._kept[name].replace(tensor)
        self._loaded = False
