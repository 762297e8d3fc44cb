"""Which axis of what an attention module puts out is the batch."""

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
"""Modules of (batch, tokens, width), or of (tokens, batch, width), as `batch_first` says."""

_FORWARDS = {kind.forward for kind in ATTENTION}


def is_batch_first(module: nn.Module) -> bool | None:
    """Return whether an attention module puts the batch before the tokens; None if unknown."""
    if isinstance(module, _STACKS):
        # a layer of the user's own may not say it
        module = next(iter(module.layers), module)
    if not isinstance(module, (nn.MultiheadAttention, nn.Transformer)):
        module = getattr(module, "self_attn", module)
    said = getattr(module, "batch_first", None)
    return said if isinstance(said, bool) else None


def takes_single_sequences(module: nn.Module) -> bool:
    """Return whether two axes are (tokens, width): a forward of the user's own may pool tokens."""
    return type(module).forward in _FORWARDS
