"""Pictures as escape sequences of terminals that draw pixels: kitty, sixel and iTerm2.

The encoders are our own: textual-image, the library for it, queries the terminal while it is
imported, leaves sixels behind on overlays, and its newest release needs a newer Python than ours.
"""

import base64
import io
import math
from dataclasses import dataclass
from functools import cache

import numpy as np
from PIL import Image

from workbench.datasets.decoding import to_array
from workbench.machine.terminal_graphics import Graphics

MAX_CELLS = 245  # columns and rows of a picture: as many as there are marks of kitty below
_CHUNK = 4096  # base64 characters in a sequence of kitty
_PLACEHOLDER = "\U0010eeee"
_FULL = 80 * 24  # cells that may take all of the bytes; fewer have their share
_LEAST = 4096  # bytes that each may have
_SHRINK = 0.9  # of the sides, beyond what the excess in bytes suggests
# First and last of each range of the combining marks that number rows and columns, see
# https://sw.kovidgoyal.net/kitty/graphics-protocol/#unicode-placeholders
_MARKS = (
    "0305 030D-030E 0310 0312 033D-033F 0346 034A-034C 0350-0352 0357 035B 0363-036F 0483-0487 "
    "0592-0595 0597-0599 059C-05A1 05A8-05A9 05AB-05AC 05AF 05C4 0610-0617 0657-065B 065D-065E "
    "06D6-06DC 06DF-06E2 06E4 06E7-06E8 06EB-06EC 0730 0732-0733 0735-0736 073A 073D 073F-0741 "
    "0743 0745 0747 0749-074A 07EB-07F1 07F3 0816-0819 081B-0823 0825-0827 0829-082D 0951 "
    "0953-0954 0F82-0F83 0F86-0F87 135D-135F 17DD 193A 1A17 1A75-1A7C 1B6B 1B6D-1B73 1CD0-1CD2 "
    "1CDA-1CDB 1CE0 1DC0-1DC1 1DC3-1DC9 1DCB-1DCC 1DD1-1DE6 1DFE 20D0-20D1 20D4-20D7 20DB-20DC "
    "20E1 20E7 20E9 20F0 2CEF-2CF1 2DE0-2DFF"
)


@dataclass(frozen=True)
class Encoded:
    """A picture as a terminal takes it.

    Attributes:
        columns: cells it covers.
        rows: cells it covers.
        sequence: kitty: stores the picture, which the cells of `placeholders` then show. Sixel and
            iTerm2: draws it at the cursor, which may move.
    """

    columns: int
    rows: int
    sequence: str


def encode_picture(
    graphics: Graphics, pixels: np.ndarray, box: tuple[int, int], image_id: int = 0
) -> Encoded:
    """Encode a picture as large as fits into a box of cells, with its proportions.

    No more pixels are sent than the cells have, nor, where the terminal enlarges, than the picture
    has; over a slow line fewer, until the bytes stay within the limit.

    Args:
        graphics: of the terminal.
        pixels: uint8, (h, w, 3) RGB or (h, w, 1) grey.
        box: columns and rows, at least 1.
        image_id: under which kitty keeps the picture; replaces an older one of this id.
    """
    width, height, columns, rows = _fit(pixels.shape, box, graphics.cell)
    scale, limit = 1.0, graphics.max_bytes
    if limit:
        limit = max(_LEAST, limit * min(columns * rows, _FULL) // _FULL)
    if graphics.protocol != "sixel":
        scale = min(1.0, math.sqrt(pixels.shape[0] * pixels.shape[1] / (width * height)))
    while True:
        size = max(1, round(height * scale)), max(1, round(width * scale))
        image = _image(to_array(_image(pixels), size, pixels.shape[2]))
        match graphics.protocol:
            case "kitty":
                sequence = kitty_image(_png(image), image_id, columns, rows)
            case "iterm2":
                sequence = iterm2_image(_png(image), columns, rows)
            case _:
                full = image.resize((width, height), Image.Resampling.NEAREST)
                sequence = sixel_image(full, graphics.colors)
        excess = len(sequence) / limit if limit else 0.0
        if excess <= 1.0 or size == (1, 1):
            return Encoded(columns, rows, sequence)
        # Bytes of a PNG are as its pixels, those of a sixel nearly as its side: runs get longer.
        scale *= _SHRINK / (excess if graphics.protocol == "sixel" else math.sqrt(excess))


def _fit(
    shape: tuple[int, ...], box: tuple[int, int], cell: tuple[int, int]
) -> tuple[int, int, int, int]:
    """Return width and height in pixels, columns and rows."""
    across, down = min(box[0], MAX_CELLS), min(box[1], MAX_CELLS)
    scale = min(across * cell[0] / shape[1], down * cell[1] / shape[0])
    width = min(max(1, round(shape[1] * scale)), across * cell[0])
    height = min(max(1, round(shape[0] * scale)), down * cell[1])
    return width, height, math.ceil(width / cell[0]), math.ceil(height / cell[1])


def _image(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(pixels[..., 0] if pixels.shape[2] == 1 else pixels)


def _png(image: Image.Image) -> str:
    """Return a PNG file in base64; the lowest level is nearly as small and much faster."""
    content = io.BytesIO()
    image.save(content, "PNG", compress_level=1)
    return base64.b64encode(content.getvalue()).decode("ascii")


# kitty


def kitty_image(png: str, image_id: int, columns: int, rows: int) -> str:
    """Return what stores a PNG in base64, for placeholders of so many columns and rows.

    A picture shown by placeholders is text to Textual: overlays, scrolling, tmux and a redraw of
    single cells need no further care. `q=2` asks for no answer: it would arrive as keys.
    """
    first = f"a=T,U=1,q=2,f=100,i={image_id},c={columns},r={rows},"
    chunks = [png[start : start + _CHUNK] for start in range(0, len(png), _CHUNK)]
    last = len(chunks) - 1
    return "".join(
        f"\x1b_G{first if number == 0 else 'q=2,'}m={int(number < last)};{chunk}\x1b\\"
        for number, chunk in enumerate(chunks)
    )


def kitty_delete(image_id: int) -> str:
    """Return what deletes a picture with all its placements, and frees its memory."""
    return f"\x1b_Ga=d,d=I,q=2,i={image_id}\x1b\\"


def placeholders(columns: int, row: int) -> str:
    """Return the cells of a row of a picture; their foreground color is the picture's id.

    Each cell carries its row and column, so that any part of the row can be drawn alone.
    """
    marks = _marks()
    return "".join(f"{_PLACEHOLDER}{marks[row]}{marks[column]}" for column in range(columns))


@cache
def _marks() -> str:
    ranges = (part.partition("-") for part in _MARKS.split())
    return "".join(
        chr(code)
        for first, _, last in ranges
        for code in range(int(first, 16), int(last or first, 16) + 1)
    )


# iTerm2


def iterm2_image(png: str, columns: int, rows: int) -> str:
    """Return what draws a PNG in base64 into cells at the cursor.

    See https://iterm2.com/documentation-images.html
    """
    padding = len(png) - len(png.rstrip("="))
    return (
        f"\x1b]1337;File=inline=1;size={len(png) // 4 * 3 - padding};width={columns};height={rows};"
        f"preserveAspectRatio=1;doNotMoveCursor=1:{png}\x07"
    )


# Sixel


def sixel_image(image: Image.Image, colors: int = 256) -> str:
    """Return what draws a picture at the cursor, one pixel of it on one of the terminal.

    A band of six rows is drawn color by color; see DEC's VT330/VT340 manual, chapter 14.

    Args:
        image: mode L or RGB.
        colors: of the palette, which is the picture's own. An octree is 50 times as fast as a
            median cut, and within 3 dB of it.
    """
    reduced = image.convert("RGB").quantize(
        colors, Image.Quantize.FASTOCTREE, dither=Image.Dither.NONE
    )
    indices = np.asarray(reduced, np.int64)
    palette = np.asarray(reduced.getpalette()).reshape(-1, 3)[: int(indices.max()) + 1]
    percent = (palette * 100 + 127) // 255
    registers = "".join(f"#{n};2;{r};{g};{b}" for n, (r, g, b) in enumerate(percent.tolist()))
    height, width = indices.shape
    # P2 = 1: pixels that no color sets stay as they are. Then raster: aspect 1:1, width, height.
    return f'\x1bP0;1;0q"1;1;{width};{height}{registers}{_bands(indices)}\x1b\\'


def _bands(indices: np.ndarray) -> str:
    """Return the pixels of all bands.

    The steps are over arrays of all runs at once: a loop over runs takes a second for a photo.
    """
    height, width = indices.shape
    bands, colors = math.ceil(height / 6), int(indices.max()) + 1
    bits = np.zeros(bands * colors * width, np.uint8)  # of each band, color and column
    across = np.arange(width)
    for row in range(6):
        part = indices[row::6]
        at = (np.arange(len(part))[:, None] * colors + part) * width + across
        bits[at.ravel()] |= 1 << row  # a pixel has one color, so no index comes twice
    set_at = np.flatnonzero(bits != 0)
    values, lines, columns = bits[set_at], set_at // width, set_at % width
    starts = np.ones(len(set_at), bool)
    starts[1:] = (np.diff(set_at) != 1) | (np.diff(values) != 0) | (np.diff(lines) != 0)
    first = np.flatnonzero(starts)
    lengths = np.diff(first, append=len(set_at))
    values, lines, columns = values[first], lines[first], columns[first]
    ends = columns + lengths
    new = np.ones(len(first), bool)  # the first run of a color in a band
    new[1:] = np.diff(lines) != 0
    gaps = columns.copy()
    gaps[~new] -= ends[:-1][~new[1:]]

    repeat = np.array([*[""] * 4, *(f"!{n}" for n in range(4, width + 1))], object)
    single = np.array([[chr(63 + v) * max(n, 1) for n in range(4)] for v in range(64)], object)
    in_line = np.array([f"#{color}" for color in range(colors)], object)[lines % colors]
    breaks = np.diff(lines // colors, prepend=0)
    texts = np.full((len(first), 6), "", object)
    texts[:, 0] = np.where(breaks > 0, "-", np.where(new & (np.arange(len(first)) > 0), "$", ""))
    texts[:, 1] = np.where(new, in_line, "")
    texts[:, 2] = repeat[gaps]
    texts[:, 3] = np.where(gaps > 0, single[0, np.where(gaps < 4, gaps, 1)], "")
    texts[:, 4] = repeat[lengths]
    texts[:, 5] = single[values, np.where(lengths < 4, lengths, 1)]
    return "".join(texts.ravel().tolist())
