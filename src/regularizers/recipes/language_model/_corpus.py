"""Reads the texts, learns the vocabulary of the one for training, and numbers all of them."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from pathlib import Path

from regularizers.errors import ConfigurationError, DataError
from regularizers.recipes.language_model._config import Config
from regularizers.recipes.language_model._files import Text, read_text
from regularizers.recipes.language_model._levels import learn
from regularizers.recipes.language_model._splitting import position_of_cut
from regularizers.recipes.language_model._vocabulary import Tokens, Vocabulary
from regularizers.recipes.language_model._words import LINE_END, UNITS, UNKNOWN, spaceless_share

_MUCH_UNKNOWN = 0.1
"""Share of `<unk>` from which a user is warned."""

_NAMES = ("training", "validation", "test")

_SPACELESS = 0.2
"""Share of letters of scripts without spaces from which words are warned of."""


@dataclass(frozen=True)
class Part:
    """A text as token numbers, and what its perplexity depends on."""

    tokens: Tokens

    unknown: float
    """The share of the tokens that are `<unk>`."""

    size: int | None
    """Bytes of UTF-8 that all tokens but the first stand for; None where there is `<unk>`."""

    @classmethod
    def of(cls, tokens: Tokens, vocabulary: Vocabulary) -> Part:
        """Return the part with what is known of its tokens."""
        unknown = float((tokens == vocabulary.unknown).mean()) if len(tokens) else 0.0
        return cls(tokens, unknown, None if unknown else int(vocabulary.widths[tokens[1:]].sum()))


@dataclass(frozen=True)
class Corpus:
    """The texts to learn from and to be measured by."""

    name: str
    vocabulary: Vocabulary
    training: Part
    validation: Part
    test: Part | None
    digest: str
    """A fingerprint of texts and vocabulary, compared when a run is resumed."""

    notes: tuple[str, ...]
    """What a user should know of the texts."""

    @property
    def beginning(self) -> Part:
        """The beginning of the training text, as long as the validation text."""
        return Part.of(self.training.tokens[: len(self.validation.tokens)], self.vocabulary)

    def parts(self) -> dict[str, Part]:
        """Return the texts by their names in messages."""
        parts = (self.training, self.validation, *([] if self.test is None else [self.test]))
        return dict(zip(_NAMES, parts, strict=False))


def read_corpus(config: Config) -> Corpus:
    """Return the texts that the settings name, or Python's own documentation, as numbers.

    The vocabulary is that of the text for training.

    Raises:
        ConfigurationError: the same text is to be learned and to be measured by.
        DataError: a file cannot be read or is no text, or a text cannot be trained on.
    """
    whole = _topics() if config.text is None else read_text(config.text)
    if isinstance(config.validation, str):
        training, validation = whole.content, read_text(Path(config.validation))
    else:
        cut = position_of_cut(whole.content, config.validation)
        training, validation = whole.content[:cut], Text(whole.name, whole.content[cut:])
    test = None if config.test is None else read_text(config.test)
    texts = [whole, validation, *([] if test is None else [test])]
    _check_apart(training, validation, test)
    _check_symbols(whole.name, training)
    vocabulary = learn(training, config.level, config.min_count, config.pieces)
    encoded = [
        Part.of(vocabulary.encode(text), vocabulary)
        for text in (training, *(text.content for text in texts[1:]))
    ]
    corpus = Corpus(
        name=whole.name,
        vocabulary=vocabulary,
        training=encoded[0],
        validation=encoded[1],
        test=None if test is None else encoded[2],
        digest=_digest(vocabulary, training, *(text.content for text in texts[1:])),
        notes=(
            *dict.fromkeys(note for text in texts for note in text.notes),
            *_warnings(vocabulary, training, dict(zip(_NAMES, encoded, strict=False))),
        ),
    )
    _check_trainable(corpus, validation.name)
    return corpus


def _topics() -> Text:
    from pydoc_data.topics import topics

    return Text("Python's documentation (pydoc_data.topics)", "\n".join(topics.values()))


def _digest(vocabulary: Vocabulary, *texts: str) -> str:
    content = json.dumps([vocabulary.level, vocabulary.to_json(), *texts])
    return hashlib.sha256(content.encode()).hexdigest()[:16]


def _check_apart(training: str, validation: Text, test: Text | None) -> None:
    """Raise unless what measures a network is another text than what it learned."""
    if validation.content == training:
        raise ConfigurationError(
            f"validation: expected another text than that for training, got the same in "
            f"{validation.name}"
        )
    for other, content in (("training", training), ("validation", validation.content)):
        if test is not None and test.content == content:
            raise ConfigurationError(
                f"test: expected another text than that for {other}, got the same in {test.name}"
            )


def _check_symbols(name: str, text: str) -> None:
    symbols = sorted({*text} - {*" \t\n"})[:2]
    if len(symbols) < 2:
        raise DataError(
            f"{name}: expected a text of different characters, got only "
            f"{symbols[0] if symbols else ' '!r}; there is nothing to learn: take another text"
        )


def _check_trainable(corpus: Corpus, validation: str) -> None:
    units, tokens = UNITS[corpus.vocabulary.level], corpus.training.tokens
    shortest = min(len(part.tokens) for part in corpus.parts().values())
    if shortest < 2:
        counts = " and ".join(f"{len(p.tokens)} for {name}" for name, p in corpus.parts().items())
        raise DataError(
            f"{corpus.name}: expected at least 2 {units} for training and for validation, got "
            f"{counts}; take a longer text"
            + (" or --level char" if corpus.vocabulary.level == "word" else "")
        )
    if corpus.vocabulary.level == "bpe":
        return
    if not {*corpus.vocabulary.to_json()} - {UNKNOWN, LINE_END, "\n"}:
        raise DataError(
            f"{corpus.name}: expected {units} that occur often enough to be learned, got a "
            f"vocabulary of {UNKNOWN} alone; take --min-count 1, --level char or --level bpe"
        )
    if len(set(tokens.tolist())) < 2:
        raise DataError(
            f"{corpus.name}: expected different {units}, got only "
            f"{corpus.vocabulary.decode([int(tokens[0])])!r}; there is nothing to learn: take "
            f"another text"
        )


def _warnings(vocabulary: Vocabulary, training: str, parts: dict[str, Part]) -> list[str]:
    units = UNITS[vocabulary.level]
    warnings = []
    if vocabulary.level == "word" and (share := spaceless_share(training)) > _SPACELESS:
        warnings.append(
            f"Warning: {share:.0%} of the letters are of scripts written without spaces, of which "
            f"a word here is a whole phrase; take --level char or --level bpe."
        )
    name, most = max(parts.items(), key=lambda item: item[1].unknown)
    if most.unknown > _MUCH_UNKNOWN:
        other = "--level bpe" if vocabulary.level == "char" else "--level char or --level bpe"
        warnings.append(
            f"Warning: {most.unknown:.0%} of the {units} for {name} are {UNKNOWN}, which is easily "
            f"predicted: perplexity is low for that reason. Take {other}, or a longer text."
        )
    return warnings
