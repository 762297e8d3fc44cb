"""The network: the AWD-LSTM."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

import regularizers as rz
from regularizers.recipes.language_model._sizes import Dropouts

State = tuple[tuple[Tensor, Tensor], ...]
"""The hidden and cell state of each recurrent layer, each of shape (1, streams, units)."""


class LanguageModel(nn.Module):
    """Recurrent layers between an embedding and its transpose, dropped in five places.

    Args:
        words: how many the vocabulary has.
        embedding: units of an embedded word, and of the last recurrent layer.
        hidden: units of the other recurrent layers.
        layers: recurrent layers.
        dropouts: the rates.

    Shape:
        (steps, streams) to (steps, streams, words): the scores of what comes next.

    Source: Merity, Keskar and Socher, "Regularizing and optimizing LSTM language models", 2017,
    arXiv 1708.02182.
    """

    def __init__(
        self, words: int, embedding: int, hidden: int, layers: int, dropouts: Dropouts
    ) -> None:
        super().__init__()
        self.shape = {"words": words, "embedding": embedding, "hidden": hidden, "layers": layers}
        units = [embedding, *[hidden] * (layers - 1), embedding]
        self.embedding = rz.layers.EmbeddingDropout(
            nn.Embedding(words, embedding), dropouts.embedding
        )
        self.input_dropout = rz.layers.LockedDropout(dropouts.input)
        self.recurrent = nn.ModuleList(
            rz.layers.WeightDrop(nn.LSTM(before, after), ["weight_hh_l0"], dropouts.weight)
            for before, after in pairwise(units)
        )
        self.hidden_dropouts = nn.ModuleList(
            rz.layers.LockedDropout(dropouts.hidden) for _ in range(layers - 1)
        )
        self.output_dropout = rz.layers.LockedDropout(dropouts.output)
        self.decoder = nn.Linear(embedding, words)
        with torch.no_grad():
            self.embedding.embedding.weight.uniform_(-0.1, 0.1)
            self.decoder.bias.zero_()
        self.decoder.weight = self.embedding.embedding.weight

    @property
    def last_layer(self) -> nn.LSTM:
        """The recurrent layer whose states the scores are computed from."""
        layer = self.recurrent[-1].module
        assert isinstance(layer, nn.LSTM)
        return layer

    def read(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return the last layer's states at all steps, before dropout, and the final state."""
        x = self.input_dropout(self.embedding(tokens))
        after = []
        for i, layer in enumerate(self.recurrent):
            x, layer_state = layer(x, None if state is None else state[i])
            after.append(layer_state)
            if i < len(self.hidden_dropouts):
                x = self.hidden_dropouts[i](x)
        return x, tuple(after)

    def predict(self, states: Tensor) -> Tensor:
        """Return the scores of the next token after each state."""
        scores: Tensor = self.decoder(self.output_dropout(states))
        return scores

    def forward(self, tokens: Tensor, state: State | None = None) -> tuple[Tensor, State]:
        """Return the scores of the next token after each token, and the final state."""
        states, after = self.read(tokens, state)
        return self.predict(states), after


def detached(state: State) -> State:
    """Return the state detached from its graph."""
    return tuple((hidden.detach(), cell.detach()) for hidden, cell in state)
