"""Reads a text, splits it into words or characters, numbers these, and holds out a part."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import DataError

Level = Literal["word", "char"]
Tokens = NDArray[np.int64]

UNKNOWN = "<unk>"
LINE_END = "<eos>"

# A word keeps its inner points and hyphens and a leading apostrophe: U.S., co-operate, 's; marks
# that stand together are one token. Corpora in which marks already stand apart stay as they are.
_WORD = re.compile(rf"{UNKNOWN}|'?\w+(?:[-.]\w+)*|[^\w\s]+|\n")


@dataclass(frozen=True)
class Corpus:
    """A text as token numbers: the beginning for training, the end for validation."""

    name: str
    level: Level
    vocabulary: tuple[str, ...]
    training: Tokens
    validation: Tokens
    digest: str
    """A fingerprint of text and vocabulary, compared when a run is resumed."""

    def text_of(self, tokens: list[int]) -> str:
        """Return tokens as text."""
        words = [self.vocabulary[token] for token in tokens]
        if self.level == "char":
            return "".join("�" if word == UNKNOWN else word for word in words)
        return re.sub(r" ?\n ?", "\n", " ".join(words).replace(LINE_END, "\n"))


def read_corpus(path: Path | None, level: Level, min_count: int, validation: float) -> Corpus:
    """Return the text in `path`, or Python's own documentation.

    The vocabulary is of the training part; what occurs there less often than `min_count` times is
    `<unk>`. A word-level text has an `<eos>` at the end of each line.

    Args:
        path: a text in UTF-8; None for the topics of `help()` that come with Python.
        level: words (punctuation apart) or characters.
        min_count: how often a word of the vocabulary occurs at least.
        validation: the share at the end that is kept for validation.

    Raises:
        DataError: the file is missing, empty, or not UTF-8, or a part would be without text.
    """
    name, text = _topics() if path is None else (path.name, _read(path))
    tokens = tokens_of(text, level)
    held_out = max(round(len(tokens) * validation), 2)
    if len(tokens) - held_out < 2:
        raise DataError(
            f"{name}: expected text for training and for validation, "
            f"got {len(tokens)} {level}s; take a longer text"
        )
    training, validating = tokens[:-held_out], tokens[-held_out:]
    counts = Counter(training)
    vocabulary = (
        UNKNOWN,
        *[word for word, count in counts.most_common() if count >= min_count and word != UNKNOWN],
    )
    number = {word: i for i, word in enumerate(vocabulary)}
    numbered = [
        np.array([number.get(word, 0) for word in part], np.int64)
        for part in (training, validating)
    ]
    content = "\0".join([level, *vocabulary]).encode() + b"\0" + numbered[0].tobytes()
    digest = hashlib.sha256(content + numbered[1].tobytes()).hexdigest()[:16]
    return Corpus(name, level, vocabulary, numbered[0], numbered[1], digest)


def tokens_of(text: str, level: Level) -> list[str]:
    r"""Return the words and marks of `text`, or its characters.

    Example:
        >>> tokens_of("It's on, isn't it?\n", "word")
        ['It', "'s", 'on', ',', 'isn', "'t", 'it', '?', '<eos>']
    """
    if level == "char":
        return list(text)
    return [LINE_END if word == "\n" else word for word in _WORD.findall(text)]


def _topics() -> tuple[str, str]:
    from pydoc_data.topics import topics

    return "Python's documentation (pydoc_data.topics)", "\n".join(topics.values())


def _read(path: Path) -> str:
    if not path.is_file():
        what = "a folder" if path.is_dir() else "nothing"
        raise DataError(f"{path}: expected a text file, found {what}")
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    except UnicodeDecodeError as error:
        raise DataError(
            f"{path}: expected text in UTF-8, got the byte 0x{error.object[error.start]:02x} at "
            f"position {error.start}; convert it, for example with iconv -t UTF-8"
        ) from None
    if not text.strip():
        raise DataError(f"{path}: expected text, got an empty file")
    return text.replace("\r\n", "\n")
