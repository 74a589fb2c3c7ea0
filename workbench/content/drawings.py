"""Drawings in characters: their ASCII form, and a window sliding along one side of an image."""

from dataclasses import dataclass
from functools import cached_property

from workbench.experiment.stack import window_output
from workbench.text import plural

STRIP = 42  # cells of the image that fit; the middle of a longer one is left out
SHOWN = 4  # windows drawn at most; of more, the first two and the last
LABEL = 11  # columns before the cells
PIXEL, ZERO, WINDOW = "·", "0", "■"
# One ASCII character for each other one that the drawings use, so that columns stay aligned.
_ASCII = str.maketrans(
    "─│┌┐└┘├┤┬┴┼→←↑↓█▓▒░■□·×▁▂▃▄▅▆▇╱╲╭╮╰╯┄┆●○▏▎▍▌▋▊▉°✓✗",
    "-|+++++++++><^v##:.#o.x__..-=#/\\....-:*o|||||||.+x",
)


def to_ascii(picture: str) -> str:
    """Return a drawing of the same size in ASCII characters only."""
    return picture.translate(_ASCII)


@dataclass(frozen=True)
class Windows:
    """A window of `kernel` pixels sliding over a side of `size` pixels.

    Args:
        padding: "valid" or "same", as in Keras.
        stride: pixels from one place to the next.
    """

    size: int
    kernel: int
    padding: str
    stride: int

    @property
    def output(self) -> int:
        """Number of places: the side of the output map."""
        return max(window_output(self.size, self.kernel, self.stride, self.padding), 0)

    @cached_property
    def zeros(self) -> tuple[int, int]:
        """Zeros before and after the pixels, as TensorFlow's "SAME" pads: the odd one after."""
        if self.padding != "same":
            return 0, 0
        needed = max((self.output - 1) * self.stride + self.kernel - self.size, 0)
        return needed // 2, needed - needed // 2

    @property
    def starts(self) -> tuple[int, ...]:
        """Start of each window, counted from the first pixel; negative in the padding."""
        return tuple(n * self.stride - self.zeros[0] for n in range(self.output))

    @property
    def unseen(self) -> int:
        """Number of pixels that no window covers, at the end or between windows."""
        seen = {start + pixel for start in self.starts for pixel in range(self.kernel)}
        return len(set(range(self.size)) - seen)

    def formula(self) -> str:
        """Return Keras's formula with these numbers and its result."""
        if self.padding == "same":
            return f"{self.size} / {self.stride}, rounded up = {self.output}"
        if not self.output:
            return f"a window of {self.kernel} does not fit into {plural(self.size, 'pixel')}"
        steps = f"({self.size} - {self.kernel}) / {self.stride}, rounded down,"
        if self.stride == 1:
            steps = f"{self.size} - {self.kernel}"
        return f"{steps} + 1 = {self.output}"

    def result(self) -> str:
        """Return the change of a square map: 7x7 -> 5x5, 25 values."""
        size, out = self.size, self.output
        note = plural(self.unseen, "pixel") + " unseen" if self.unseen else f"{out * out:,} values"
        return f"{size}x{size} → {out}x{out}, {note}"

    def lines(self, utf8: bool = True) -> list[str]:
        """Return formula, pixels, windows at their places and output map: at most 7 lines."""
        drawn = [f"{'output':<{LABEL}}{self.formula()}", self._row("pixels", self._pixels())]
        drawn += [self._row(*self._window(n)) if n else self._row("", "...") for n in self._shown()]
        if self.output:
            drawn.append(f"{'map':<{LABEL}}{self.result()}")
        return drawn if utf8 else [to_ascii(line) for line in drawn]

    def _shown(self) -> list[int]:
        """Return the numbers of the windows to draw, from 1; 0 stands for those left out."""
        if self.output <= SHOWN:
            return list(range(1, self.output + 1))
        return [1, 2, 0, self.output]

    def _pixels(self) -> str:
        before, after = self.zeros
        return ZERO * before + PIXEL * self.size + ZERO * after

    def _window(self, number: int) -> tuple[str, str]:
        before, after = self.zeros
        blank = " " * (self.size + before + after)
        start = self.starts[number - 1] + before
        return f"place {number}", blank[:start] + WINDOW * self.kernel + blank[
            start + self.kernel :
        ]

    def _row(self, label: str, cells: str) -> str:
        """Return a label and cells, two columns each if they fit, else without their middle."""
        if len(cells) * 2 <= STRIP:
            cells = " ".join(cells) if cells != "..." else cells
        elif len(cells) > STRIP:
            half = (STRIP - 3) // 2
            cells = f"{cells[:half]}...{cells[-half:]}"
        return f"{label:<{LABEL}}{cells}".rstrip()
