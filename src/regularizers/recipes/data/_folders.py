"""Folders of pictures: one for each class, or one without classes."""

from __future__ import annotations

import re
import unicodedata
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from regularizers.errors import DataError
from regularizers.recipes.data._pixels import Pictures

_SUFFIXES = (".png", ".jpg", ".jpeg", ".bmp", ".gif", ".tif", ".tiff", ".webp")
_OF_SYSTEMS = ("thumbs.db", "desktop.ini")
"""What file managers leave, besides names that begin with a dot."""
_NOT_IN_NAMES = ("Cc", "Cs", "Zl", "Zp")
"""Control characters, bytes that are not UTF-8, and ends of lines, as Unicode calls them."""
_ORIENTATION, _BITS = 0x0112, 258
_DEEP = "16 bits a colour; reduce it to 8 first"
_REFUSED = {
    "P": "a palette; convert it to grey or RGB first",
    "PA": "a palette with transparency; convert it to grey or RGB first",
    "LA": "transparency; put it on a background first",
    "La": "transparency; put it on a background first",
    "RGBA": "transparency; put it on a background first",
    "RGBa": "transparency; put it on a background first",
    "CMYK": "CMYK; convert it to RGB first",
    "F": "floating point; reduce it to 8 bits first",
}


@dataclass(frozen=True)
class Folder:
    """The pictures of a folder.

    Args:
        pictures: all of them, in the order of the names of their files.
        classes: the names of the classes; empty if the pictures lie side by side.
        y: for each picture the place of its class.
    """

    pictures: Pictures
    classes: tuple[str, ...]
    y: NDArray[np.int64]


def is_folder_of_pictures(path: Path) -> bool:
    """Return whether a folder has a picture in it, or in a folder in it."""
    if not path.is_dir():
        return False
    return any(_is_picture(p) for p in path.iterdir()) or any(
        _is_picture(p) for folder in path.iterdir() if folder.is_dir() for p in folder.iterdir()
    )


def read_folder(path: Path) -> Folder:
    """Return the pictures of a folder, in the order of the names of their files.

    Numbers in names count as numbers. So pictures that were written one by one into the folders of
    their classes are read in the order in which they were.

    Raises:
        DataError: there is something else in it, or a picture is damaged, of another size or
            kind than the first, or of a kind that would lose values.
    """
    notes: list[str] = []
    inside = _entries(path, notes)
    folders = [entry for entry in inside if entry.is_dir()]
    if folders and len(folders) < len(inside):
        other = next(entry for entry in inside if not entry.is_dir())
        raise DataError(
            f"{path}: expected a folder of pictures for each class, got the file {other.name} "
            f"beside the folders; move it elsewhere"
        )
    files = [
        (file, place)
        for place, folder in enumerate(folders or [path])
        for file in _files(folder, notes)
    ]
    files.sort(key=lambda file: (_in_order(file[0].stem), file[1]))
    pictures = _read([file for file, _ in files], path, notes)
    y = np.array([place for _, place in files])
    return Folder(pictures, tuple(folder.name for folder in folders), y)


def _in_order(name: str) -> list[tuple[int, str]]:
    """Return a key by which x10 stands after x9."""
    return [
        (int(part) if part.isdecimal() else -1, part) for part in re.split(r"(\d+)", name) if part
    ]


def _entries(path: Path, notes: list[str]) -> list[Path]:
    """Return what is in a folder, but for what file managers leave, of which a line tells."""
    try:
        entries = sorted(path.iterdir(), key=lambda entry: entry.name)
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error})") from None
    hidden = [e for e in entries if e.name.startswith(".") or e.name.lower() in _OF_SYSTEMS]
    if hidden:
        notes.append(f"{path}: {', '.join(e.name for e in hidden)}: hidden, not read")
    if len(hidden) == len(entries):
        raise DataError(f"{path}: expected pictures, got an empty folder; fill or remove it")
    for entry in entries:
        if any(unicodedata.category(c) in _NOT_IN_NAMES for c in entry.name):
            raise DataError(
                f"{str(path)!r}: expected names in UTF-8 without line breaks or control "
                f"characters, got {entry.name!r}; rename it"
            )
    return [entry for entry in entries if entry not in hidden]


def _files(folder: Path, notes: list[str]) -> list[Path]:
    entries = _entries(folder, notes)
    for entry in entries:
        if entry.is_dir() or not _is_picture(entry):
            what = "a folder" if entry.is_dir() else "another file"
            cure = f"; if this is a class, name the folder {folder} instead" * entry.is_dir()
            raise DataError(
                f"{entry}: expected a picture ({' '.join(_SUFFIXES)}), got {what}; a folder holds "
                f"the pictures of one class and nothing else{cure}"
            )
    return entries


def _is_picture(path: Path) -> bool:
    return path.suffix.lower() in _SUFFIXES and path.is_file()


def _read(files: Sequence[Path], folder: Path, notes: list[str]) -> Pictures:
    first, turned = _read_one(files[0])
    x = np.empty((len(files), first.size), np.float32)
    count = int(turned)
    x[0] = first.ravel()
    for row, file in enumerate(files[1:], 1):
        picture, turned = _read_one(file)
        if picture.shape != first.shape:
            raise DataError(
                f"{file}: expected {_described(first)}, as {files[0]} is, got "
                f"{_described(picture)}; bring all to one size and kind first"
            )
        x[row] = picture.ravel()
        count += turned
    if count:
        notes.append(f"{folder.name}: {count} pictures are turned upright, as their EXIF data says")
    return Pictures(x, first.shape, 255.0, tuple(notes))


def _described(picture: NDArray[Any]) -> str:
    height, width = picture.shape[-2:]
    return f"{'grey' if picture.ndim == 2 else 'RGB'} of height {height} and width {width}"


def _read_one(path: Path) -> tuple[NDArray[np.uint8], bool]:
    """Return a picture, (height, width) or (3, height, width), and whether it was turned."""
    from PIL import Image, ImageOps

    try:
        with warnings.catch_warnings():
            # damaged metadata, and pictures so large that they may be an attack
            warnings.simplefilter("error")
            with Image.open(path) as picture:
                _check_kind(path, picture)
                picture.load()
                turned = picture.getexif().get(_ORIENTATION, 1) in range(2, 9)
                upright = ImageOps.exif_transpose(picture) if turned else picture
                grey = upright.mode in ("1", "L")
                array = np.asarray(upright.convert("L") if grey else upright)
    except DataError:
        raise
    except Exception as error:  # Pillow's readers raise whatever they meet in a damaged file
        said = " ".join(str(error).split())[:200]
        raise DataError(f"{path}: expected a picture, got a damaged file ({said})") from None
    return (array if grey else np.moveaxis(array, 2, 0)), turned


def _check_kind(path: Path, picture: Any) -> None:
    """Raise a `DataError` if reading a picture as grey or RGB of 8 bits would lose something."""
    got = _REFUSED.get(picture.mode)
    if getattr(picture, "n_frames", 1) > 1:
        got = f"{picture.n_frames} frames; save one of them"
    elif got is None and _is_deep(path, picture):
        got = _DEEP
    elif "transparency" in picture.info:
        got = _REFUSED["RGBA"]
    elif got is None and picture.mode not in ("1", "L", "RGB"):
        got = f"the mode {picture.mode}; convert it to grey or RGB first"
    if got is not None:
        raise DataError(f"{path}: expected a picture in grey or RGB of 8 bits, got {got}")


def _is_deep(path: Path, picture: Any) -> bool:
    """Return whether a colour has more than 8 bits: of an RGB picture Pillow drops the rest."""
    if picture.mode.startswith("I"):
        return True
    if picture.format == "PNG":
        with path.open("rb") as file:
            return int(file.read(25)[24]) > 8
    if picture.format == "TIFF":
        bits = picture.tag_v2.get(_BITS, (8,))
        return bool(max(bits if isinstance(bits, tuple) else (bits,)) > 8)
    return False
