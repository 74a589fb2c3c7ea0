"""What a review and labelling show of a question: pictures, the model's opinion, the digits."""

from collections.abc import Callable, Mapping, Sequence
from functools import partial

import numpy as np
from PIL import Image
from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from workbench.app.review import Question
from workbench.datasets.manifest import ImageRecord
from workbench.messages import tr
from workbench.render.half_blocks import read_picture
from workbench.render.marks import bar
from workbench.text import safe_text
from workbench.ui.base import BaseApp, in_background
from workbench.ui.widgets.picture import Picture

DIGITS = 9  # labels that have a key of their own
SIDE = 30  # columns beside the picture
BAR = 10  # cells of a probability
NEIGHBOURS = 4
KEPT_PICTURES = 64
Cells = tuple[int, int]  # columns and rows
ReadPicture = Callable[[str, tuple[int, int] | None], Image.Image]  # of a path; (height, width)


class QuestionPanes(Horizontal):
    """An image large, or two side by side; beside one facts and its nearest labelled images.

    Attributes:
        read: returns the image of a path, see `RunImages.picture`; None as long as it is unknown.
        question: what is shown; None for nothing.
    """

    SCOPED_CSS = False
    DEFAULT_CSS = """
    QuestionPanes { height: 1fr; }
    QuestionPanes #picture, QuestionPanes #other { width: 1fr; height: 100%; }
    QuestionPanes #other { margin-left: 2; }
    QuestionPanes #side { width: 30; margin-left: 2; }
    .-wide QuestionPanes #side { width: 44; }
    QuestionPanes #facts { height: auto; }
    QuestionPanes .near { height: 1fr; max-height: 12; }
    QuestionPanes .near Vertical { margin-right: 1; }
    QuestionPanes .near Picture { width: 1fr; height: 1fr; }
    QuestionPanes .near Static { height: 1; }
    """

    def __init__(self) -> None:
        super().__init__()
        self.read: ReadPicture | None = None
        self.question: Question | None = None
        self._ahead: Question | None = None
        self._pictures: dict[tuple[str, Cells], np.ndarray | Text] = {}

    def compose(self) -> ComposeResult:
        """Yield the pictures beside the facts."""
        yield Picture(id="picture")
        yield Picture(id="other")
        with Vertical(id="side"):
            yield Static(id="facts")
            for first in range(0, NEIGHBOURS, 2):
                with Horizontal(classes="near"):
                    for at in (first, first + 1):
                        with Vertical():
                            yield Static(id=f"near-label-{at}")
                            yield Picture(id=f"near-{at}")

    def show(self, question: Question | None, facts: Text, ahead: Question | None) -> None:
        """Show a question, and read the pictures of the one after it ahead.

        Args:
            question: what is asked; None for the facts alone.
            facts: beside the picture of one image.
            ahead: asked next; None for nothing.
        """
        self.question, self._ahead = question, ahead
        pair = question is not None and len(question.images) == 2
        self.query_one("#side").display = not pair
        self.query_one("#other").display = pair
        self.query_one("#facts", Static).update(facts)
        self.call_after_refresh(self._draw_pictures)

    def on_resize(self) -> None:
        """Draw the pictures at their new size."""
        self.call_after_refresh(self._draw_pictures)

    def _draw_pictures(self) -> None:
        """Show the question's pictures once they are read, then read those of the next one."""
        question = self.question
        near = question.neighbours if question else ()
        for at in range(NEIGHBOURS):
            label = safe_text(near[at].label, SIDE // 2 - 2) if at < len(near) else ""
            self.query_one(f"#near-label-{at}", Static).update(label)
        if question is None:
            for picture in self.query(Picture):
                picture.picture = None
            return
        wanted = self._wanted(question)
        ahead = self._wanted(self._ahead) if self._ahead else {}

        def show(found: Mapping[str, np.ndarray | Text]) -> None:
            if question == self.question:  # not answered meanwhile
                for picture in self.query(Picture):
                    picture.picture = found.get(picture.id or "")

        in_background(self.screen, lambda: self._read(wanted), show)
        in_background(self.screen, lambda: self._read(ahead), lambda found: None)

    def _wanted(self, question: Question) -> dict[str, tuple[str, Cells]]:
        """Return the path of each picture, and its cells, by the widget that shows it."""
        places = dict(zip(("picture", "other"), question.images, strict=False))
        places |= {f"near-{at}": row for at, row in enumerate(question.neighbours[:NEIGHBOURS])}
        return {
            place: (row.path, (size.width, size.height))
            for place, row in places.items()
            if (size := self.query_one(f"#{place}").size)
        }

    def _read(self, wanted: Mapping[str, tuple[str, Cells]]) -> dict[str, np.ndarray | Text]:
        """Return the pixels of pictures, and keep them; call it in a thread."""
        read, found = self.read, {}
        app = self.app
        assert isinstance(app, BaseApp)
        for place, (path, cells) in wanted.items():
            picture = self._pictures.get((path, cells))
            if picture is None and read is not None:
                picture = read_picture(partial(read, path), app.pixels.resolution(*cells))
                if len(self._pictures) >= KEPT_PICTURES:
                    self._pictures.clear()
                self._pictures[path, cells] = picture
            if picture is not None:
                found[place] = picture
        return found


def opinion_lines(question: Question, labels: Sequence[str], utf8: bool) -> Text:
    """Return what the model thinks, with the digits of labels, and the heading of the neighbours.

    Args:
        question: what is asked.
        labels: that can be chosen, in the order of their digits.
        utf8: whether the terminal shows more than ASCII.
    """
    text = Text()
    digits = {label: f"{at} " for at, label in enumerate(labels[:DIGITS], 1)}
    for name, probability in question.opinion:
        text.append(f"\n{bar(probability, BAR, utf8)} {probability:.2f} ")
        text.append(digits.get(name, ""), "bold")
        text.append(safe_text(name, 12))
    if question.neighbours:
        text.append(tr("\n\nmost similar images"), "dim")
    return text


def describe_path(row: ImageRecord) -> str:
    """Return an image's path with its label, unless that is the folder's name, and its size."""
    path = safe_text(row.path, 100)
    label = "" if row.path.startswith(f"{row.label}/") else f"  {safe_text(row.label, 30)}"
    return f"{path}{label}  {row.width}x{row.height}"


def digit_line(labels: Sequence[str]) -> Text:
    """Return what each digit chooses."""
    text = Text()
    for digit, label in enumerate(labels[:DIGITS], start=1):
        text.append(f" {digit} ", "bold")
        text.append(safe_text(label, 20))
    if len(labels) > DIGITS:
        text.append(tr("   and {more:,} more: L", more=len(labels) - DIGITS))
    return text
