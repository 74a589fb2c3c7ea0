"""The worst errors of a run as pictures, to choose one that is explained."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import events, on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import ItemGrid, VerticalScroll
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from workbench.app.run_files import Box, error_pictures
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.results import WorstError
from workbench.runs.watch import RunView
from workbench.text import cell_width, cut_cells, safe_text
from workbench.ui.base import HIGH_ROWS, WIDE_COLUMNS

# Cells, width and height: 24 rows show a row of pictures whole, with its labels.
SMALL_PICTURE, PICTURE, LARGE_PICTURE = (17, 6), (17, 8), (26, 12)


class WorstErrors(VerticalScroll):
    """A grid with as many columns as fit; the pictures are decoded in a thread."""

    DEFAULT_CSS = """
    WorstErrors #grid { height: auto; grid-gutter: 1 2; }
    WorstErrors .error { height: auto; width: 1fr; }
    WorstErrors:focus .error.-cursor { background: $block-cursor-background; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "open", tr("Explain"), id="results.open-error",
                tooltip=tr("with Grad-CAM: where it supports the class")),
        Binding("left", "move(-1)", show=False, id="results.error-left"),
        Binding("right", "move(1)", show=False, id="results.error-right"),
        Binding("up", "move(-1, True)", show=False, id="results.error-up"),
        Binding("down", "move(1, True)", show=False, id="results.error-down"),
        Binding("home", "scroll_top", show=False, id="results.error-first"),
        Binding("end", "scroll_bottom", show=False, id="results.error-last"),
    ]  # fmt: skip

    @dataclass
    class Opened(Message):
        """An error was chosen, to be seen large."""

        error: WorstError

    @dataclass
    class Drawn(Message):
        """The pictures, in the order of the errors."""

        worst: Sequence[WorstError]
        pictures: list[Text]
        box: Box

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as in Textual
        super().__init__(id=id)
        self._worst: Sequence[WorstError] = ()
        self._box: Box | None = None  # of their pictures
        self._cursor = 0

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
        if worst == self._worst and box == self._box:  # they are shown already
            return
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
        self._worst, self._box = drawn.worst, drawn.box
        self._select(self._cursor)
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer to open an error where there is one."""
        return action != "open" or bool(self._worst)

    def _select(self, error: int) -> None:
        shown = self.query(".error")
        self._cursor = max(0, min(error, len(shown) - 1))
        for number, one in enumerate(shown):
            one.set_class(number == self._cursor, "-cursor")

    def action_move(self, step: int, row: bool = False) -> None:
        """Select the error before or after, or the one above or below."""
        shown = [*self.query(".error")]
        columns = sum(one.region.y == shown[0].region.y for one in shown) if row else 1
        to = self._cursor + step * columns
        if to >= len(shown) and shown and shown[-1].region.y > shown[self._cursor].region.y:
            to = len(shown) - 1  # below is a row that is not full
        self._go_to(to)

    def action_scroll_top(self) -> None:
        """Select the first error."""
        self._go_to(0)

    def action_scroll_bottom(self) -> None:
        """Select the last error."""
        self._go_to(len(self._worst) - 1)

    def _go_to(self, number: int) -> None:
        shown = [*self.query(".error")]
        if 0 <= number < len(shown):
            self._select(number)
            shown[number].scroll_visible(animate=False)

    def action_open(self) -> None:
        """Show the selected error large."""
        if self._cursor < len(self._worst):
            self.post_message(self.Opened(self._worst[self._cursor]))

    def on_click(self, event: events.Click) -> None:
        """Show the error that was clicked large."""
        at = event.screen_offset
        for number, one in enumerate(self.query(".error")):
            if one.region.contains_point(at):
                self._select(number)
                self.action_open()


def format_error(error: WorstError, picture: Text, width: int) -> Text:
    """Return the file name and both labels, with their probabilities, above the picture.

    Args:
        error: the wrongly predicted image.
        picture: of the image.
        width: of the picture in cells.
    """
    text = Text(no_wrap=True, overflow="ellipsis")
    text.append(safe_text(Path(error.path).name, width), "dim")
    for word, label, probability in (
        (tr("true"), error.label, error.of_label),
        (tr("pred"), error.predicted, error.probability),
    ):
        room = width - cell_width(word) - len("  0.00")
        text.append(f"\n{word} ").append(cut_cells(safe_text(label, 100), room), "bold")
        text.append("" if probability is None else f" {probability:.2f}")
    return text.append("\n").append_text(picture)
