"""Relabel: the images with the largest losses, to fix their labels or to exclude them."""

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

from workbench.analysis.errors import TopLoss, read_predictions, top_losses
from workbench.app.draft import Draft
from workbench.app.relabel import TEST_SET_CHANGES, Relabeling, corrected_spec
from workbench.app.run_control import start_run
from workbench.app.run_files import error_pictures
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.runs.results import WorstError
from workbench.runs.watch import RunView
from workbench.text import plural, safe_text
from workbench.ui.base import RunScreen, in_background
from workbench.ui.dialogs import Confirm, PickName

MAX_IMAGES = 100
COLUMNS = {"loss": 7, "label": 11, "predicted": 11, "new label": 11}  # cells, with the gap
PICTURE = (34, 14)  # cells


@dataclass(frozen=True)
class RelabelState:
    """The largest losses of a run, and the label fixes of its images by path."""

    marking: Relabeling
    losses: Sequence[TopLoss]
    fixes: dict[str, str]


class LossTable(DataTable[Text]):
    """A table that names its enter key in the footer."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "select_cursor", tr("Set label"))]


class RelabelScreen(RunScreen):
    """Show the images at the left and the selected one at the right."""

    CONCEPTS = ("label-noise", "confusion-matrix", "calibration")
    CSS = """
    RelabelScreen {
        #both { height: 1fr; }
        #losses { width: 42; margin-right: 2; overflow-x: hidden; scrollbar-size-vertical: 1; }
        #picture { width: 1fr; }
        #of { height: auto; max-height: 3; margin-top: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("d", "exclude", "Exclude", id="relabel.exclude"),
        Binding("u", "undo", "Undo", id="relabel.undo"),
        Binding("t", "train", tr("Train again"), id="relabel.train"),
    ]

    def __init__(self, run: str) -> None:
        super().__init__(run)
        self._state: RelabelState | None = None
        self._starting = False

    def compose_body(self) -> ComposeResult:
        """Yield the table beside the picture, and the path below."""
        with Horizontal(id="both"):
            yield LossTable(id="losses", cursor_type="row", cell_padding=0)
            yield Static(id="picture")
        yield Static(id="of")

    def heading(self) -> Text:
        """Return the run's name and the number of label fixes."""
        text = Text.assemble((safe_text(self.run, 40), "bold"), "  relabel")
        if self._state:
            fixed = plural(len(self._state.fixes), "label fix", "label fixes")
            text.append(tr("   largest losses first; {fixed}", fixed=fixed), "dim")
        return text

    def on_mount(self) -> None:
        """Prepare the table; it is filled once the run is known."""
        table = self.query_one(LossTable)
        for title, width in COLUMNS.items():
            table.add_column(title, width=width)
        table.focus()

    def read_files(self, view: RunView) -> None:
        """Read the largest losses and the label fixes."""
        workspace = self.workbench.workspace
        in_background(self, lambda: read_state(workspace, view.folder), self._show)

    def _show(self, state: RelabelState) -> None:
        """Fill the table; the cursor keeps its row."""
        self._state = state
        table = self.query_one(LossTable)
        row = table.cursor_row
        table.clear()
        table.add_rows(map(Text, loss_cells(loss, state.fixes)) for loss in state.losses)
        table.move_cursor(row=row)
        self.refresh_heading()

    @on(DataTable.RowHighlighted, "#losses")
    def _show_picture(self) -> None:
        loss, view = self._selected, self.view
        if loss is None or view is None:
            return
        self.query_one("#of", Static).update(Text(safe_text(loss.path, 200)))
        workspace, utf8 = self.workbench.workspace, self.workbench.utf8
        error = WorstError(loss.path, loss.label, loss.predicted, loss.certainty)

        def draw() -> Text:
            return error_pictures(workspace, view, [error], PICTURE, utf8)[0]

        def show(picture: Text) -> None:
            if loss == self._selected:  # the cursor has not moved meanwhile
                self.query_one("#picture", Static).update(picture)

        in_background(self, draw, show)

    @property
    def _selected(self) -> TopLoss | None:
        row = self.query_one(LossTable).cursor_row
        losses = self._state.losses if self._state else ()
        return losses[row] if 0 <= row < len(losses) else None

    @on(DataTable.RowSelected, "#losses")
    def _pick_label(self) -> None:
        state, loss = self._state, self._selected
        if state is None or loss is None:
            return

        def picked(label: str | None) -> None:
            if label is not None:
                self._mark(label)

        question = f"It is labelled {safe_text(loss.label, 30)}. What is it?"
        # The prediction is the likeliest answer.
        self.app.push_screen(PickName(question, state.marking.labels, loss.predicted), picked)

    def action_exclude(self) -> None:
        """Exclude the image from the training data of future runs."""
        self._mark("")

    def action_undo(self) -> None:
        """Remove the label fix of the image."""
        if (state := self._state) and (loss := self._selected):
            marking = state.marking
            self._change(state, lambda: marking.undo([loss.path]))

    def _mark(self, label: str) -> None:
        """Store a label fix of the selected image; "" excludes it."""
        if (state := self._state) and (loss := self._selected):
            marking = state.marking
            self._change(state, lambda: marking.relabel(marking.find([loss.path]), label))

    def _change(self, state: RelabelState, change: Callable[[], int]) -> None:
        def work() -> RelabelState:
            change()
            marking = state.marking
            return RelabelState(marking, state.losses, marking.new_labels())

        in_background(self, work, self._show)

    def action_train(self) -> None:
        """Ask, then train the same experiment on the relabelled data."""
        if self._state and not self._state.fixes:
            message = "There are no label fixes yet: enter sets a label, d excludes an image."
            self.notify(message, severity="warning")
        elif self._state and not self._starting:
            caveat = TEST_SET_CHANGES.format(run=self.run)
            question = f"Train the same experiment on the relabelled data? {caveat}"
            self.app.push_screen(Confirm(question, "Train"), self._start)

    def _start(self, yes: bool | None) -> None:
        view = self.view
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

        def started(result: tuple[str, list[str]]) -> None:
            name, notes = result
            for note in notes:
                self.notify(safe_text(note, 300), markup=False)
            self.workbench.open_instead("train", name)

        self.notify(tr("Checking the images and the GPU, then the run starts."))
        in_background(self, work, started)


def read_state(workspace: Workspace, folder: RunFolder) -> RelabelState:
    """Read a run's predictions and label fixes; call it in a thread.

    Raises:
        UserError: predictions, manifest or label fixes cannot be read, or the images were never
            prepared in this workspace.
    """
    losses = top_losses(read_predictions(folder.predictions_path), MAX_IMAGES)
    marking = Relabeling(workspace, folder)
    return RelabelState(marking, losses, marking.new_labels())


def loss_cells(loss: TopLoss, fixes: dict[str, str]) -> tuple[str, ...]:
    """Return an image as a row of the table."""
    fix = (fixes[loss.path] or "excluded") if loss.path in fixes else ""
    widths = list(COLUMNS.values())[1:]
    names = zip((loss.label, loss.predicted, fix), widths, strict=True)
    return (f"{loss.loss:.2f}", *(safe_text(name, width - 1) for name, width in names))
