"""Lets a wrapper layer load a state dict of the module that it wraps."""

from __future__ import annotations

from typing import Any

from torch import nn


def accept_unwrapped_state_dict(wrapper: nn.Module) -> None:
    """Let `wrapper`, which has one child, also load a state dict of that child.

    The wrapper saves the names of `named_parameters`, as tools expect. A state dict that was saved
    without the wrapper has `"0.weight"` instead, which loads as `"0.module.weight"`.
    """
    wrapper.register_load_state_dict_pre_hook(_add_wrapper_prefix)  # type: ignore[no-untyped-call]


def _add_wrapper_prefix(
    wrapper: nn.Module, state_dict: dict[str, Any], prefix: str, *_: object
) -> None:
    ((name, child),) = wrapper.named_children()
    known = {f"{prefix}{name}.{key}": f"{prefix}{key}" for key in child.state_dict()}
    for full, plain in known.items():
        if plain in state_dict and plain not in known and full not in state_dict:
            state_dict[full] = state_dict.pop(plain)
