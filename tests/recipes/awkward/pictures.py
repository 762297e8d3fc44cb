"""Folders of pictures."""

import numpy as np
from PIL import Image

from recipes.awkward.case import RNG, Case

PIXELS = RNG.integers(0, 256, (24, 5, 4), dtype=np.uint8)
COLOURS = RNG.integers(0, 256, (24, 5, 4, 3), dtype=np.uint8)
CLASS = ["cat" if i % 2 else "dog" for i in range(24)]


def folder(pictures=PIXELS, *, suffix=".png", change=lambda i, picture: picture, **others):
    """Return what writes pictures into a folder for each class, and other files beside."""

    def write(path):
        for name in ("cat", "dog"):
            (path / name).mkdir(parents=True)
        for i, pixels in enumerate(pictures):
            file = path / CLASS[i] / f"{i:03d}{suffix}"
            made = change(i, Image.fromarray(pixels))
            if isinstance(made, bytes):
                file.write_bytes(made)
            else:
                made.save(file, **(made.info.get("options") or {}))
        for name, content in others.get("beside", {}).items():
            (path / name).parent.mkdir(exist_ok=True, parents=True)
            (path / name).write_bytes(content)

    return write


def at(number, make):
    """Return what changes one picture."""
    return lambda i, picture: make(picture) if i == number else picture


def with_options(picture, **options):
    picture.info["options"] = options
    return picture


def turned(picture):
    """Return the picture on its side, with a note in EXIF that it is."""
    made = picture.transpose(Image.Transpose.ROTATE_90)
    exif = Image.Exif()
    exif[0x0112] = 6
    return with_options(made, exif=exif)


def deep_rgb(picture):
    """Return an RGB picture of 16 bits as bytes of a PNG, which Pillow opens as one of 8."""
    import struct
    import zlib

    width, height = picture.size
    pixels = np.asarray(picture).astype(">u2") * 257
    lines = b"".join(b"\0" + row.tobytes() for row in pixels)

    def chunk(kind, content):
        check = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + check

    header = struct.pack(">IIBBBBB", width, height, 16, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )


TRUE = PIXELS.reshape(24, -1)
GREY = {"x": TRUE, "y": CLASS, "picture": (5, 4), "largest": 255.0}
CASES = [
    Case("a folder for each class", "set", folder(), **GREY, has_y=True),
    Case("a folder of bitmaps", "set", folder(suffix=".BMP"), **GREY, has_y=True),
    Case(
        "a folder without loss, WebP",
        "set",
        folder(COLOURS, suffix=".webp", change=lambda i, p: with_options(p, lossless=True)),
        x=np.moveaxis(COLOURS, 3, 1).reshape(24, -1),
        y=GREY["y"],
        picture=(3, 5, 4),
        largest=255.0,
        has_y=True,
    ),
    Case(
        "black and white of one bit",
        "set",
        folder(change=lambda i, p: Image.fromarray(np.asarray(p) > 127)),
        x=(TRUE > 127) * 255,
        y=GREY["y"],
        picture=(5, 4),
        largest=255.0,
        has_y=True,
    ),
    Case(
        "coloured pictures",
        "set",
        folder(COLOURS),
        x=np.moveaxis(COLOURS, 3, 1).reshape(24, -1),
        y=GREY["y"],
        picture=(3, 5, 4),
        largest=255.0,
        has_y=True,
    ),
    Case(
        "hidden files",
        "set",
        folder(beside={".DS_Store": b"x", "cat/Thumbs.db": b"x"}),
        **GREY,
        has_y=True,
        notes=r"\.DS_Store: hidden, not read",
    ),
    Case(
        "turned by EXIF",
        "set",
        folder(suffix=".png", change=lambda i, p: turned(p)),
        **GREY,
        has_y=True,
        notes="24 pictures are turned upright",
    ),
    Case(
        "16 bits",
        "set",
        folder(change=at(3, lambda p: Image.fromarray(np.asarray(p).astype(np.uint16) * 257))),
        has_y=True,
        error=r"003\.png: .* got 16 bits a colour",
    ),
    Case(
        "16 bits of RGB",
        "set",
        folder(COLOURS, change=at(3, deep_rgb)),
        has_y=True,
        error=r"003\.png: .* got 16 bits a colour",
    ),
    Case(
        "transparency",
        "set",
        folder(COLOURS, change=lambda i, p: p.convert("RGBA")),
        has_y=True,
        error=r"000\.png: .* got transparency; put it on a background",
    ),
    Case(
        "grey with transparency",
        "set",
        folder(change=at(4, lambda p: p.convert("LA"))),
        has_y=True,
        error=r"004\.png: .* got transparency",
    ),
    Case(
        "one transparent grey",
        "set",
        folder(change=at(4, lambda p: with_options(p, transparency=3))),
        has_y=True,
        error=r"004\.png: .* got transparency",
    ),
    Case(
        "a palette",
        "set",
        folder(COLOURS, change=at(4, lambda p: p.convert("P"))),
        has_y=True,
        error=r"004\.png: .* got a palette; convert it",
    ),
    Case(
        "CMYK",
        "set",
        folder(COLOURS, suffix=".jpg", change=at(5, lambda p: p.convert("CMYK"))),
        has_y=True,
        error=r"005\.jpg: .* got CMYK",
    ),
    Case(
        "several frames",
        "set",
        folder(
            suffix=".tif",
            change=at(
                5,
                lambda p: with_options(
                    p, save_all=True, append_images=[p.transpose(Image.Transpose.ROTATE_180)]
                ),
            ),
        ),
        has_y=True,
        error=r"005\.tif: .* got 2 frames",
    ),
    Case(
        "floating point",
        "set",
        folder(
            suffix=".tif", change=at(5, lambda p: Image.fromarray(np.asarray(p) / np.float32(7)))
        ),
        has_y=True,
        error=r"005\.tif: .* got floating point",
    ),
    Case(
        "two sizes",
        "set",
        folder(change=at(7, lambda p: p.resize((4, 6)))),
        has_y=True,
        error=r"007\.png: .* height 5 and width 4, as .*000\.png is, got grey of height 6",
    ),
    Case(
        "grey among colours",
        "set",
        folder(COLOURS, change=at(7, lambda p: p.convert("L"))),
        has_y=True,
        error=r"007\.png: expected RGB .*000\.png is, got grey",
    ),
    Case(
        "a damaged picture",
        "set",
        folder(change=at(9, lambda p: b"\x89PNG\r\n\x1a\n no more")),
        has_y=True,
        error=r"009\.png: expected a picture, got a damaged file",
    ),
    Case(
        "an empty picture",
        "set",
        folder(change=at(9, lambda p: b"")),
        has_y=True,
        error=r"009\.png: expected a picture, got a damaged file",
    ),
    Case(
        "another file",
        "set",
        folder(beside={"cat/notes.txt": b"x"}),
        has_y=True,
        error=r"notes\.txt: expected a picture .* got another file",
    ),
    Case(
        "a file beside the folders",
        "set",
        folder(beside={"labels.csv": b"x"}),
        has_y=True,
        error="a folder of pictures for each class, got the file labels.csv",
    ),
    Case(
        "folders within folders",
        "set",
        folder(beside={"cat/more/x.png": b"x"}),
        has_y=True,
        error=r"more: expected a picture .* got a folder",
    ),
    Case(
        "an empty class",
        "set",
        folder(beside={"bird/.keep": b""}),
        has_y=True,
        error="bird: expected pictures, got an empty folder",
    ),
    Case(
        "one class",
        "set",
        lambda path: (
            (path / "cat").mkdir(parents=True)
            or [Image.fromarray(p).save(path / "cat" / f"{i}.png") for i, p in enumerate(PIXELS)]
        ),
        has_y=True,
        error="two classes or more, got 'cat' alone",
    ),
    Case(
        "pictures side by side where classes are asked for",
        "set",
        lambda path: (
            path.mkdir()
            or [Image.fromarray(p).save(path / f"{i:02d}.png") for i, p in enumerate(PIXELS)]
        ),
        has_y=True,
        error="a folder of pictures for each class, got pictures side by side",
    ),
    Case(
        "pictures side by side",
        "set",
        lambda path: (
            path.mkdir()
            or [Image.fromarray(p).save(path / f"{i:02d}.png") for i, p in enumerate(PIXELS)]
        ),
        x=PIXELS.reshape(24, -1),
        picture=(5, 4),
        largest=255.0,
    ),
]
