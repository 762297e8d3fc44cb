"""The batch axis of the outputs of attention modules."""

from __future__ import annotations

from torch import nn

_STACKS = (nn.TransformerEncoder, nn.TransformerDecoder)

ATTENTION = (
    nn.MultiheadAttention,
    nn.TransformerEncoderLayer,
    nn.TransformerDecoderLayer,
    *_STACKS,
    nn.Transformer,
)
"""Their outputs are (batch, tokens, width) if `batch_first`, else (tokens, batch, width)."""

_FORWARDS = {module_type.forward for module_type in ATTENTION}


def is_batch_first(module: nn.Module) -> bool | None:
    """Return `batch_first` of an attention module; None if it has no such attribute."""
    if isinstance(module, _STACKS):
        # a custom layer may lack the attribute
        module = next(iter(module.layers), module)
    if not isinstance(module, (nn.MultiheadAttention, nn.Transformer)):
        module = getattr(module, "self_attn", module)
    batch_first = getattr(module, "batch_first", None)
    return batch_first if isinstance(batch_first, bool) else None


def takes_single_sequences(module: nn.Module) -> bool:
    """Return whether an output of two axes is (tokens, width); a custom forward may pool tokens."""
    return type(module).forward in _FORWARDS
