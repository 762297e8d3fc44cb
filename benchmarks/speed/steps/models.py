"""Four networks of PyTorch's modules, each with 24 outputs that can be penalised."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.utils.checkpoint import checkpoint


class Blocks(nn.Sequential):
    """Modules in a row, each computed again in the backward pass if `checkpointed` is set."""

    checkpointed = False

    def forward(self, x: Tensor) -> Tensor:
        """Run one after the other."""
        for block in self:
            x = checkpoint(block, x, use_reentrant=False) if self.checkpointed else block(x)
        return x


def perceptron(*, width: int, layers: int, classes: int) -> nn.Sequential:
    """Return linear layers with a ReLU after each, in blocks of four, and a linear head.

    Sites: `act`.
    """
    return nn.Sequential(
        Blocks(*[nn.Sequential(*[_Dense(width) for _ in range(4)]) for _ in range(layers // 4)]),
        nn.Linear(width, classes),
    )


class _Dense(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, width)
        self.act = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.act(self.linear(x))
        return y


def resnet(*, width: int, blocks: int, classes: int) -> nn.Sequential:
    """Return the network of 6n + 2 layers for images of 32 by 32, n blocks in each of 3 stages.

    Sites: `act1` and `act2`, the two ReLUs of a block.

    Source: He, Zhang, Ren and Sun, "Deep residual learning for image recognition", 2015, section
    4.2; with 16, 32 and 64 channels there. A block that changes the shape has a convolution in its
    shortcut.
    """
    widths = [width, 2 * width, 4 * width]
    residual, before = [], width
    for channels in widths:
        for _ in range(blocks):
            residual.append(_Residual(before, channels))
            before = channels
    return nn.Sequential(
        nn.Conv2d(3, width, 3, padding=1, bias=False),
        nn.BatchNorm2d(width),
        nn.ReLU(),
        Blocks(*residual),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(before, classes),
    )


class _Residual(nn.Module):
    def __init__(self, before: int, width: int) -> None:
        super().__init__()
        stride = 1 if before == width else 2
        self.conv1 = nn.Conv2d(before, width, 3, stride, padding=1, bias=False)
        self.norm1 = nn.BatchNorm2d(width)
        self.act1 = nn.ReLU()
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(width)
        self.act2 = nn.ReLU()
        self.shortcut = (
            nn.Identity() if stride == 1 else nn.Conv2d(before, width, 1, stride, bias=False)
        )

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm2(self.conv2(self.act1(self.norm1(self.conv1(x)))))
        z: Tensor = self.act2(y + self.shortcut(x))
        return z


class Transformer(nn.Module):
    """A decoder that predicts the next word from the text up to each place.

    Sites: `attention` and `mlp`, what each block adds to its input.
    """

    def __init__(self, *, words: int, length: int, width: int, heads: int, blocks: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.places = nn.Parameter(0.02 * torch.randn(length, width))
        self.blocks = Blocks(*[_Block(width, heads) for _ in range(blocks)])
        self.norm = nn.LayerNorm(width)
        self.head = nn.Linear(width, words, bias=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits of the next words, (batch, length, words)."""
        x = self.words(tokens) + self.places
        logits: Tensor = self.head(self.norm(self.blocks(x)))
        return logits


class _Block(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.attention = _Attention(width, heads)
        self.mlp = nn.Sequential(
            nn.Linear(width, 4 * width), nn.GELU(), nn.Linear(4 * width, width)
        )

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.attention(self.norm1(x))
        y: Tensor = x + self.mlp(self.norm2(x))
        return y


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.all = nn.Linear(width, 3 * width)
        self.out = nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        parts = self.all(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        y = functional.scaled_dot_product_attention(parts[0], parts[1], parts[2], is_causal=True)
        z: Tensor = self.out(y.transpose(1, 2).flatten(2))
        return z


class LanguageModel(nn.Module):
    """Recurrent layers, each normalised, dropped and added to its input; time is the first axis.

    Sites: `rnn`, `norm` and `drop`.
    """

    def __init__(self, *, words: int, width: int, layers: int) -> None:
        super().__init__()
        self.words = nn.Embedding(words, width)
        self.blocks = Blocks(*[_Recurrent(width) for _ in range(layers)])
        self.head = nn.Linear(width, words)

    def forward(self, tokens: Tensor) -> Tensor:
        """Return the logits of the next words, (length, batch, words)."""
        logits: Tensor = self.head(self.blocks(self.words(tokens)))
        return logits


class _Recurrent(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.rnn = nn.LSTM(width, width)
        self.norm = nn.LayerNorm(width)
        self.drop = nn.Dropout(0.25)

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = x + self.drop(self.norm(self.rnn(x)[0]))
        return y
