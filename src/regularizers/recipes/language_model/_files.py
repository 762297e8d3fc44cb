"""Reads a text file, or says what is wrong with it, where, and how to mend it."""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass
from pathlib import Path

from regularizers.errors import DataError

_SIGNATURES = {
    b"\x1f\x8b": "a gzip archive; unpack it with gunzip",
    b"BZh": "a bzip2 archive; unpack it with bunzip2",
    b"\xfd7zXZ": "an xz archive; unpack it with unxz",
    b"\x28\xb5\x2f\xfd": "a zstd archive; unpack it with unzstd",
    b"7z\xbc\xaf\x27\x1c": "a 7z archive; unpack it",
    b"PK\x03\x04": "a zip archive, as .docx, .odt and .epub are; save its text as plain text",
    b"\xd0\xcf\x11\xe0": "a document of an old Office; save it as plain text",
    b"%PDF": "a PDF; convert it with pdftotext",
    b"\x89PNG": "a picture; take a text",
    b"\xff\xd8\xff": "a picture; take a text",
    b"GIF8": "a picture; take a text",
    b"SQLite format 3": "a database; export its text",
    b"PAR1": "a Parquet table; export its text",
}
_MARKS = {
    codecs.BOM_UTF32_LE: "UTF-32",  # begins with the mark of UTF-16
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}
_WESTERN = ("windows-1252",)
_OTHERS = ("shift_jis", "gb18030", "big5", "euc_kr", "windows-1251", "windows-1252")
_SAMPLE = 100_000
"""Bytes that are looked at to name an encoding."""


@dataclass(frozen=True)
class Text:
    """A text, and what a reader should know of how it was read."""

    name: str
    content: str
    notes: tuple[str, ...] = ()


def read_text(path: Path) -> Text:
    r"""Return the text in a file of UTF-8, with `\n` at the end of each line.

    Raises:
        DataError: the file is missing, a folder, empty, binary, or in another encoding.
    """
    if not path.is_file():
        what = "a folder; name a file in it" if path.is_dir() else "nothing"
        raise DataError(f"{path}: expected a text file, found {what}")
    try:
        content = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror})") from None
    _check_format(path, content)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # positions are of the file, of which a byte order mark is no part of the decoded bytes
        position = error.start + len(content) - len(error.object)
        raise DataError(f"{path}: {_not_utf8(path, content, position, error)}") from None
    if not text.strip():
        raise DataError(f"{path}: expected text, got an empty file" + (" (blanks)" if text else ""))
    return _normal(path.name, text)


def _normal(name: str, text: str) -> Text:
    notes = []
    if "\r" in text:
        count = len(re.findall(r"\r\n?", text))
        text = text.replace("\r\n", "\n").replace("\r", "\n")
        notes.append(f"{name}: {count} line ends are CR LF or CR; all are read as LF.")
    if lost := text.count("\ufffd"):
        line = _line(text, text.index("\ufffd"))
        notes.append(
            f"{name}: {lost} characters are U+FFFD, first in line {line}: an earlier conversion "
            f"lost what stood there."
        )
    return Text(name, text, tuple(notes))


def _check_format(path: Path, content: bytes) -> None:
    for signature, what in _SIGNATURES.items():
        if content.startswith(signature):
            raise DataError(f"{path}: expected a text file, got {what}")
    for mark, encoding in _MARKS.items():
        if content.startswith(mark):
            raise DataError(
                f"{path}: expected text in UTF-8, got {encoding}; {_cure(encoding, path)}"
            )
    position = content.find(b"\0")
    if position < 0:
        return
    for zeros, encoding in ((1, "UTF-16LE"), (0, "UTF-16BE")):
        some = content[zeros:_SAMPLE:2]
        if some.count(b"\0") > 0.4 * len(some):
            raise DataError(
                f"{path}: expected text in UTF-8, got what seems to be {encoding}; "
                f"{_cure(encoding, path)}"
            )
    raise DataError(
        f"{path}: expected text, got a NUL byte at position {position}, line "
        f"{_line(content, position)}; it is a binary file, or remove them with tr -d '\\000'"
    )


def _not_utf8(path: Path, content: bytes, position: int, error: UnicodeDecodeError) -> str:
    where = f"at position {position}, line {_line(content, position)}"
    # without any other character of several bytes it is rather another encoding
    if error.reason == "unexpected end of data" and not content[:position].isascii():
        return f"the file ends within a character, {where}; it is cut off: copy it again"
    if content[position] == 0xED and 0xA0 <= content[position + 1] <= 0xBF:
        return (
            f"expected text in UTF-8, got a lone surrogate {where}; whatever wrote it encoded "
            f"UTF-16 by halves: write it again as UTF-8"
        )
    fitting = _encodings_of(content)
    names = " or ".join(name.upper() for name in fitting)
    could = (
        f"it could be {names}; {_cure(fitting[0].upper(), path)}" if fitting else "is it a text?"
    )
    return f"expected text in UTF-8, got the byte 0x{content[position]:02x} {where}; {could}"


def _encodings_of(content: bytes) -> list[str]:
    """Return encodings in which the bytes are text; none may be right."""
    some = content[:_SAMPLE]
    high = sum(byte > 127 for byte in some) / len(some)
    fitting = []
    # few bytes above 127 are accents in a Latin text
    for encoding in _WESTERN if high < 0.2 else _OTHERS:
        try:
            # a character may be cut at the end of the sample
            text = codecs.getincrementaldecoder(encoding)().decode(some)
        except UnicodeDecodeError:
            continue
        if not re.search(r"[\x00-\x08\x0e-\x1a\x7f-\x9f]", text):
            fitting.append(encoding)
    return fitting[:2]


def _cure(encoding: str, path: Path) -> str:
    return f"convert it with iconv -f {encoding} -t UTF-8 {path.name}"


def _line(content: str | bytes, position: int) -> int:
    before = content[:position]
    return 1 + (before.count("\n") if isinstance(before, str) else before.count(b"\n"))
