"""The concepts behind the workbench: one Markdown file each in `content/LANGUAGE`.

A file begins with a header between two lines `---`: `title`, `group`, `order` (its place in the
list of all concepts), `related` (names of others) and, in languages other than English, `name` (a
short name for the list). The text follows, a few plain sentences, in English in ASCII; then the
drawing as a fenced block. A block ```` ```windows size=5 kernel=3 padding=valid stride=1 ```` is
drawn by `Windows`. The name of the file is the name of the concept: one that explains a key of the
spec has the key's name, such as `clip-norm` for `training.clip_norm`, and comes first in the help
of that option. What a language lacks is in English.
"""

from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

from workbench.bases.kinds import window_output
from workbench.messages import current_language, tr
from workbench.text import pad_cells, plural

FOLDER = Path(__file__).parent
PICTURE_COLUMNS, PICTURE_ROWS = 54, 10  # beside the list of concepts on 80 columns
_FENCE = "```"
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
            return tr(
                "{size} / {stride}, rounded up = {output}",
                size=self.size,
                stride=self.stride,
                output=self.output,
            )
        if not self.output:
            return tr(
                "a window of {kernel} does not fit into {pixels}",
                kernel=self.kernel,
                pixels=plural(self.size, "pixel"),
            )
        steps = tr(
            "({size} - {kernel}) / {stride}, rounded down,",
            size=self.size,
            kernel=self.kernel,
            stride=self.stride,
        )
        if self.stride == 1:
            steps = f"{self.size} - {self.kernel}"
        return f"{steps} + 1 = {self.output}"

    def result(self) -> str:
        """Return the change of a square map: 7x7 -> 5x5, 25 values."""
        size, out = self.size, self.output
        note = (
            tr("{pixels} unseen", pixels=plural(self.unseen, "pixel"))
            if self.unseen
            else tr("{out:,} values", out=out * out)
        )
        return f"{size}x{size} → {out}x{out}, {note}"

    def lines(self, utf8: bool = True) -> list[str]:
        """Return formula, pixels, windows at their places and output map: at most 7 lines."""
        drawn = [
            pad_cells(tr("output"), LABEL) + self.formula(),
            self._row(tr("pixels"), self._pixels()),
        ]
        drawn += [self._row(*self._window(n)) if n else self._row("", "...") for n in self._shown()]
        if self.output:
            drawn.append(pad_cells(tr("map"), LABEL) + self.result())
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
        return tr("place {number}", number=number), blank[:start] + WINDOW * self.kernel + blank[
            start + self.kernel :
        ]

    def _row(self, label: str, cells: str) -> str:
        """Return a label and cells, two columns each if they fit, else without their middle."""
        if len(cells) * 2 <= STRIP:
            cells = " ".join(cells) if cells != "..." else cells
        elif len(cells) > STRIP:
            half = (STRIP - 3) // 2
            cells = f"{cells[:half]}...{cells[-half:]}"
        return (pad_cells(label, LABEL) + cells).rstrip()


@dataclass(frozen=True)
class Concept:
    """One thing worth understanding.

    Attributes:
        name: kebab-case, as screens list it in their CONCEPTS.
        label: a short name in the language of the reader.
        title: one line.
        text: a few plain sentences without line breaks.
        picture: at most `PICTURE_ROWS` lines of `PICTURE_COLUMNS` cells.
        group: concepts of one group follow one another.
        related: names of other concepts.
        english: name, title and text in English, for a search in another language.
    """

    name: str
    label: str
    title: str
    text: str
    picture: str
    group: str
    related: tuple[str, ...]
    english: str = ""

    def drawing(self, utf8: bool = True) -> str:
        """Return the picture, in pure ASCII for a terminal without UTF-8."""
        return self.picture if utf8 else to_ascii(self.picture)


def read_concepts(language: str = "en") -> dict[str, Concept]:
    """Read every concept in a language, in English where it lacks one, in their usual order."""
    found = sorted((_read(path) for path in (FOLDER / "en").glob("*.md")), key=lambda one: one[0])
    english = {concept.name: concept for _, concept in found}
    if language == "en":
        return english
    return {name: _translated(concept, language) for name, concept in english.items()}


def _translated(concept: Concept, language: str) -> Concept:
    path = FOLDER / language / f"{concept.name}.md"
    if not path.exists():
        return concept
    words = f"{concept.label} {concept.title} {concept.text}"
    return replace(_read(path)[1], english=words)


def _read(path: Path) -> tuple[int, Concept]:
    """Return a concept and its place in the list."""
    _, head, body = path.read_text("utf-8").split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    text, kind, drawing = _split_drawing(body)
    if kind:
        drawing = "\n".join(_windows(kind).lines())
    concept = Concept(
        name=path.stem,
        label=fields.get("name") or path.stem.replace("-", " "),
        title=fields["title"],
        text=" ".join(text.split()),
        picture=drawing,
        group=fields["group"],
        related=tuple(fields["related"].split(", ")),
    )
    return int(fields["order"]), concept


def _split_drawing(body: str) -> tuple[str, str, str]:
    """Return the text, what stands behind the opening fence, and the drawing."""
    text, block, _ = body.split(_FENCE)
    kind, _, drawing = block.partition("\n")
    return text, kind, drawing.rstrip("\n")


def _windows(kind: str) -> Windows:
    values = dict(pair.split("=") for pair in kind.split()[1:])
    numbers = {name: int(value) for name, value in values.items() if name != "padding"}
    return Windows(padding=values["padding"], **numbers)


CONCEPTS: dict[str, Concept] = read_concepts(current_language())


def concept_of_key(key: str, other: str) -> str:
    """Return the concept that explains a key of the spec; `other` where none has its name."""
    table, _, name = key.rpartition(".")
    found = name.replace("_", "-")
    if found in CONCEPTS:
        return found
    return {"base": "transfer", "augmentation": "augmentation"}.get(table, other)
