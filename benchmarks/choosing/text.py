"""AR and TAR: a small recurrent language model of Python's documentation."""

from __future__ import annotations

import math
import re
from collections import Counter
from functools import cache
from pydoc_data.topics import topics

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

import regularizers as rz

SWEEPS: dict[str, tuple[float, ...]] = {
    "AR": (0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
    "TAR": (0.1, 0.3, 1.0, 3.0, 10.0, 30.0),
}

UNITS, STREAMS, WINDOW, EPOCHS, RATE = 100, 20, 35, 5, 1e-2
TOKENS, RARE = 30_000, 3


class Model(nn.Module):
    """An LSTM between an embedding and its transpose, with the same dropout mask at all steps."""

    def __init__(self, words: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(words, UNITS)
        self.input = rz.layers.LockedDropout(0.25)
        self.lstm = nn.LSTM(UNITS, UNITS)
        self.output = rz.layers.LockedDropout(0.25)
        self.decoder = nn.Linear(UNITS, words)
        nn.init.uniform_(self.embedding.weight, -0.1, 0.1)
        self.decoder.weight = self.embedding.weight

    def forward(
        self, tokens: Tensor, state: tuple[Tensor, Tensor] | None
    ) -> tuple[Tensor, Tensor, tuple[Tensor, Tensor]]:
        """Return the scores of the next token, the states before dropout, and the last state."""
        states, (h, c) = self.lstm(self.input(self.embedding(tokens)), state)
        return self.decoder(self.output(states)), states, (h.detach(), c.detach())


@cache
def text() -> tuple[Tensor, Tensor, int]:
    """Return the training text, the validation text that follows it, and the number of words."""
    tokens = re.findall(r"\w+|[^\w\s]", "\n".join(topics.values()))[:TOKENS]
    cut = int(0.85 * TOKENS)
    counts = Counter(tokens[:cut])
    number = {word: i for i, (word, count) in enumerate(counts.most_common(), 1) if count >= RARE}
    numbered = torch.tensor([number.get(word, 0) for word in tokens])
    return numbered[:cut], numbered[cut:], len(number) + 1


def trained(name: str, strength: float, seed: int) -> dict[str, float]:
    """Return the figures of a model trained with AR or TAR; 0 is neither."""
    training, validation, words = text()
    torch.manual_seed(seed)
    model = Model(words)
    rule = rz.ar(strength, where="output") if name == "AR" else rz.tar(strength, where="lstm")
    reg = rz.Regularization(model, [rule]) if strength else None
    optimizer = torch.optim.AdamW(model.parameters(), RATE, betas=(0.9, 0.99), weight_decay=0.01)
    x, y = _streams(training, STREAMS)
    windows = len(x) // WINDOW
    rate = torch.optim.lr_scheduler.OneCycleLR(
        optimizer, RATE, total_steps=EPOCHS * windows, pct_start=0.15
    )
    for _ in range(EPOCHS):
        state = None
        for start in range(0, windows * WINDOW, WINDOW):
            scores, _, state = model(x[start : start + WINDOW], state)
            loss = cross_entropy(scores.flatten(0, 1), y[start : start + WINDOW].flatten())
            optimizer.zero_grad()
            (loss if reg is None else loss + reg.penalty()).backward()
            nn.utils.clip_grad_norm_(model.parameters(), 0.25)
            optimizer.step()
            rate.step()
    return _measured(model, validation)


@torch.no_grad()
def _measured(model: Model, validation: Tensor) -> dict[str, float]:
    model.eval()
    x, y = _streams(validation, 10)
    scores, states, _ = model(x, None)
    return {
        "perplexity": math.exp(cross_entropy(scores.flatten(0, 1), y.flatten()).item()),
        "step change": states.diff(dim=0).square().sum(dim=-1).mean().sqrt().item(),
        "norm": states.square().sum(dim=-1).mean().sqrt().item(),
    }


def _streams(tokens: Tensor, count: int) -> tuple[Tensor, Tensor]:
    steps = (len(tokens) - 1) // count
    x, y = [part[: steps * count].view(count, steps).T for part in (tokens[:-1], tokens[1:])]
    return x, y
