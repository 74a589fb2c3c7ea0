"""A terminal that draws pixels: kitty's placeholders, sixel, iTerm2; what it would show."""

import base64
import io
import re
import unicodedata
from dataclasses import dataclass, field

import numpy as np
from PIL import Image

BLANK = (18, 18, 18)
_TOKEN = re.compile(
    r"\x1b_G(?P<kitty>[^\x1b]*)\x1b\\|\x1bP(?P<sixel>[\d;]*q[^\x1b]*)\x1b\\"
    r"|\x1bPtmux;(?P<tmux>(?:\x1b\x1b|[^\x1b])*)\x1b\\"
    r"|\x1b\]1337;File=(?P<iterm2>[^\x07]*)\x07|\x1b\](?P<osc>[^\x07\x1b]*)(?:\x07|\x1b\\)"
    r"|\x1b\[(?P<csi>[0-?]*[ -/]*[@-~])|\x1b(?P<esc>[78=>])|(?P<character>.)",
    re.DOTALL,
)


def decode_png(text: str) -> np.ndarray:
    """Decode base64 of a PNG to uint8 (h, w, 3)."""
    with Image.open(io.BytesIO(base64.b64decode(text, validate=True)), formats=("PNG",)) as image:
        return np.asarray(image.convert("RGB"))


def decode_sixel(text: str) -> np.ndarray:
    """Decode what is between DCS and ST to uint8 (h, w, 3); every pixel must be set once."""
    head, _, body = text.partition("q")
    assert head == "0;1;0"
    palette: dict[int, tuple[int, ...]] = {}
    width = height = x = y = color = 0
    pixels = set_count = np.zeros((0, 0))
    parts = re.finditer(r'"(?P<raster>[\d;]+)|#(?P<color>[\d;]+)|!(?P<count>\d+)|(?P<one>.)', body)
    repeat = 1
    for part in parts:
        if part["raster"]:
            _, _, width, height = map(int, part["raster"].split(";"))
            pixels = np.zeros((height, width, 3), np.uint8)
            set_count = np.zeros((height, width), int)
        elif part["color"]:
            numbers = [int(one) for one in part["color"].split(";")]
            color = numbers[0]
            if len(numbers) > 1:
                assert numbers[1] == 2
                palette[color] = tuple(round(percent * 255 / 100) for percent in numbers[2:])
        elif part["count"]:
            repeat = int(part["count"])
        elif part["one"] == "$":
            x = 0
        elif part["one"] == "-":
            x, y = 0, y + 6
        else:
            bits = ord(part["one"]) - 63
            assert 0 <= bits < 64
            for row in range(6):
                if bits >> row & 1:
                    pixels[y + row, x : x + repeat] = palette[color]
                    set_count[y + row, x : x + repeat] += 1
            x, repeat = x + repeat, 1
            assert x <= width
    assert (set_count == 1).all()
    return pixels


@dataclass
class Stored:
    """A picture of kitty."""

    pixels: np.ndarray
    columns: int
    rows: int


@dataclass
class PixelTerminal:
    """A screen of cells with pixels.

    Attributes:
        marks: that number rows and columns of kitty's placeholders.
        drawn: sixel and iTerm2 pictures so far.
    """

    columns: int
    rows: int
    cell: tuple[int, int]
    marks: str = ""
    stored: dict[int, Stored] = field(default_factory=dict)
    drawn: int = 0
    scrolled: int = 0

    def __post_init__(self) -> None:
        width, height = self.cell
        self.canvas = np.full((self.rows * height, self.columns * width, 3), BLANK, np.uint8)
        self.text = [[" "] * self.columns for _ in range(self.rows)]
        self.numbers = np.zeros((self.rows, self.columns), int)
        self._x = self._y = 0
        self._saved = (0, 0)
        self._style: dict[str, tuple[int, int, int] | int | None] = {}
        self._chunks: list[str] = []
        self._header: dict[str, str] = {}

    def feed(self, text: str) -> None:
        for token in _TOKEN.finditer(text):
            kind, value = token.lastgroup, token[token.lastgroup or 0]
            if kind is not None:
                getattr(self, f"_{kind}")(value)

    def shown(self) -> np.ndarray:
        """Return the pixels of the whole screen."""
        width, height = self.cell
        canvas = self.canvas.copy()
        for y, x in np.argwhere(self.numbers >= 0) if self.stored else ():
            cell = self.text[y][x]
            stored = self.stored.get(int(self.numbers[y, x]))
            if cell[0] != "\U0010eeee" or stored is None:
                continue
            row, column = (self.marks.index(mark) for mark in cell[1:])
            full = fitted(stored.pixels, stored.columns * width, stored.rows * height)
            part = full[row * height :, column * width :][:height, :width]
            canvas[y * height : (y + 1) * height, x * width : (x + 1) * width] = part
        return canvas

    def pixels(self, x: int, y: int, columns: int, rows: int) -> np.ndarray:
        """Return the pixels of some cells."""
        width, height = self.cell
        return self.shown()[y * height : (y + rows) * height, x * width : (x + columns) * width]

    def line(self, y: int) -> str:
        return "".join(self.text[y])

    def _kitty(self, value: str) -> None:
        header, _, payload = value.partition(";")
        keys = dict(part.split("=", 1) for part in header.split(","))
        assert keys["q"] == "2", "an answer would arrive as keys"
        if keys.get("a") == "d":
            assert keys["d"] == "I"
            self.stored.pop(int(keys["i"]), None)
            return
        if not self._chunks:
            self._header = keys
        assert len(payload) <= 4096
        self._chunks.append(payload)
        if keys["m"] == "1":
            assert len(payload) % 4 == 0
            return
        first = self._header
        assert (first["a"], first["U"], first["f"]) == ("T", "1", "100")
        pixels = decode_png("".join(self._chunks))
        self.stored[int(first["i"])] = Stored(pixels, int(first["c"]), int(first["r"]))
        self._chunks = []

    def _tmux(self, value: str) -> None:
        self.feed(value.replace("\x1b\x1b", "\x1b"))

    def _sixel(self, value: str) -> None:
        self._paint(decode_sixel(value))

    def _iterm2(self, value: str) -> None:
        header, _, payload = value.partition(":")
        keys = dict(part.split("=", 1) for part in header.split(";"))
        assert (keys["inline"], keys["preserveAspectRatio"]) == ("1", "1")
        assert int(keys["size"]) == len(base64.b64decode(payload))
        columns, rows = int(keys["width"]), int(keys["height"])
        pixels = decode_png(payload)
        self._paint(fitted(pixels, columns * self.cell[0], rows * self.cell[1]))

    def _paint(self, pixels: np.ndarray) -> None:
        x, y = self._x * self.cell[0], self._y * self.cell[1]
        assert y + len(pixels) <= (self.rows - 1) * self.cell[1], "drawing here may scroll"
        assert x + pixels.shape[1] <= self.canvas.shape[1]
        self.canvas[y : y + len(pixels), x : x + pixels.shape[1]] = pixels
        self.drawn += 1

    def _esc(self, value: str) -> None:
        if value == "7":
            self._saved = self._x, self._y
        elif value == "8":
            self._x, self._y = self._saved

    def _osc(self, value: str) -> None:
        """Ignore titles and clipboards."""

    def _csi(self, value: str) -> None:
        if value[-1] == "H":
            row, _, column = value[:-1].partition(";")
            self._x, self._y = int(column or 1) - 1, int(row or 1) - 1
        elif value[-1] == "m":
            self._sgr([int(part or 0) for part in value[:-1].split(";")])

    def _sgr(self, numbers: list[int]) -> None:
        while numbers:
            first = numbers.pop(0)
            if first == 0:
                self._style = {}
            elif first in (38, 48):
                ground = "front" if first == 38 else "back"
                if numbers.pop(0) == 5:
                    self._style[ground] = numbers.pop(0)
                else:
                    self._style[ground] = numbers[0], numbers[1], numbers[2]
                    del numbers[:3]

    def _character(self, value: str) -> None:
        if value == "\n":
            self._y += 1
            self._x = 0
        elif value == "\r":
            self._x = 0
        elif value >= " " and unicodedata.combining(value):
            self.text[self._y][self._x - 1] += value
        elif value >= " ":
            self._cell(value)
            self._x += 1

    def _cell(self, value: str) -> None:
        x, y = self._x, self._y
        width, height = self.cell
        front, back = self._style.get("front"), self._style.get("back")
        self.text[y][x] = value
        number = front if isinstance(front, int) else 0
        if isinstance(front, tuple):
            number = front[0] << 16 | front[1] << 8 | front[2]
        self.numbers[y, x] = number
        ground = back if isinstance(back, tuple) else BLANK
        block = self.canvas[y * height : (y + 1) * height, x * width : (x + 1) * width]
        block[:] = ground
        if value == "▀" and isinstance(front, tuple):
            block[: height // 2] = front


def fitted(pixels: np.ndarray, width: int, height: int) -> np.ndarray:
    """Return pixels enlarged or reduced into a box, in its middle, with their proportions."""
    scale = min(width / pixels.shape[1], height / pixels.shape[0])
    size = min(width, round(pixels.shape[1] * scale)), min(height, round(pixels.shape[0] * scale))
    image = Image.fromarray(pixels).resize(size, Image.Resampling.NEAREST)
    canvas = np.full((height, width, 3), BLANK, np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    canvas[top : top + size[1], left : left + size[0]] = np.asarray(image)
    return canvas
