"""Tiny models and data for the Trainer, and the same training written by hand in plain torch."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import torch
import transformers as hf
from torch import Tensor, nn
from torch.distributed.tensor import DTensor
from torch.utils.data import Dataset, IterableDataset

RATE = 0.5
STRENGTH = 0.05


class Classifier(nn.Module):
    """A model without loss keywords, so that the Trainer divides its loss by the window."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.act = nn.Linear(6, 16), nn.Tanh()
        self.second = nn.Linear(16, 3)

    def forward(self, x: Tensor, labels: Tensor | None = None) -> dict[str, Tensor]:
        logits = self.second(self.act(self.first(x)))
        if labels is None:
            return {"logits": logits}
        return {"loss": nn.functional.cross_entropy(logits, labels), "logits": logits}


def classifier(dtype: torch.dtype = torch.float64) -> Classifier:
    torch.manual_seed(0)
    return Classifier().to(dtype)


def llama(dtype: torch.dtype = torch.float64) -> hf.LlamaForCausalLM:
    """A model with loss keywords, which the Trainer gives the tokens of the whole window."""
    torch.manual_seed(0)
    config = hf.LlamaConfig(
        vocab_size=20,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=2,
        num_attention_heads=2,
        max_position_embeddings=16,
        initializer_range=0.3,
        attn_implementation="eager",
    )
    return hf.LlamaForCausalLM(config).to(dtype)


class Samples(Dataset[dict[str, Tensor]]):
    """Samples that record the order in which they were asked for."""

    def __init__(self, samples: Sequence[dict[str, Tensor]], length: int | None = None) -> None:
        self.samples, self.order = samples, list[int]()
        self.length = length or len(samples)

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> dict[str, Tensor]:
        self.order.append(index)
        return self.samples[index]


class Stream(IterableDataset[dict[str, Tensor]]):
    """Samples without a length, or with one that may not be right."""

    def __init__(self, samples: Sequence[dict[str, Tensor]]) -> None:
        self.samples = samples

    def __iter__(self) -> Iterator[dict[str, Tensor]]:
        return iter(self.samples)


class Claimed(Stream):
    claimed = 0

    def __len__(self) -> int:
        return self.claimed


def points(count: int, dtype: torch.dtype = torch.float64) -> Samples:
    torch.manual_seed(1)
    x, labels = torch.randn(count, 6, dtype=torch.float64), torch.randint(3, (count,))
    return Samples([{"x": a.to(dtype), "labels": b} for a, b in zip(x, labels, strict=True)])


def texts(count: int, _: torch.dtype = torch.float64) -> Samples:
    """Texts of which a part is no target, so that batches have unequal numbers of tokens."""
    torch.manual_seed(1)
    samples = []
    for n in range(count):
        ids = torch.randint(20, (7,))
        labels = ids.clone()
        labels[: n % 4] = -100
        samples.append({"input_ids": ids, "labels": labels})
    return Samples(samples)


def arguments(folder: Any, **more: Any) -> hf.TrainingArguments:
    """Plain gradient descent without clipping or a schedule, by one process on the CPU."""
    plain: dict[str, Any] = {
        "output_dir": str(folder),
        "per_device_train_batch_size": 2,
        "num_train_epochs": 1,
        "learning_rate": RATE,
        "optim": "sgd",
        "lr_scheduler_type": "constant",
        "max_grad_norm": 0,
        "weight_decay": 0,
        "use_cpu": True,
        "save_strategy": "no",
        "logging_strategy": "no",
        "disable_tqdm": True,
        "dataloader_pin_memory": False,
    }
    return hf.TrainingArguments(**plain | more)


def trained(
    model: nn.Module,
    data: Any,
    folder: Any,
    *callbacks: Any,
    change: Callable[[hf.Trainer], object] = lambda _: None,
    resume: str | None = None,
    of: Mapping[str, Any] | None = None,
    arguments: Callable[..., hf.TrainingArguments] = arguments,
    **more: Any,
) -> hf.Trainer:
    """Return the Trainer of a model after its training."""
    trainer = hf.Trainer(
        model, arguments(folder, **more), train_dataset=data, callbacks=list(callbacks), **of or {}
    )
    trainer.remove_callback(hf.PrinterCallback)
    change(trainer)
    trainer.train(resume_from_checkpoint=resume)
    return trainer


def by_hand(
    model: nn.Module,
    windows: Sequence[dict[str, Tensor]],
    sites: Sequence[str],
    weights: Sequence[str] = (),
    strength: float | Sequence[float] = STRENGTH,
) -> nn.Module:
    """Return a copy of a model trained on whole windows, each of them one batch of the loss.

    To the loss of each is added the L1 penalty of the outputs of some sites, summed over units and
    averaged over samples, and the squares of some weights.
    """
    model = copy.deepcopy(model).to(torch.float64)
    outputs: list[Tensor] = []
    for site in sites:
        model.get_submodule(site).register_forward_hook(lambda _, __, y: outputs.append(y))
    strengths = [strength] * len(windows) if isinstance(strength, float) else strength
    for window, s in zip(windows, strengths, strict=True):
        outputs.clear()
        floating = {k: v.double() if v.is_floating_point() else v for k, v in window.items()}
        loss = model(**floating)["loss"]
        loss = loss + s * sum(y.abs().sum() / len(y) for y in outputs)
        loss = loss + STRENGTH * sum(model.get_parameter(w).square().sum() for w in weights)
        model.zero_grad()
        loss.backward()
        with torch.no_grad():
            for parameter in model.parameters():
                if parameter.grad is not None:
                    parameter -= RATE * parameter.grad
    return model


def windows_of(data: Samples, sizes: Sequence[int]) -> list[dict[str, Tensor]]:
    """Return the samples that were asked for, in order, as one batch for each window."""
    order, windows = iter(data.order), []
    for size in sizes:
        samples = [data.samples[next(order)] for _ in range(size)]
        windows.append({k: torch.stack([sample[k] for sample in samples]) for k in samples[0]})
    return windows


@torch.no_grad()
def gap(model: nn.Module, expected: nn.Module) -> float:
    """Return the largest distance of two models' weights, relative to the largest weight."""
    pairs = zip(map(whole, model.parameters()), expected.parameters(), strict=True)
    return max(((a.double() - b).abs().max() / b.abs().max()).item() for a, b in pairs)


@torch.no_grad()
def whole(weight: Tensor) -> Tensor:
    """Return a weight of which each process holds a part."""
    return weight.full_tensor() if isinstance(weight, DTensor) else weight
