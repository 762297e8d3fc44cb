"""Words, characters and pieces: what is a token, what comes back, and where a text is cut."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from recipes.awkward.texts import ACCENTS, ARABIC, CHINESE, EMOJI, HINDI, PERSIAN, THAI
from regularizers.errors import RunFolderError

# tested apart from the networks
from regularizers.recipes.language_model import _pieces
from regularizers.recipes.language_model._levels import learn, vocabulary_of
from regularizers.recipes.language_model._splitting import position_of_cut
from regularizers.recipes.language_model._words import spaceless_share, tokens_of

MIXED = HINDI + CHINESE + THAI + ARABIC + PERSIAN + EMOJI + ACCENTS
PIECES = learn(20 * MIXED, "bpe", None, 500)


@given(st.text())
@settings(max_examples=300, deadline=None)
def test_every_text_comes_back_from_its_pieces(text):
    tokens = PIECES.encode(text)
    assert PIECES.decode(tokens.tolist()) == text
    assert PIECES.widths[tokens].sum() == len(text.encode())


@pytest.mark.parametrize(
    "text", [MIXED, MIXED.replace("\n", "\r\n") + "\r\r\n \n\n\t", "\ufeff a\0\x1b[31m  \u2028"]
)
def test_awkward_texts_come_back_from_their_pieces(text):
    assert PIECES.decode(PIECES.encode(text).tolist()) == text


def test_combining_characters_do_not_end_a_piece():
    vocabulary = learn(200 * HINDI, "bpe", None, 900)
    assert len(vocabulary.encode("नमस्ते")) == 1
    assert len(vocabulary.encode(" हिन्दी")) == 1


def test_a_text_in_blocks_of_lines_has_the_same_pieces(monkeypatch):
    text = 3 * ("one two\n\n\n  three  \n \n\nfour" + MIXED + "\n\n")
    whole, learned = PIECES.encode(text).tolist(), learn(text, "bpe", None, 400)
    monkeypatch.setattr(_pieces, "_BLOCK", 7)
    assert len(list(_pieces._blocks(text))) > 20
    assert PIECES.encode(text).tolist() == whole
    assert learn(text, "bpe", None, 400) == learned
    assert Tokenizer.from_str(PIECES.definition).encode(text).ids == whole


@pytest.mark.parametrize("level", ["word", "char", "bpe"])
def test_a_vocabulary_kept_as_json_is_the_same(level):
    vocabulary = learn(20 * MIXED, level, None, 400 if level == "bpe" else None)
    kept = json.loads(json.dumps(vocabulary.to_json()))
    restored = vocabulary_of(level, kept)
    assert restored == vocabulary
    assert len(restored) == len(vocabulary) == len(vocabulary.widths)
    assert restored.encode(MIXED).tolist() == vocabulary.encode(MIXED).tolist()


@pytest.mark.parametrize(("level", "kept"), [("bpe", {}), ("word", [1]), ("byte", []), ("char", 3)])
def test_a_vocabulary_that_is_none_is_refused(level, kept):
    with pytest.raises(RunFolderError, match="vocabulary: expected words, characters or a tok"):
        vocabulary_of(level, kept)


def test_how_often_a_token_occurs_at_least():
    text = "a a a b b c\n"
    assert learn(text, "word", None, None).to_json() == ["<unk>", "a"]
    assert set(learn(text, "char", None, None).to_json()) == {"<unk>", *"abc \n"}
    assert set(learn(text, "char", 2, None).to_json()) == {"<unk>", *"ab "}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (HINDI, "नमस्ते दुनिया , यह हिन्दी में एक छोटा वाक्य है । <eos>"),
        (PERSIAN, "می‌خواهم کتاب‌ها را ببینم <eos>"),
        (EMOJI, "so 👩‍👩‍👧 met 🇫🇷 and 👍🏽 ❤️ again <eos>"),
        ("e\u0301te\u0301-e\u0301 l'e\u0301", "e\u0301te\u0301-e\u0301 l 'e\u0301"),
    ],
)
def test_words_keep_their_combining_characters(text, words):
    assert tokens_of(text, "word") == words.split(" ")


def test_scripts_without_spaces():
    assert spaceless_share(CHINESE) == spaceless_share(THAI) == 1
    assert spaceless_share(HINDI + ARABIC + PERSIAN + "한국어 のない".replace("のない", "")) == 0
    assert spaceless_share("ab本12 ") == pytest.approx(1 / 3)
    assert spaceless_share("12 ,\n") == 0


def test_a_text_is_cut_where_a_line_a_word_or_a_character_ends():
    lines = "".join(f"line {i} of the text\n" for i in range(100))
    cut = position_of_cut(lines, 0.1)
    assert lines[cut - 1] == "\n"
    assert abs(cut - 0.9 * len(lines)) < 21
    words = lines.replace("\n", " ")
    cut = position_of_cut(words, 0.1)
    assert words[cut - 1] == " "
    assert abs(cut - 0.9 * len(words)) < 5
    for character in ("👩‍👩‍👧", "e\u0301", "हि", "🇫🇷", "\u1112\u1161\u11ab"):
        text = character * 50
        cut = position_of_cut(text, 0.33)
        assert text[:cut] == character * (cut // len(character))
        assert abs(cut / len(character) - 33.5) <= 1


@pytest.mark.parametrize("fraction", [1e-9, 0.5, 1 - 1e-9])
@pytest.mark.parametrize("text", ["a", "ab", "\n", "a b", "\n\n\na"])
def test_a_cut_lies_within_the_text(text, fraction):
    assert 0 <= position_of_cut(text, fraction) <= len(text)
