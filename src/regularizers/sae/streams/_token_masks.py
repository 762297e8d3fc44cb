"""Which tokens of a batch of data count: by its attention mask, a function, and special tokens."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import torch
from torch import Tensor

from regularizers.errors import ConfigurationError, DataError
from regularizers.modules import describe

BatchMask: TypeAlias = Callable[[Any], Tensor | None]
"""Maps a batch of data to a boolean tensor (batch, tokens), True where it counts; None: all do."""


@dataclass(frozen=True)
class TokenMask:
    """A function of a batch, by default its attention mask, and tokens that never count."""

    function: BatchMask | None
    excluded: tuple[int, ...]

    def __post_init__(self) -> None:
        if self.function is not None and not callable(self.function):
            raise ConfigurationError(
                f"mask: expected a function of a batch of the data that returns a boolean tensor "
                f"(batch, tokens), got {describe(self.function)}"
            )
        for token in self.excluded:
            if type(token) is not int:
                raise ConfigurationError(
                    f"exclude_tokens: expected token ids, which are integers, got {token!r}"
                )

    def of(self, batch: Any) -> Tensor | None:
        """Return which tokens of a batch count; None if all do.

        Raises:
            DataError: the function returns no boolean tensor, or the batch holds no token ids.
            ConfigurationError: the batch is for an encoder and a decoder, and no function says
                whose tokens are read.
        """
        counted = _attended(batch) if self.function is None else self.function(batch)
        if counted is not None and not (
            isinstance(counted, Tensor) and counted.dtype == torch.bool
        ):
            raise DataError(
                f"mask: expected a boolean tensor (batch, tokens), True where a token counts, got "
                f"{describe(counted)}; return `mask != 0`"
            )
        if not self.excluded:
            return counted
        tokens = _token_ids(batch)
        kept = ~torch.isin(tokens, torch.tensor(self.excluded, device=tokens.device))
        if counted is None:
            return kept
        if counted.shape != kept.shape:
            raise DataError(
                f"exclude_tokens: expected a mask of the shape of the token ids, "
                f"{tuple(kept.shape)}, got {tuple(counted.shape)}"
            )
        return kept & counted.to(kept.device)


def _attended(batch: Any) -> Tensor | None:
    if not isinstance(batch, Mapping) or batch.get("attention_mask") is None:
        return None
    decoder = [key for key in batch if str(key).startswith("decoder_")]
    if decoder:
        raise ConfigurationError(
            f"mask: the batch has an attention_mask, of the encoder's tokens, and {decoder[0]!r}; "
            f"say whose are read: activations(..., mask=lambda batch: batch['attention_mask'] != 0)"
        )
    counted: Tensor = batch["attention_mask"] != 0
    return counted


def _token_ids(batch: Any) -> Tensor:
    if isinstance(batch, Mapping):
        tokens = batch.get("input_ids")
    else:
        tokens = batch[0] if isinstance(batch, (tuple, list)) and batch else batch
    if not isinstance(tokens, Tensor) or tokens.is_floating_point() or tokens.is_complex():
        raise DataError(
            f"exclude_tokens: expected a batch with 'input_ids', or one of token ids, got "
            f"{describe(batch)}; leave special tokens out with mask=FUNCTION of the batch"
        )
    return tokens
