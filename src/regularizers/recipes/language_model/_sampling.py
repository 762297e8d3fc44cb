"""Samples text from a network."""

from __future__ import annotations

import torch
from torch import Tensor

from regularizers.recipes.language_model._network import LanguageModel


@torch.no_grad()
def sample(
    network: LanguageModel,
    prompt: Tensor,
    length: int,
    temperature: float,
    seed: int,
    never: int,
) -> list[int]:
    """Return `length` tokens sampled as the continuation of `prompt`.

    Args:
        network: the network, in evaluation mode.
        prompt: at least one token.
        length: the number of tokens to sample.
        temperature: divides the scores; below 1 it favours likely tokens.
        seed: the seed of the samples.
        never: a token that is never sampled.
    """
    generator = torch.Generator().manual_seed(seed)
    drawn: list[int] = []
    state, tokens = None, prompt[:, None]
    while len(drawn) < length:
        scores, state = network(tokens, state)
        scores[-1, 0, never] = -torch.inf
        chances = torch.softmax(scores[-1, 0] / temperature, dim=0)
        token = torch.multinomial(chances, 1, generator=generator)
        drawn.append(int(token))
        tokens = token[:, None]
    return drawn
