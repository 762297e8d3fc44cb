"""Text that a network makes up."""

from __future__ import annotations

import torch
from torch import Tensor

from regularizers.recipes.language_model._network import LanguageModel


@torch.no_grad()
def continued(
    network: LanguageModel,
    prompt: Tensor,
    length: int,
    temperature: float,
    seed: int,
    never: int,
) -> list[int]:
    """Return `length` tokens that go on from `prompt`, each drawn by its probability.

    Args:
        network: in evaluation mode.
        prompt: a text of numbers, at least one.
        length: tokens to draw.
        temperature: divides the scores: below 1 likely tokens are likelier still.
        seed: of the draws.
        never: a token that is not drawn.
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
