"""Corrections: images with large losses, to be called mislabelled or left out by whoever looks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import DataTable, Static

from workbench.analysis.errors import TopLoss, read_answers, top_losses
from workbench.app.draft import Draft
from workbench.app.error_pictures import error_pictures
from workbench.app.relabel import ANOTHER_EXAMINATION, Marking, corrected_spec
from workbench.app.start_run import start_run
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.runs.results import WorstError
from workbench.runs.watch import Runs, RunView
from workbench.text import plural, safe_text
from workbench.ui.background import in_background
from workbench.ui.dialogs import Confirm
from workbench.ui.pick_label import PickLabel
from workbench.ui.screen import WorkbenchScreen

MOST = 100  # images
COLUMNS = {"loss": 7, "label": 11, "predicted": 11, "corrected": 11}  # cells, the gap too
PICTURE = (34, 14)  # cells


@dataclass(frozen=True)
class Known:
    """What the files of a run tell: its largest losses, and what was said of its images."""

    marking: Marking
    losses: Sequence[TopLoss]
    said: dict[str, str]


class LossTable(DataTable[Text]):
    """Says among the keys what enter does."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select_cursor", "Set label")]


class CorrectionsScreen(WorkbenchScreen):
    """The images at the left, the one under the cursor at the right.

    Args:
        run: its name.
    """

    CONCEPTS = ("label-noise", "confusion-matrix", "calibration")
    CSS = """
    CorrectionsScreen {
        #both { height: 1fr; }
        #losses { width: 42; margin-right: 2; overflow-x: hidden; scrollbar-size-vertical: 1; }
        #picture { width: 1fr; }
        #of { height: auto; max-height: 3; margin-top: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("delete,backspace", "exclude", "Leave out", id="corrections.exclude"),
        Binding("u", "undo", "Undo", id="corrections.undo"),
        Binding("t", "train", "Train anew", id="corrections.train"),
    ]

    def __init__(self, run: str) -> None:
        super().__init__()
        self.run = run
        self._view: RunView | None = None
        self._known: Known | None = None
        self._starting = False

    def compose_body(self) -> ComposeResult:
        """Table and picture beside each other."""
        with Horizontal(id="both"):
            yield LossTable(id="losses", cursor_type="row", cell_padding=0)
            yield Static(id="picture")
        yield Static(id="of")

    def heading(self) -> Text:
        """The run, and how much was said."""
        text = Text.assemble((safe_text(self.run, 40), "bold"), "  corrections")
        if self._known:
            corrected = plural(len(self._known.said), "image")
            text.append(f"   largest losses first; {corrected} corrected", "dim")
        return text

    def on_mount(self) -> None:
        """Reads what the files tell, once the run is known."""
        self.refresh_heading()
        table = self.query_one("#losses", DataTable)
        for title, width in COLUMNS.items():
            table.add_column(title, width=width)
        table.focus()
        self.runs_changed(self.workbench.runs)

    def runs_changed(self, runs: Runs) -> None:
        view = next((view for view in runs if view.name == self.run), None)
        if view is None or self._view is not None:
            return
        self._view = view
        workspace = self.workbench.workspace
        in_background(self, lambda: known_of(workspace, view.folder), self._show)

    def _show(self, known: Known) -> None:
        """Fills the table; the cursor stays where it is."""
        self._known = known
        table = self.query_one("#losses", DataTable)
        row = table.cursor_row
        table.clear()
        table.add_rows(map(Text, cells_of(one, known.said)) for one in known.losses)
        table.move_cursor(row=row)
        self.refresh_heading()

    @on(DataTable.RowHighlighted, "#losses")
    def _show_picture(self) -> None:
        one, view = self._chosen(), self._view
        if one is None or view is None:
            return
        self.query_one("#of", Static).update(Text(safe_text(one.path, 200)))
        workspace, utf8 = self.workbench.workspace, self.workbench.utf8
        error = WorstError(one.path, one.label, one.predicted, one.certainty)

        def draw() -> Text:
            return error_pictures(workspace, view, [error], PICTURE, utf8)[0]

        def show(picture: Text) -> None:
            if one == self._chosen():  # the cursor has not moved on
                self.query_one("#picture", Static).update(picture)

        in_background(self, draw, show)

    def _chosen(self) -> TopLoss | None:
        row = self.query_one("#losses", DataTable).cursor_row
        losses = self._known.losses if self._known else ()
        return losses[row] if 0 <= row < len(losses) else None

    @on(DataTable.RowSelected, "#losses")
    def _label(self) -> None:
        """Asks which label is right."""
        known, one = self._known, self._chosen()
        if known is None or one is None:
            return

        def answered(label: str | None) -> None:
            if label is not None:
                self._change(lambda: known.marking.mark(known.marking.find([one.path]), label))

        question = f"It is labelled {safe_text(one.label, 30)}. What is it?"
        # The network may well be right.
        self.app.push_screen(PickLabel(question, known.marking.labels, one.predicted), answered)

    def action_exclude(self) -> None:
        """Leaves the image out of what runs are trained on from now on."""
        known, one = self._known, self._chosen()
        if known and one:
            self._change(lambda: known.marking.mark(known.marking.find([one.path]), ""))

    def action_undo(self) -> None:
        """Takes back what was said of the image."""
        known, one = self._known, self._chosen()
        if known and one:
            self._change(lambda: known.marking.undo([one.path]))

    def _change(self, change: Callable[[], int]) -> None:
        known = self._known
        if known is None:
            return

        def work() -> Known:
            change()
            return Known(known.marking, known.losses, known.marking.said())

        in_background(self, work, self._show)

    def action_train(self) -> None:
        """Starts the experiment once more on the corrected data, when the person wants it."""
        if self._known and not self._known.said:
            self.notify(
                "Nothing was corrected yet: enter sets a label, delete leaves out.",
                severity="warning",
            )
        elif self._known and not self._starting:
            words = ANOTHER_EXAMINATION.format(run=self.run)
            question = f"Train the same once more on the corrected data? {words}"
            self.app.push_screen(Confirm(question, "Train"), self._start)

    def _start(self, yes: bool | None) -> None:
        view = self._view
        if not yes or view is None:
            return
        self._starting = True
        workspace, warm = self.workbench.workspace, self.workbench.warm

        def work() -> tuple[str, list[str]]:
            try:
                notes: list[str] = []
                spec = corrected_spec(workspace, view.folder)
                stem = Draft(workspace, source=Path(spec.data.source)).stem
                return start_run(workspace, spec, stem, notes.append, warm=warm).name, notes
            finally:
                self._starting = False

        def begun(started: tuple[str, list[str]]) -> None:
            name, notes = started
            for words in notes:
                self.notify(safe_text(words, 300), markup=False)
            self.workbench.open_instead("train", name)

        self.notify("Looking at images and GPU, then the run begins.")
        in_background(self, work, begun)


def known_of(workspace: Workspace, folder: RunFolder) -> Known:
    """Reads a run's files: call it in a thread.

    Raises:
        UserError: predictions, manifest or corrections cannot be read, or the images were never
            prepared in this workspace.
    """
    losses = top_losses(read_answers(folder.predictions_path), MOST)
    marking = Marking(workspace, folder)
    return Known(marking, losses, marking.said())


def cells_of(one: TopLoss, said: dict[str, str]) -> tuple[str, ...]:
    """A row of the table."""
    mark = (said[one.path] or "left out") if one.path in said else ""
    rooms = list(COLUMNS.values())[1:]
    names = zip((one.label, one.predicted, mark), rooms, strict=True)
    return (f"{one.loss:.2f}", *(safe_text(name, room - 1) for name, room in names))
