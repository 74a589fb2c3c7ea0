"""Predictions for other images: a typed path, and the worker's predictions in a table."""

from collections.abc import Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.containers import Vertical
from textual.widgets import DataTable, Input, Static

from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import parse_path
from workbench.text import safe_lines, safe_text
from workbench.ui.widgets.job_part import STARTING, Job, JobPart
from workbench.ui.widgets.path_field import PathField

HINT = tr("The path of an image, or of a folder of images. Enter predicts, escape goes back.")
MAX_ROWS = 1000  # a folder may hold a million images
LABEL, PROBABILITY = 20, 11  # cells of the first two columns
_MARGINS = 10  # cells: the screen's padding, that of three columns, and the scroll bar


class PredictionsView(Vertical, JobPart):
    """A field for the path above the state of the job and its predictions."""

    DEFAULT_CSS = """
    PredictionsView #status { height: auto; color: $secondary; }
    PredictionsView #status.-problem { color: $error; }
    """

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as in Textual
        super().__init__(id=id)
        self._model = Path()
        self._typed = ""
        self._problem = False  # whether the message is one
        self._rows: list[list[Text]] = []

    def compose(self) -> ComposeResult:
        """Yield the field, the state of the job, the predictions."""
        path = PathField(id="path")
        path.placeholder = tr("/path/to/image.jpg, or a folder of images")
        yield path
        yield Static(HINT, id="status")
        yield DataTable(id="rows", cursor_type="none")

    def on_resize(self) -> None:
        """Give the column of files all the room there is."""
        self._show_rows()

    def ask(self, model: Path) -> None:
        """Focus the field for a path.

        Args:
            model: file of the model that predicts.
        """
        self._model = model
        self.query_one("#path").focus()

    @on(Input.Changed, "#path")
    def _path_changed(self) -> None:
        if self._problem:  # it is of another path
            self._show_message(HINT)

    @on(Input.Submitted, "#path")
    def _path_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self._typed = event.value
            self._show_message(STARTING)
            path = parse_path(event.value.strip()).absolute()
            failed = partial(self._show_message, is_problem=True)
            self.start_job(partial(self._predict, self._model, path), self._show, failed)

    def _predict(self, model: Path, path: Path, job: Job) -> tuple[str, list[list[Text]]]:
        if not path.exists():  # needs no framework
            raise UserError(tr("There is no file or folder {path}.", path=safe_text(path)))
        result = job.run_worker("predict", {"model": str(model), "paths": [str(path)]})
        found = result.get("predictions", [])
        message = describe_predictions(found, MAX_ROWS)
        if result.get("mirrored"):
            message += tr(", averaged with mirror images")
        if others := result.get("not_read", {}).get("words"):
            message += tr("; not read: {others}", others=others)
        return message, [prediction_cells(one, path) for one in found[:MAX_ROWS]]

    def show_progress(self, phase: str, done: int, total: int) -> None:
        """Show the progress of the worker."""
        self._show_message(
            safe_text(tr("{phase}, {done} of {total}", phase=phase, done=done, total=total), 60)
        )

    def _show_message(self, message: str, is_problem: bool = False) -> None:
        """Show the state of the job instead of the predictions before."""
        self._problem = is_problem
        line = self.query_one("#status", Static)
        line.set_class(is_problem, "-problem")
        line.update(Text(safe_lines(message)))
        self._rows = []
        self._show_rows()

    def _show(self, predicted: tuple[str, list[list[Text]]]) -> None:
        message, rows = predicted
        self._show_message(message)
        self._rows = rows
        self._show_rows()
        path = self.query_one("#path", PathField)
        if rows and path.has_focus and path.value == self._typed:  # not typing meanwhile
            path.select_all()  # the next path replaces it

    def _show_rows(self) -> None:
        """Fill the table; a long reason continues on the next line."""
        table = self.query_one("#rows", DataTable)
        table.display = bool(self._rows)
        table.clear(columns=True)
        table.add_column(tr("label"), width=LABEL)
        table.add_column(Text(tr("probability"), justify="right"), width=PROBABILITY)
        width = max(self.app.size.width - LABEL - PROBABILITY - _MARGINS, 20)
        table.add_column(tr("file"), width=width)
        for row in self._rows:
            table.add_row(*row, height=None)


def prediction_cells(one: Mapping[str, Any], requested: Path) -> list[Text]:
    """Return a prediction as a row: label, probability, file.

    Args:
        one: prediction of one image, as the worker sends it.
        requested: the requested path; images in this folder are shown relative to it.
    """
    problem = one.get("problem")
    label = tr("unreadable") if problem else safe_text(one.get("label"), LABEL)
    probability = "-" if problem else f"{one.get('probability', 0.0):.3f}"
    path = safe_text(str(one.get("path")).removeprefix(f"{requested}/"), 200)
    return [
        Text(label, "italic" if problem else ""),
        Text(probability, justify="right"),
        Text(f"{path}: {safe_text(problem, 300)}" if problem else path),
    ]


def describe_predictions(found: Sequence[Mapping[str, Any]], max_rows: int) -> str:
    """Return how many images were predicted and how many could not be read.

    Args:
        found: the predictions, as the worker sends them.
        max_rows: number of rows that are shown.
    """
    bad = sum(bool(one.get("problem")) for one in found)
    message = tr("{found:,} predicted", found=len(found) - bad) + (
        tr(", {bad:,} unreadable", bad=bad) if bad else ""
    )
    if len(found) > max_rows:
        message += tr(
            "; the first {max_rows:,} are shown. All: workbench predict PATH --csv",
            max_rows=max_rows,
        )
    return message
