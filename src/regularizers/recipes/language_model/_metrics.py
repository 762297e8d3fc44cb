"""Metrics of a network that reads a text from end to end."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import cross_entropy

from regularizers.recipes.language_model._network import LanguageModel, State
from regularizers.recipes.language_model._windows import streams_of

_STREAMS = 10
_AT_ONCE = 100


@dataclass(frozen=True)
class Metrics:
    """The perplexity of a text, and norms of the last layer's states."""

    perplexity: float
    """exp of the mean negative log-likelihood of a token."""

    norm: float
    """Root mean square of ‖h[t]‖, over steps and streams."""

    change: float
    """Root mean square of ‖h[t+1] − h[t]‖."""

    bits_per_byte: float | None = None
    """Negative log-likelihood of all tokens, in bits, over the bytes of UTF-8 that they stand for.
    Unlike perplexity it compares vocabularies. None where a token is `<unk>`, which stands for
    none."""


@torch.no_grad()
def measure(
    network: LanguageModel, tokens: Tensor, streams: int = _STREAMS, *, covered: int | None = None
) -> Metrics:
    """Return the metrics of `network` on a text, in evaluation, carrying its state.

    Every token but the first is predicted once; each stream starts without a state.

    Args:
        network: the network; its mode is restored.
        tokens: the text, at least two tokens.
        streams: the number of parts of the text that are read in parallel.
        covered: the bytes of UTF-8 that all tokens but the first stand for, if that is known.
    """
    was_training = network.training
    network.eval()
    surprise = size = change = 0.0
    steps = pairs = 0
    for inputs, targets, states, before in _walk(network, tokens, min(streams, len(tokens) - 1)):
        scores = network.predict(states).flatten(0, 1)
        surprise += cross_entropy(scores, targets.flatten(), reduction="sum").item()
        size += states.square().sum().item()
        joined = states if before is None else torch.cat([before, states])
        change += joined.diff(dim=0).square().sum().item()
        steps += inputs.numel()
        pairs += (len(joined) - 1) * joined.shape[1]
    network.train(was_training)
    return Metrics(
        perplexity=_exp(surprise / steps),
        norm=math.sqrt(size / steps),
        change=math.sqrt(change / max(pairs, 1)),
        bits_per_byte=surprise / math.log(2) / covered if covered else None,
    )


def _walk(
    network: LanguageModel, tokens: Tensor, streams: int
) -> Iterator[tuple[Tensor, Tensor, Tensor, Tensor | None]]:
    """Yield inputs, targets, their states, and the states of the previous step."""
    inputs, targets = streams_of(tokens, streams)
    state: State | None = None
    before: Tensor | None = None
    for x, y in zip(*[torch.split(t, _AT_ONCE) for t in (inputs, targets)], strict=True):
        states, state = network.read(x, state)
        yield x, y, states, before
        before = states[-1:]
    rest = tokens[inputs.numel() :]
    if len(rest) > 1 and state is not None and before is not None:
        # too few tokens for one more step of all streams: the last stream continues alone
        alone = tuple((hidden[:, -1:], cell[:, -1:]) for hidden, cell in state)
        states, _ = network.read(rest[:-1, None], alone)
        yield rest[:-1, None], rest[1:, None], states, before[:, -1:]


def _exp(x: float) -> float:
    """Return e^x, or inf on overflow."""
    return math.exp(x) if x < 700 else math.inf
