"""Awkward texts: each is read right, or refused in one line that names the cure."""

import re

import pytest

from recipes.awkward.texts import texts
from regularizers.errors import RegularizersError
from regularizers.recipes.language_model import Config

# a text is read without the training of networks on it
from regularizers.recipes.language_model._corpus import read_corpus

TEXTS = texts()


def corpus_of(awkward, folder):
    path = folder / "text.txt"
    if awkward.content is None:
        path.mkdir()
    else:
        path.write_bytes(awkward.content)
    settings = dict(awkward.settings)
    for name in ("validation", "test"):
        if isinstance(settings.get(name), bytes):
            (folder / name).write_bytes(settings[name])
            settings[name] = str(folder / name) if name == "validation" else folder / name
    config = Config(text=path, **settings)
    config.check()
    return read_corpus(config)


def test_there_are_many():
    assert len(TEXTS) >= 40


@pytest.mark.parametrize("name", TEXTS)
def test_an_awkward_text_is_right_or_refused_in_one_line(name, tmp_path):
    awkward = TEXTS[name]
    if awkward.error is not None:
        with pytest.raises(RegularizersError, match=awkward.error) as refused:
            corpus_of(awkward, tmp_path)
        assert "\n" not in str(refused.value)
        assert re.search("text.txt|validation|test", str(refused.value))
        return
    corpus = corpus_of(awkward, tmp_path)
    vocabulary = corpus.vocabulary
    tokens = [*corpus.training.tokens.tolist(), *corpus.validation.tokens.tolist()]
    if awkward.text is not None:
        assert vocabulary.decode(tokens) == awkward.text
        assert vocabulary.widths[tokens].sum() == len(awkward.text.encode())
    assert not set(awkward.words) - set(vocabulary.to_json())
    if awkward.lines is not None:
        line_end = vocabulary.to_json().index("<eos>")
        assert tokens.count(line_end) == awkward.lines
    if awkward.note is not None:
        assert any(re.search(awkward.note, note) for note in corpus.notes), corpus.notes
    else:
        assert not any(note.startswith("Warning") for note in corpus.notes), corpus.notes
