"""Samples text from a network."""

from __future__ import annotations

import torch
from torch import Tensor

from regularizers.errors import ConfigurationError
from regularizers.recipes.language_model._network import LanguageModel


@torch.no_grad()
def sample(
    network: LanguageModel,
    prompt: Tensor,
    length: int,
    temperature: float,
    seed: int,
    never: int | None,
) -> list[int]:
    """Return `length` tokens sampled as the continuation of `prompt`.

    Args:
        network: the network, in evaluation mode.
        prompt: at least one token.
        length: the number of tokens to sample.
        temperature: divides the scores; below 1 it favours likely tokens.
        seed: the seed of the samples.
        never: a token that is never sampled, if there is one.

    Raises:
        ConfigurationError: the network's scores are not finite.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn: list[int] = []
    state, tokens = None, prompt[:, None]
    while len(drawn) < length:
        scores, state = network(tokens, state)
        last = scores[-1, 0]
        if not last.isfinite().all():
            raise ConfigurationError(
                "expected finite scores of what comes next, got others: the network's training "
                "diverged; train it with a smaller --learning-rate"
            )
        if never is not None:
            last[never] = -torch.inf
        # less the largest, and in float64: a low temperature would overflow
        chances = torch.softmax((last - last.max()).double() / temperature, dim=0)
        token = torch.multinomial(chances, 1, generator=generator)
        drawn.append(int(token))
        tokens = token[:, None]
    return drawn
