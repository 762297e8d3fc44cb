"""Small pictures as PNG files within the page: a palette of colours with their opacities."""

from __future__ import annotations

import base64
import struct
import zlib

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Floats = NDArray[np.floating]

_LEVELS = 65
"""So few that the palette is smaller than the picture, and odd, so that 0 is one of them."""

_INK = np.zeros((_LEVELS, 4), np.uint8)
_INK[:, 3] = np.linspace(0, 255, _LEVELS).round()

# From blue over nothing to red: told apart on white, on black, and by the colour-blind.
_SIGNED = np.zeros((_LEVELS, 4), np.uint8)
_SIGNED[: _LEVELS // 2, :3] = (38, 116, 194)
_SIGNED[_LEVELS // 2 :, :3] = (214, 72, 47)
_SIGNED[:, 3] = np.abs(np.linspace(-255, 255, _LEVELS)).round()


def ink(values: Floats) -> str:
    """Return a picture as a `data:` address: 0 is transparent, 1 is black."""
    return _address(np.clip(values, 0, 1), _INK)


def signed(values: Floats) -> str:
    """Return a picture as a `data:` address: 0 is transparent, the largest value red or blue."""
    largest = max(float(np.abs(values).max()), 1e-12)
    return _address((values / largest + 1) / 2, _SIGNED)


def color(values: Floats) -> str:
    """Return a picture of red, green and blue, (height, width, 3), as a `data:` address."""
    pixels = np.rint(np.clip(values, 0, 1) * 255).astype(np.uint8)
    return _encoded(_png(pixels.reshape(len(pixels), -1), pixels.shape[1], 2, []))


def _address(shares: Floats, palette: Bytes) -> str:
    indices = np.rint(shares * (_LEVELS - 1)).astype(np.uint8)
    return _encoded(indexed_png(indices, palette))


def indexed_png(indices: Bytes, palette: Bytes) -> bytes:
    """Return a PNG file.

    Args:
        indices: of the colours, of shape (height, width).
        palette: red, green, blue and opacity of each, of shape (up to 256, 4).
    """
    colors = [_chunk(b"PLTE", palette[:, :3].tobytes()), _chunk(b"tRNS", palette[:, 3].tobytes())]
    return _png(indices, indices.shape[1], 3, colors)


def _png(rows: Bytes, width: int, kind: int, colors: list[bytes]) -> bytes:
    """Return a PNG file of rows of bytes, whose pixels are of a kind of colour."""
    # each line begins with the number of its filter: none
    lines = np.insert(rows, 0, 0, axis=1).tobytes()
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        [
            _chunk(b"IHDR", struct.pack(">IIBBBBB", width, len(rows), 8, kind, 0, 0, 0)),
            *colors,
            _chunk(b"IDAT", zlib.compress(lines, 9)),
            _chunk(b"IEND", b""),
        ]
    )


def _encoded(file: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(file).decode('ascii')}"


def _chunk(kind: bytes, content: bytes) -> bytes:
    check = zlib.crc32(kind + content)
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", check)
