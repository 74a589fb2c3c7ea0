"""What a concept is: a few sentences and a small drawing."""

from dataclasses import dataclass
from textwrap import dedent

PICTURE_COLUMNS, PICTURE_ROWS = 54, 10  # beside the list of concepts on 80 columns
# One ASCII character for each other one that the drawings use, so that columns stay aligned.
_PLAIN = str.maketrans(
    "─│┌┐└┘├┤┬┴┼→←↑↓█▓▒░■□·×▁▂▃▄▅▆▇╱╲╭╮╰╯┄┆●○▏▎▍▌▋▊▉°✓✗",
    "-|+++++++++><^v##:.#o.x__..-=#/\\....-:*o|||||||.+x",
)


def plain(picture: str) -> str:
    """A drawing in nothing but ASCII, of the same size."""
    return picture.translate(_PLAIN)


@dataclass(frozen=True)
class Concept:
    """One thing worth understanding.

    Attributes:
        name: kebab-case, as screens name it in their CONCEPTS.
        title: a line.
        text: a few plain sentences in ASCII, without line breaks.
        picture: at most `PICTURE_ROWS` lines of `PICTURE_COLUMNS` characters.
    """

    name: str
    title: str
    text: str
    picture: str

    def drawing(self, utf8: bool = True) -> str:
        """The picture for a terminal that shows more than ASCII, or for one that does not."""
        return self.picture if utf8 else plain(self.picture)


def concept(name: str, title: str, text: str, picture: str) -> Concept:
    """A concept from text and picture as they stand in the source, with breaks and margins."""
    lines = dedent(picture).strip("\n").rstrip().split("\n")
    return Concept(name, title, " ".join(text.split()), "\n".join(map(str.rstrip, lines)))


def by_name(*concepts: Concept) -> dict[str, Concept]:
    """Concepts by their names, in this order."""
    return {one.name: one for one in concepts}
