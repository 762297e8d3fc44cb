"""Ways in which the folder of a run is damaged, and the words of the one line that says so."""

from __future__ import annotations

import json
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch

Damage = Callable[[Path], object]


class Opened:
    """A pickle that makes a file when it is read."""

    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return (Path.touch, (self.trace,))


def trace_of(folder: Path) -> Path:
    """The file that appears if a checkpoint of a folder is executed."""
    return folder / "executed"


def edited(name: str, change: Callable[[Any], object]) -> Damage:
    """Return what changes the content of a file in JSON."""

    def edit(folder: Path) -> None:
        content = json.loads((folder / name).read_text())
        found = change(content)
        (folder / name).write_text(json.dumps(content if found is None else found))

    return edit


def with_setting(**settings: object) -> Damage:
    return edited("config.json", lambda config: config.update(settings))


def holding(name: str, content: bytes) -> Damage:
    return lambda folder: (folder / name).write_bytes(content)


def cut(name: str) -> Damage:
    def halve(folder: Path) -> None:
        content = (folder / name).read_bytes()
        (folder / name).write_bytes(content[: len(content) // 2])

    return halve


def gone(name: str) -> Damage:
    return lambda folder: (folder / name).unlink()


def a_folder(name: str) -> Damage:
    def put(folder: Path) -> None:
        (folder / name).unlink()
        (folder / name).mkdir()

    return put


def a_file(name: str) -> Damage:
    def put(folder: Path) -> None:
        shutil.rmtree(folder / name)
        (folder / name).write_text("in the way")

    return put


def changed_byte(name: str) -> Damage:
    """Change one byte of a tensor, which PyTorch reads as if it were right."""

    def change(folder: Path) -> None:
        path = folder / name
        content = bytearray(path.read_bytes())
        found = torch.load(path, weights_only=True)["state_dict"].values()
        weights = max(found, key=torch.numel).numpy().tobytes()
        content[content.index(weights) + 5] ^= 0xFF
        path.write_bytes(content)
        torch.load(path, weights_only=True)

    return change


def a_pickle(name: str, save: Callable[[object, Path], object]) -> Damage:
    return lambda folder: save({"state_dict": Opened(trace_of(folder))}, folder / name)


def plain_pickle(content: object, path: Path) -> None:
    path.write_bytes(pickle.dumps(content))


CHECKPOINT = "checkpoints/weight-decay-0.ckpt"
NETWORK = "networks/none-0.safetensors"
FIGURE = ("none", "0", "train_accuracy")


def with_figure(value: object) -> Damage:
    variant, seed, name = FIGURE
    return edited("metrics.json", lambda m: m[variant][seed].update({name: value}))


ANEW = r"train it anew: --resume \S+ --from-scratch weight-decay-0$"
AGAIN = r"delete it, and --resume makes it anew$"

CLASSIFIER: dict[str, tuple[Damage, str]] = {
    "no settings": (gone("config.json"), r"resume: expected the folder of an earlier run, .*last"),
    "empty settings": (holding("config.json", b""), r"config\.json: expected JSON, got an empty"),
    "half the settings": (cut("config.json"), r"config\.json: expected JSON, got a damaged file"),
    "other bytes": (holding("config.json", b"\xff\xfe\x00"), r"config\.json: expected JSON, got a"),
    "brackets": (holding("config.json", b"[" * 99_999), r"config\.json: expected JSON, got a dam"),
    "a list": (holding("config.json", b"[]"), r"expected the settings of a run, got list; mend"),
    "text for a number": (with_setting(units="8"), r"config\.json: units: expected int, got str;"),
    "truth for a number": (with_setting(units=True), r"units: expected int, got bool"),
    "a number for a path": (with_setting(data=5), r"data: expected str \| null, got int"),
    "no such network": (with_setting(network="rnn"), r"network: invalid enum value 'rnn'"),
    "no units": (with_setting(units=0), r"config\.json: units: expected 1 or more, got 0; .*mend"),
    "an unknown setting": (
        with_setting(momentum=0.9),
        r"this version has, got 'momentum' too; if a newer version wrote it, update",
    ),
    "a newer format": (with_setting(format=2), r"format 1 or less, got 2: .* newer version; upda"),
    "a format in words": (with_setting(format="x"), r"config\.json: format: expected int, got str"),
    "another recipe": (
        with_setting(recipe="language-model"),
        r"expected a run of classifier, .* go on with: regularizers language-model --resume \S+$",
    ),
    "another digest": (with_setting(data_digest="0"), r"blobs\.csv is not the data this run began"),
    "no figures": (holding("metrics.json", b""), rf"metrics\.json: .* an empty file; {AGAIN}"),
    "half the figures": (cut("metrics.json"), rf"metrics\.json: .* a damaged file of .*; {AGAIN}"),
    "a figure in words": (
        with_figure("high"),
        rf"train_accuracy: expected float, got str; {AGAIN}",
    ),
    "a figure missing": (
        edited("metrics.json", lambda m: m[FIGURE[0]][FIGURE[1]].pop(FIGURE[2]) and None),
        rf"missing required field train_accuracy; {AGAIN}",
    ),
    "foreign figures": (holding("metrics.json", b"[1]"), rf"expected object, got array; {AGAIN}"),
    "a folder for figures": (a_folder("metrics.json"), r"metrics\.json: cannot be read \(Is a dir"),
    "no network": (
        gone(NETWORK),
        r"none-0\S+: expected the network .* found none; .*--from-scratch",
    ),
    "half a network": (cut(NETWORK), r"none-0\S+: .* got a damaged file .*--from-scratch none-0$"),
    "an empty network": (holding(NETWORK, b""), r"none-0\S+: .* got a damaged file .*none-0$"),
    "a picture for a network": (
        holding(NETWORK, b"\x89PNG\r\n" * 9),
        r"got a damaged file .*none-0",
    ),
    "no checkpoint left in it": (holding(CHECKPOINT, b""), rf"a damaged file \(0 bytes\); {ANEW}"),
    "half a checkpoint": (cut(CHECKPOINT), rf"ckpt: .* got a damaged file \(.* bytes\); {ANEW}"),
    "a changed byte": (changed_byte(CHECKPOINT), rf"got a damaged file \(.* bytes\); {ANEW}"),
    "a folder for a checkpoint": (a_folder(CHECKPOINT), rf"got a damaged file .*; {ANEW}"),
    "a checkpoint that runs": (
        a_pickle(CHECKPOINT, torch.save),
        rf"holds more than tensors and plain values, which is not executed; {ANEW}",
    ),
    "a pickle": (a_pickle(CHECKPOINT, plain_pickle), rf"got a damaged file .*; {ANEW}"),
    "another program's": (
        lambda folder: torch.save({"a": 1}, folder / CHECKPOINT),
        rf"got one that another program or version has written; {ANEW}",
    ),
    "a tensor for a checkpoint": (
        lambda folder: torch.save(torch.ones(3), folder / CHECKPOINT),
        rf"got another file \(of a Tensor\); {ANEW}",
    ),
    "another network's": (
        edited("config.json", lambda config: config.update(epochs=4)),
        rf"got that of another training \(another epochs\); {ANEW}",
    ),
    "a file for checkpoints": (a_file("checkpoints"), r"cannot be written \(.*\); move what is in"),
}

L1 = "checkpoints/l1/last.ckpt"
SPARSE: dict[str, tuple[Damage, str]] = {
    "a history in words": (
        edited("training.json", lambda t: t["jumprelu"]["history"].update(loss=["x"])),
        rf"training\.json: history\.loss\[0\]: expected float, got str; {AGAIN}",
    ),
    "no history": (holding("training.json", b""), rf"training\.json: .* an empty file; {AGAIN}"),
    "a kind of code": (with_setting(beside=["kl", "zz"]), r"beside\[1\]: invalid enum value 'zz'"),
    "no network": (
        lambda folder: shutil.rmtree(folder / "jumprelu"),
        r"jumprelu: expected the network that was saved, .*--from-scratch jumprelu$",
    ),
    "half a network": (
        cut("jumprelu/sae_weights.safetensors"),
        r"jumprelu: expected the network that was saved, .*--from-scratch jumprelu$",
    ),
    "half a checkpoint": (cut(L1), r"last\.ckpt: .* a damaged file .*--from-scratch l1$"),
    "a checkpoint that runs": (
        a_pickle(L1, torch.save),
        r"more than tensors and plain values, which is not executed; .*--from-scratch l1$",
    ),
}

TEXT = "checkpoints/dropouts-0.ckpt"
LANGUAGE: dict[str, tuple[Damage, str]] = {
    "no perplexity": (
        edited("metrics.json", lambda m: m["none"]["0"].update(epochs=[{}])),
        rf"epochs: object missing required field perplexity; {AGAIN}|missing required field",
    ),
    "another recipe": (with_setting(recipe="classifier"), r"go on with: regularizers classifier"),
    "half a network": (cut(NETWORK), r"none-0\S+: .* got a damaged file .*--from-scratch none-0$"),
    "half a checkpoint": (cut(TEXT), r"a damaged file .*--from-scratch dropouts-0$"),
}
