"""Pictures of the worst errors, with what they are and what the model said."""

from collections.abc import Sequence
from dataclasses import dataclass

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import ItemGrid, VerticalScroll
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from workbench.app.error_pictures import Box, error_pictures
from workbench.paths import Workspace
from workbench.runs.results import WorstError
from workbench.runs.watch import RunView
from workbench.ui.results.text import error_text
from workbench.ui.screen import WIDE_COLUMNS

# Cells, width and height: in 24 rows a row of pictures is seen whole, with its words.
SMALL_PICTURE, PICTURE, LARGE_PICTURE = (17, 6), (17, 8), (26, 12)
HIGH_ROWS = 32  # of a terminal that has room for larger ones


class WorstErrors(VerticalScroll):
    """As many beside each other as there is room for; decoded in a thread."""

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
        """Empty until the pictures come."""
        yield ItemGrid(id="grid", min_column_width=PICTURE[0], stretch_height=False)

    @work(thread=True, exclusive=True, exit_on_error=False)
    def draw(
        self, workspace: Workspace, view: RunView, worst: Sequence[WorstError], utf8: bool
    ) -> None:
        """Replaces the pictures; the files may lie on a slow disk."""
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
        both = zip(drawn.worst, drawn.pictures, strict=True)
        await grid.mount_all(
            Static(error_text(error, picture, drawn.box[0]), classes="error")
            for error, picture in both
        )
