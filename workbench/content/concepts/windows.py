"""The places of a sliding window along one side of an image, drawn in characters."""

from dataclasses import dataclass
from functools import cached_property

from workbench.content.concepts.concept import plain
from workbench.experiment.stack import window_output
from workbench.text import plural

STRIP = 42  # cells of the image that fit; of longer ones the middle is left out
SHOWN = 4  # windows that are drawn; of more the first ones and the last
LABEL = 11  # columns before the cells
PIXEL, ZERO, WINDOW = "·", "0", "■"


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
        """How many places there are: the side of the map that comes out."""
        return max(window_output(self.size, self.kernel, self.stride, self.padding), 0)

    @cached_property
    def zeros(self) -> tuple[int, int]:
        """Zeros laid before and after the pixels.

        As TensorFlow's "SAME" does: as many as the last window needs, the odd one after.
        """
        if self.padding != "same":
            return 0, 0
        needed = max((self.output - 1) * self.stride + self.kernel - self.size, 0)
        return needed // 2, needed - needed // 2

    @property
    def starts(self) -> tuple[int, ...]:
        """Where each window begins, counted from the first pixel; zeros before it are negative."""
        return tuple(n * self.stride - self.zeros[0] for n in range(self.output))

    @property
    def unseen(self) -> int:
        """Pixels that no window reaches: at the end, or between windows that step over them."""
        seen = {start + pixel for start in self.starts for pixel in range(self.kernel)}
        return len(set(range(self.size)) - seen)

    def formula(self) -> str:
        """Keras's formula with these numbers, and what it gives."""
        if self.padding == "same":
            return f"{self.size} / {self.stride}, rounded up = {self.output}"
        if not self.output:
            return f"a window of {self.kernel} does not fit into {plural(self.size, 'pixel')}"
        steps = f"({self.size} - {self.kernel}) / {self.stride}, rounded down,"
        if self.stride == 1:
            steps = f"{self.size} - {self.kernel}"
        return f"{steps} + 1 = {self.output}"

    def result(self) -> str:
        """What becomes of a square map: 7x7 -> 5x5, 25 values."""
        size, out = self.size, self.output
        told = plural(self.unseen, "pixel") + " unseen" if self.unseen else f"{out * out:,} values"
        return f"{size}x{size} → {out}x{out}, {told}"

    def lines(self, utf8: bool = True) -> list[str]:
        """Formula, pixels, the windows at their places, and what comes out: at most 7 lines."""
        drawn = [f"{'output':<{LABEL}}{self.formula()}", self._row("pixels", self._pixels())]
        drawn += [self._row(*self._window(n)) if n else self._row("", "...") for n in self._told()]
        if self.output:
            drawn.append(f"{'map':<{LABEL}}{self.result()}")
        return drawn if utf8 else [plain(line) for line in drawn]

    def _told(self) -> list[int]:
        """Numbers of the windows that are drawn, from 1; 0 stands for those left out."""
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
        """A label and cells: two columns each where there is room, else without their middle."""
        if len(cells) * 2 <= STRIP:
            cells = " ".join(cells) if cells != "..." else cells
        elif len(cells) > STRIP:
            half = (STRIP - 3) // 2
            cells = f"{cells[:half]}...{cells[-half:]}"
        return f"{label:<{LABEL}}{cells}".rstrip()
