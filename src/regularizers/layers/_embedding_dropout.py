"""Dropout of whole words."""

from __future__ import annotations

import array_api_compat.torch as xp
import torch
from torch import Tensor, nn

from regularizers.errors import ConfigurationError
from regularizers.functional.noise import dropout_noise
from regularizers.layers._noise import NoiseLayer, wide
from regularizers.layers._plain_names import loads_plain_names


class EmbeddingDropout(NoiseLayer):
    r"""Looks words up in an embedding, some of which are dropped wherever they are used.

    .. math:: y_t = \frac{m_{w_t}}{1 - r} E_{w_t}, \qquad m_w \sim \mathrm{Bernoulli}(1 - r)

    In each forward one number is drawn for each word of the vocabulary. What has been looked up is
    multiplied by it, which is the same as looking up in the dropped table, for the gradient too,
    and costs nothing in proportion to the table. In evaluation it is the embedding.

    The embedding keeps its parameter, as `embedding.weight`: a head that is tied to it uses the
    whole table. `padding_idx`, `scale_grad_by_freq` and `sparse` mean what they mean there;
    `max_norm` is about the table before words are dropped. A state dict of the embedding alone
    loads too.

    Args:
        embedding: the `nn.Embedding`.
        rate: r, the share of words that is dropped, in [0, 1).

    Shape:
        Indices of any shape; the output is (*indices, dimensions), in the type of the table.

    Raises:
        ConfigurationError: a rate outside [0, 1), or what is no `nn.Embedding`.

    Example:
        >>> import regularizers as rz
        >>> import torch
        >>> from torch import nn
        >>> _ = torch.manual_seed(0)
        >>> table = nn.Embedding.from_pretrained(torch.ones(10, 2))
        >>> rz.layers.EmbeddingDropout(table, 0.5)(torch.tensor([1, 0, 1, 2]))
        tensor([[2., 2.],
                [0., 0.],
                [2., 2.],
                [0., 0.]])

    Source: Gal, Ghahramani, "A theoretically grounded application of dropout in recurrent neural
    networks", 2016, arXiv 1512.05287, section 4.2; Merity, Keskar, Socher, 2017, arXiv 1708.02182.
    """

    def __init__(self, embedding: nn.Embedding, rate: float) -> None:
        super().__init__(rate)
        if not isinstance(embedding, nn.Embedding):
            raise ConfigurationError(
                f"EmbeddingDropout: expected an nn.Embedding, got "
                f"{type(embedding).__name__}; for the words of nn.EmbeddingBag, drop the indices"
            )
        self.embedding = embedding
        loads_plain_names(self)

    def forward(self, words: Tensor) -> Tensor:
        """Return the rows of `words`, some of them zero; in evaluation, those of the embedding."""
        rows: Tensor = self.embedding(words)
        if not self.draws:
            return rows
        self.check(rows)
        return rows * self.noise(rows).to(rows.dtype)[words]

    def noise(self, x: Tensor) -> Tensor:
        """Return one number for each word, (vocabulary, 1), for rows like `x`."""
        shape = (self.embedding.num_embeddings, 1)
        u = torch.rand(shape, dtype=wide(x), device=x.device)
        noise: Tensor = dropout_noise(xp, u, self.rate)
        return noise
