"""A small causal language model of bytes, trained here: what is read, and what it costs to edit."""

from __future__ import annotations

import sys
from pathlib import Path

import torch
from benchmarks.sae.real.text import BEGIN, windows
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, scaled_dot_product_attention

WIDTH, HIDDEN, HEADS, LAYERS, CONTEXT = 64, 128, 4, 4, 128
BATCH, RATE, STEPS = 32, 3e-3, 1200
SITES = {"residual": "blocks.1", "mlp": "blocks.1.mlp.1"}
"""The residual stream after two of four blocks, and the hidden units of the second's MLP."""


class Block(nn.Module):
    """Causal attention, then an MLP, each added to what it reads through a norm."""

    def __init__(self) -> None:
        super().__init__()
        self.before_attention, self.before_mlp = nn.LayerNorm(WIDTH), nn.LayerNorm(WIDTH)
        self.qkv, self.out = nn.Linear(WIDTH, 3 * WIDTH), nn.Linear(WIDTH, WIDTH)
        self.mlp = nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, WIDTH))

    def forward(self, x: Tensor) -> Tensor:
        """Return the residual stream after this block, (batch, tokens, WIDTH)."""
        heads = self.qkv(self.before_attention(x)).unflatten(-1, (3, HEADS, WIDTH // HEADS))
        q, k, v = heads.permute(2, 0, 3, 1, 4)
        mixed = scaled_dot_product_attention(q, k, v, is_causal=True)
        x = x + self.out(mixed.transpose(1, 2).flatten(2))
        return x + self.mlp(self.before_mlp(x))


class LanguageModel(nn.Module):
    """Logits of the next byte from (batch, tokens)."""

    def __init__(self) -> None:
        super().__init__()
        self.tokens = nn.Embedding(BEGIN + 1, WIDTH)
        self.positions = nn.Parameter(0.02 * torch.randn(CONTEXT, WIDTH))
        self.blocks = nn.ModuleList([Block() for _ in range(LAYERS)])
        self.norm, self.head = nn.LayerNorm(WIDTH), nn.Linear(WIDTH, BEGIN)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return logits, (batch, tokens, 256)."""
        x = self.tokens(tokens) + self.positions[: tokens.shape[1]]
        for block in self.blocks:
            x = block(x)
        return self.head(self.norm(x))


def token_losses(model: nn.Module, tokens: Tensor) -> Tensor:
    """Return the cross-entropy of each byte after the first token, in nats."""
    logits = model(tokens[:, :-1])
    return cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten(), reduction="none")


def after_begin(x: Tensor) -> Tensor:
    """Return which positions count, (batch, tokens): all but the first."""
    counts = torch.ones(x.shape[:2], dtype=torch.bool)
    counts[:, 0] = False
    return counts


def trained(text: Tensor, held_out: Tensor, path: Path) -> LanguageModel:
    """Return the model of a file; train it and write the file if there is none."""
    torch.manual_seed(0)
    model = LanguageModel()
    if not path.exists():
        fit(model, text, STEPS)
        with torch.no_grad():
            checked = windows(held_out, CONTEXT - 1, CONTEXT - 1, BEGIN)
            loss = token_losses(model, checked).mean().item()
        print(f"language model: {loss:.3f} nats a held-out byte", file=sys.stderr)
        torch.save(model.state_dict(), path)
    model.load_state_dict(torch.load(path, weights_only=True))
    return model.eval().requires_grad_(False)


def fit(model: LanguageModel, text: Tensor, steps: int) -> None:
    """Train on windows drawn from a text, with a rate that falls to 0 over the last part."""
    optimizer = torch.optim.AdamW(model.parameters(), RATE, betas=(0.9, 0.99), weight_decay=0.01)
    for step in range(steps):
        for group in optimizer.param_groups:
            group["lr"] = RATE * min(1.0, (step + 1) / 100, 1.5 * (1 - step / steps))
        starts = torch.randint(len(text) - CONTEXT, (BATCH, 1))
        rows = text[starts + torch.arange(CONTEXT - 1)]
        tokens = torch.cat([rows.new_full((BATCH, 1), BEGIN), rows], dim=1)
        loss = token_losses(model, tokens).mean()
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        if step % 100 == 0:
            print(f"language model: step {step} of {steps}: {loss.item():.3f}", file=sys.stderr)
