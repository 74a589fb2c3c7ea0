"""Pictures of the worst errors, with their true and predicted labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import ItemGrid, VerticalScroll
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from workbench.app.run_files import Box, error_pictures
from workbench.paths import Workspace
from workbench.runs.results import WorstError
from workbench.runs.watch import RunView
from workbench.text import safe_text
from workbench.ui.screen import WIDE_COLUMNS

# Cells, width and height: 24 rows show a row of pictures whole, with its labels.
SMALL_PICTURE, PICTURE, LARGE_PICTURE = (17, 6), (17, 8), (26, 12)
HIGH_ROWS = 32  # rows of a terminal with room for larger pictures


class WorstErrors(VerticalScroll):
    """A grid with as many columns as fit; the pictures are decoded in a thread."""

    DEFAULT_CSS = """
    WorstErrors #grid { height: auto; grid-gutter: 1 2; }
    WorstErrors .error { height: auto; width: 1fr; }
    """

    @dataclass
    class Drawn(Message):
        """The pictures, in the order of the errors."""

        worst: Sequence[WorstError]
        pictures: list[Text]
        box: Box

    def compose(self) -> ComposeResult:
        """Yield the grid, empty until the pictures are decoded."""
        yield ItemGrid(id="grid", min_column_width=PICTURE[0], stretch_height=False)

    @work(thread=True, exclusive=True, exit_on_error=False)
    def draw(
        self, workspace: Workspace, view: RunView, worst: Sequence[WorstError], utf8: bool
    ) -> None:
        """Replace the pictures; in a thread, since the files may be on a slow disk."""
        size = self.app.size
        box = LARGE_PICTURE if size.width >= WIDE_COLUMNS else PICTURE
        if size.height < HIGH_ROWS:
            box = SMALL_PICTURE
        pictures = error_pictures(workspace, view, worst, box, utf8)
        if not get_current_worker().is_cancelled:
            self.post_message(self.Drawn(worst, pictures, box))

    @on(Drawn)
    async def _show(self, drawn: Drawn) -> None:
        grid = self.query_one("#grid", ItemGrid)
        await grid.remove_children()
        grid.min_column_width = drawn.box[0]
        await grid.mount_all(
            Static(format_error(error, picture, drawn.box[0]), classes="error")
            for error, picture in zip(drawn.worst, drawn.pictures, strict=True)
        )


def format_error(error: WorstError, picture: Text, width: int) -> Text:
    """Return the file name and both labels above the picture.

    Args:
        error: the wrongly predicted image.
        picture: of the image.
        width: of the picture in cells.
    """
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(safe_text(Path(error.path).name, width), "dim")
    text.append("\ntrue ").append(safe_text(error.label, width - 5), "bold")
    room = width - len("pred  0.00")
    text.append("\npred ").append(safe_text(error.predicted, max(room, 8)), "bold")
    return text.append(f" {error.probability:.2f}\n").append_text(picture)
