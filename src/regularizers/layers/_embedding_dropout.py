"""Dropout of whole words."""

from __future__ import annotations

from torch import Tensor, nn

from regularizers.errors import ConfigurationError
from regularizers.layers._noise import RatedNoise
from regularizers.layers._unwrapped_state_dict import accept_unwrapped_state_dict


class EmbeddingDropout(RatedNoise):
    r"""Looks up words in an embedding; a dropped word is zero wherever it occurs.

    .. math:: y_t = \frac{m_{w_t}}{1 - r} E_{w_t}, \qquad m_w \sim \mathrm{Bernoulli}(1 - r)

    Each forward draws one number for each word of the vocabulary, and multiplies the rows that were
    looked up by it. Output and gradient are those of a lookup in the dropped table, without the
    cost of copying the table. In evaluation it is the embedding.

    The embedding keeps its parameter, as `embedding.weight`: a head that is tied to it uses the
    whole table. `padding_idx`, `scale_grad_by_freq` and `sparse` work as in `nn.Embedding`;
    `max_norm` limits the table before words are dropped. A state dict of the embedding alone loads
    too.

    Args:
        embedding: the `nn.Embedding`.
        rate: r, the fraction of words that is dropped, in [0, 1).
        p: PyTorch's name for the rate; one of the two is given.

    Shape:
        Indices of any shape; the output is `(*indices, dimensions)`, in the type of the table.

    Raises:
        ConfigurationError: a rate outside [0, 1), both a rate and p, or a module that is not an
            `nn.Embedding`.

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
    networks", 2016, `arXiv:1512.05287 <https://arxiv.org/abs/1512.05287>`__, section 4.2; Merity,
    Keskar, Socher, 2017, `arXiv:1708.02182 <https://arxiv.org/abs/1708.02182>`__.
    """

    def __init__(
        self, embedding: nn.Embedding, rate: float | None = None, *, p: float | None = None
    ) -> None:
        super().__init__(rate, p=p)
        if not isinstance(embedding, nn.Embedding):
            raise ConfigurationError(
                f"EmbeddingDropout: expected an nn.Embedding, got "
                f"{type(embedding).__name__}; for the words of nn.EmbeddingBag, drop the indices"
            )
        self.embedding = embedding
        accept_unwrapped_state_dict(self)

    def forward(self, words: Tensor) -> Tensor:
        """Return the rows of `words`; in training, those of dropped words are zero."""
        rows: Tensor = self.embedding(words)
        if not self.draws:
            return rows
        self.check(rows)
        return rows * self.noise(rows).to(rows.dtype)[words]

    def noise(self, x: Tensor) -> Tensor:
        """Return one factor for each word, of shape (vocabulary, 1), for rows `x`."""
        return self.mask(x, (self.embedding.num_embeddings, 1))
