"""Small models and data for streams, and rows read by a hook written by hand."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Tokens(nn.Module):
    """Embeddings and two blocks with a residual stream; one module of its own for each part."""

    def __init__(self) -> None:
        super().__init__()
        self.embed = nn.Embedding(11, 8)
        self.blocks = nn.Sequential(*[block() for _ in range(2)])
        self.head = nn.Linear(8, 11)

    def forward(self, input_ids: Tensor, attention_mask: Tensor | None = None) -> Tensor:
        x = self.embed(input_ids)
        for one in self.blocks:
            x = one(x, src_key_padding_mask=None if attention_mask is None else attention_mask == 0)
        return self.head(x)


def block() -> nn.Module:
    return nn.TransformerEncoderLayer(8, 2, 16, dropout=0.5, batch_first=True)


def text(batches: int = 3, size: int = 4, tokens: int = 6) -> list[dict[str, Tensor]]:
    """Return dictionaries of padded token ids and their masks, each sequence of another length."""
    generator = torch.Generator().manual_seed(1)
    data = []
    for _ in range(batches):
        ids = torch.randint(1, 11, (size, tokens), generator=generator)
        lengths = torch.randint(1, tokens + 1, (size, 1), generator=generator)
        counted = torch.arange(tokens) < lengths
        data.append({"input_ids": ids * counted, "attention_mask": counted.long()})
    return data


def by_hook(model: nn.Module, module: nn.Module, run) -> Tensor:
    """Return the output of a module in evaluation, while `run` calls the model."""
    outputs = []
    handle = module.register_forward_hook(lambda *args: outputs.append(args[2]))
    modes = {m: m.training for m in model.modules()}
    model.eval()
    torch.backends.mha.set_fastpath_enabled(False)
    with torch.no_grad():
        run()
    torch.backends.mha.set_fastpath_enabled(True)
    handle.remove()
    for m, training in modes.items():
        m.training = training
    (output,) = outputs
    return output


def sorted_rows(batches) -> list[list[float]]:
    """Return all rows of the batches, sorted, so that orders can differ."""
    return sorted(torch.cat(list(batches)).tolist())


def all_equal(ones, others) -> bool:
    """Return whether two lists of batches are the same to the bit."""
    return len(ones) == len(others) and all(map(same, ones, others))


def same(one, other) -> bool:
    if isinstance(one, dict):
        return list(one) == list(other) and all(same(one[n], other[n]) for n in one)
    return one.dtype == other.dtype and torch.equal(one, other)
