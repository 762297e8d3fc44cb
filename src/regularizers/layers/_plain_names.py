"""State dicts of a module alone, loaded into the layer that wraps it."""

from __future__ import annotations

from typing import Any

from torch import nn


def loads_plain_names(wrapper: nn.Module) -> None:
    """Let `wrapper`, whose only child is what it wraps, load a state dict of that child too.

    What it saves has the names of `named_parameters`, so that tools which expect these agree find
    them; `"0.weight"` of a model without the wrapper is then loaded as `"0.module.weight"`.
    """
    wrapper.register_load_state_dict_pre_hook(_add_the_child)  # type: ignore[no-untyped-call]


def _add_the_child(wrapper: nn.Module, state_dict: dict[str, Any], prefix: str, *_: object) -> None:
    ((name, child),) = wrapper.named_children()
    known = {f"{prefix}{name}.{key}": f"{prefix}{key}" for key in child.state_dict()}
    for full, plain in known.items():
        if plain in state_dict and plain not in known and full not in state_dict:
            state_dict[full] = state_dict.pop(plain)
