"""Text files: their encoding, and a first pass that finds what no table may hold."""

from __future__ import annotations

import codecs
import io
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from regularizers.errors import DataError
from regularizers.recipes.data._files import check_not_packed, first_bytes, opened

_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_BLOCK = 1 << 20


@dataclass(frozen=True)
class Text:
    """A text file that can be decoded.

    Args:
        path: the file.
        encoding: as its byte order mark says, UTF-8 without one.
        line_ends: how many there are, counting a carriage return with a line feed twice.
        quoted: whether there is a quote in it.
        content: the text itself, of a file that is no text.
    """

    path: Path
    encoding: str
    line_ends: int
    quoted: bool
    content: str | None = None

    @contextmanager
    def lines(self) -> Iterator[TextIO]:
        """Open the file as text; its lines keep their ends."""
        if self.content is not None:
            yield io.StringIO(self.content, newline="")
            return
        with opened(self.path) as file:
            # newline="" ends lines at \n, \r and \r\n, and leaves those within quotes alone
            yield io.TextIOWrapper(file, self.encoding, newline="")


def scan(path: Path) -> Text:
    """Read a file once, in constant memory.

    Raises:
        DataError: it cannot be decoded, or holds a NUL character.
    """
    start = first_bytes(path)
    check_not_packed(path, start)
    encoding = next((name for mark, name in _MARKS if start.startswith(mark)), "utf-8")
    line_ends, quoted = 0, False
    text = Text(path, encoding, 0, False)
    try:
        with text.lines() as file:
            while block := file.read(_BLOCK):
                if "\0" in block:
                    line = line_ends + block[: block.index("\0")].count("\n") + 1
                    raise DataError(
                        f"{path}, line {line}: expected text, got a NUL character; save the file "
                        f"anew as text in UTF-8"
                    )
                line_ends += block.count("\n") + block.count("\r")
                quoted = quoted or '"' in block
    except UnicodeError:
        raise DataError(_undecodable(path, encoding)) from None
    return Text(path, encoding, line_ends, quoted)


def _undecodable(path: Path, encoding: str) -> str:
    if encoding == "utf-8":
        with opened(path) as file:
            for number, line in enumerate(file, 1):
                try:
                    line.decode()
                except UnicodeDecodeError as error:
                    return (
                        f"{path}, line {number}: expected text in UTF-8, got the byte "
                        f"0x{line[error.start]:02x}; save the file anew in UTF-8"
                    )
    return f"{path}: expected text in {encoding}, as it begins; save the file anew in UTF-8"
