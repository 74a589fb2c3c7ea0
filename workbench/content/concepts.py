"""The concepts behind the workbench: one Markdown file each in `content/en`.

A file begins with a header between two lines `---`: `title`, `group`, `order` (its place in the
list of all concepts) and `related` (names of others). The text follows, a few plain sentences in
ASCII; then the drawing as a fenced block. A block ```` ```windows size=5 kernel=3 padding=valid
stride=1 ```` is drawn by `drawings.Windows`. The name of the file is the name of the concept.
"""

from dataclasses import dataclass
from pathlib import Path

from workbench.content.drawings import Windows, to_ascii

FOLDER = Path(__file__).parent / "en"
PICTURE_COLUMNS, PICTURE_ROWS = 54, 10  # beside the list of concepts on 80 columns
_FENCE = "```"


@dataclass(frozen=True)
class Concept:
    """One thing worth understanding.

    Attributes:
        name: kebab-case, as screens list it in their CONCEPTS.
        title: one line.
        text: a few plain sentences in ASCII, without line breaks.
        picture: at most `PICTURE_ROWS` lines of `PICTURE_COLUMNS` characters.
        group: concepts of one group follow one another.
        related: names of other concepts.
    """

    name: str
    title: str
    text: str
    picture: str
    group: str
    related: tuple[str, ...]

    def drawing(self, utf8: bool = True) -> str:
        """Return the picture, in pure ASCII for a terminal without UTF-8."""
        return self.picture if utf8 else to_ascii(self.picture)


def read_concepts(folder: Path = FOLDER) -> dict[str, Concept]:
    """Read every concept of a folder, in the order of their headers."""
    found = [_read(path) for path in folder.glob("*.md")]
    return {concept.name: concept for _, concept in sorted(found, key=lambda one: one[0])}


def _read(path: Path) -> tuple[int, Concept]:
    """Return a concept and its place in the list."""
    _, head, body = path.read_text("utf-8").split("---\n", 2)
    fields = dict(line.split(": ", 1) for line in head.splitlines())
    text, kind, drawing = _split_drawing(body)
    if kind:
        drawing = "\n".join(_windows(kind).lines())
    concept = Concept(
        name=path.stem,
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


CONCEPTS: dict[str, Concept] = read_concepts()
