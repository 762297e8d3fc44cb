"""Awkward texts, as people give them to the language model, with the truth beside them.

Each is a file and settings. The truth is one of these: the error that names what is wrong and its
cure; or that the text comes back from its tokens exactly, or that these are among its words; and
perhaps a line that is printed. A text for which none of this holds is silently wrong.
"""

from __future__ import annotations

import gzip
import unicodedata
from dataclasses import dataclass, field
from typing import Any

HINDI = "नमस्ते दुनिया, यह हिन्दी में एक छोटा वाक्य है।\n"
ARABIC = "اَلسَّلَامُ عَلَيْكُمْ وَرَحْمَةُ اللهِ\n"
PERSIAN = "می‌خواهم کتاب‌ها را ببینم\n"
CHINESE = "我们今天去图书馆看书，然后回家吃饭。\n"
THAI = "ฉันไปห้องสมุดเพื่ออ่านหนังสือทุกวัน\n"
EMOJI = "so 👩‍👩‍👧 met 🇫🇷 and 👍🏽 ❤️ again\n"
ENGLISH = "the cat sees a dog and the dog hears the cat again\n"
FRENCH = "le café est fermé à midi, l'été déjà passé\n"
RUSSIAN = "кошка видит собаку и собака слышит кошку\n"
ACCENTS = unicodedata.normalize("NFD", FRENCH)


@dataclass(frozen=True)
class Awkward:
    """A file that is no plain English text, and what is right for it."""

    content: bytes | None
    """None for a folder."""

    settings: dict[str, Any] = field(default_factory=dict)
    error: str | None = None
    """A pattern of the error that is right."""

    text: str | None = None
    """The text that comes back from training and validation together."""

    words: tuple[str, ...] = ()
    """Tokens that are in the vocabulary."""

    note: str | None = None
    """A pattern of a line that is printed."""

    lines: int | None = None
    """Line ends among the tokens."""


def texts() -> dict[str, Awkward]:
    """Return awkward texts by their names."""
    return {**_languages(), **_line_ends(), **_encodings(), **_binaries(), **_untrainable()}


def _languages() -> dict[str, Awkward]:
    char, bpe = {"level": "char"}, {"level": "bpe", "pieces": 300}
    mixed = 40 * (HINDI + CHINESE + THAI + ARABIC + EMOJI + ACCENTS)
    spaceless = "scripts written without spaces.*--level char or --level bpe"
    return {
        "hindi, words": Awkward(_utf8(60 * HINDI), words=("नमस्ते", "हिन्दी", "वाक्य", "है")),
        "vowel signs, words": Awkward(_utf8(60 * ARABIC), words=("اَلسَّلَامُ", "عَلَيْكُمْ")),
        "joiners, words": Awkward(_utf8(60 * PERSIAN), words=("می‌خواهم", "کتاب‌ها")),
        "accents apart, words": Awkward(
            _utf8(60 * ACCENTS), words=tuple(unicodedata.normalize("NFD", "café fermé").split())
        ),
        "chinese, words": Awkward(_utf8(60 * CHINESE), note=spaceless),
        "thai, words": Awkward(_utf8(60 * THAI), note=spaceless),
        "chinese, characters": Awkward(_utf8(60 * CHINESE), char, text=60 * CHINESE),
        "emoji, characters": Awkward(_utf8(60 * EMOJI), char, text=60 * EMOJI),
        "all, pieces": Awkward(_utf8(mixed), bpe, text=mixed),
        "rare characters": Awkward(
            _utf8(60 * ENGLISH + "á" + 9 * ENGLISH), char, text=60 * ENGLISH + "á" + 9 * ENGLISH
        ),
        "another alphabet at the end": Awkward(
            _utf8(90 * ENGLISH + 12 * RUSSIAN), note="8.% of the words for validation are <unk>"
        ),
        "words that look like tokens": Awkward(
            _utf8(60 * "a <eos> b <pad> c </s>\n"), bpe, text=60 * "a <eos> b <pad> c </s>\n"
        ),
    }


def _line_ends() -> dict[str, Awkward]:
    mixed = 20 * (ENGLISH[:-1] + "\r\n" + ENGLISH + ENGLISH[:-1] + "\r")
    return {
        "mixed line ends": Awkward(_utf8(mixed), lines=60, note="40 line ends are CR LF or CR"),
        "line ends of old Macs": Awkward(_utf8(60 * ENGLISH.replace("\n", "\r")), lines=60),
        "no line end at all": Awkward(
            _utf8(60 * ENGLISH.replace("\n", " ")),
            {"level": "char"},
            text=60 * ENGLISH.replace("\n", " "),
        ),
        "separators of Unicode": Awkward(
            _utf8(60 * "one\u2028two\u0085three\u00a0four\x0cfive\n"),
            {"level": "bpe"},
            text=60 * "one\u2028two\u0085three\u00a0four\x0cfive\n",
        ),
        "a mark of byte order": Awkward(
            _utf8("\ufeff" + 60 * ENGLISH), {"level": "char"}, text=60 * ENGLISH
        ),
        "characters lost before": Awkward(
            _utf8(60 * ENGLISH + "caf\ufffd\n"), note=r"1 characters are U\+FFFD, first in line 61"
        ),
    }


def _encodings() -> dict[str, Awkward]:
    utf8 = r"expected text in UTF-8, got "
    return {
        "UTF-16": Awkward(ENGLISH.encode("utf-16"), error=utf8 + "UTF-16; .*iconv -f UTF-16"),
        "UTF-16 without a mark": Awkward(
            (60 * ENGLISH).encode("utf-16-le"), error=utf8 + ".*UTF-16LE; .*iconv -f UTF-16LE"
        ),
        "UTF-16, the other way": Awkward(
            (60 * ENGLISH).encode("utf-16-be"), error=utf8 + ".*UTF-16BE; .*iconv -f UTF-16BE"
        ),
        "UTF-32": Awkward(ENGLISH.encode("utf-32"), error=utf8 + "UTF-32; .*iconv -f UTF-32"),
        "western": Awkward(
            (ENGLISH + FRENCH).encode("cp1252"),
            error=utf8 + "the byte 0xe9 at position 57, line 2; .*iconv -f WINDOWS-1252",
        ),
        "japanese": Awkward(
            "今日は図書館へ行きました。\n".encode("shift_jis"),
            error=utf8 + "the byte 0x8d at position 0, line 1; .*iconv -f SHIFT_JIS",
        ),
        "chinese, national": Awkward(
            (60 * CHINESE).encode("gb18030"), error=utf8 + "the byte 0x.*iconv -f .*GB18030|GB18030"
        ),
        "a lone surrogate": Awkward(
            ENGLISH.encode() + "\ud83d".encode("utf-8", "surrogatepass") + b"\n",
            error="a lone surrogate at position 51, line 2; .*UTF-8",
        ),
        "cut within a character": Awkward(
            (60 * FRENCH + "é").encode()[:-1],
            error="ends within a character, at position 3060, line 61; .*copy it again",
        ),
    }


def _binaries() -> dict[str, Awkward]:
    return {
        "a NUL": Awkward(
            _utf8(60 * ENGLISH + "a\0b\n"), error="a NUL byte at position 3061, line 61; .*tr -d"
        ),
        "gzip": Awkward(gzip.compress(_utf8(ENGLISH)), error="got a gzip archive; .*gunzip"),
        "a document": Awkward(b"PK\x03\x04" + bytes(99), error="got a zip archive, as .docx"),
        "PDF": Awkward(b"%PDF-1.7\n" + _utf8(60 * ENGLISH), error="got a PDF; .*pdftotext"),
        "a picture": Awkward(b"\x89PNG\r\n\x1a\n" + bytes(99), error="got a picture"),
        "a folder": Awkward(None, error="expected a text file, found a folder"),
    }


def _untrainable() -> dict[str, Awkward]:
    same = _utf8(60 * ENGLISH)
    return {
        "empty": Awkward(b"", error="expected text, got an empty file"),
        "blank": Awkward(b" \r\n\t\n", error="expected text, got an empty file"),
        "one character": Awkward(
            b"a" * 3000, {"level": "char"}, error="different characters, got only 'a'; .*another"
        ),
        "one character in pieces": Awkward(
            b"aa a\n" * 900, {"level": "bpe"}, error="different characters, got only 'a'; .*another"
        ),
        "one word": Awkward(b"word " * 900, error="different words, got only 'word'; .*another"),
        "one endless word": Awkward(
            b"QWxhZGRpbjpvcGVu" * 90, error="got 1 for training and 1 .*longer .*--level char"
        ),
        "no word twice": Awkward(
            _utf8(" ".join(f"w{i}" for i in range(1000))),
            error="vocabulary of <unk> alone; .*--min-count 1",
        ),
        "validation of nothing": Awkward(same, {"validation": b""}, error="got an empty file"),
        "validation of one word": Awkward(same, {"validation": b"cat"}, error="1 for validation"),
        "validation that was learned": Awkward(
            same, {"validation": same}, error="validation: expected another text"
        ),
        "test that was learned": Awkward(
            same, {"validation": b"a cat", "test": same}, error="test: expected another text"
        ),
    }


def _utf8(text: str) -> bytes:
    return text.encode()
