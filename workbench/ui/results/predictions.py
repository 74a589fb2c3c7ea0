"""What a model says of other images: their path typed in, a worker's answers in a table."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.message import Message
from textual.widgets import DataTable, Input, Static

from workbench.errors import UserError
from workbench.paths import given_path
from workbench.text import safe_lines, safe_text
from workbench.ui.results.prediction_rows import (
    LABEL,
    PROBABILITY,
    answer_in_words,
    prediction_cells,
)
from workbench.ui.widgets.job_part import STARTING, JobPart
from workbench.ui.widgets.path_field import PathField

HINT = "The path of an image, or of a folder of them. Enter predicts, escape leaves."
MOST_SHOWN = 1000  # rows; a folder may hold a million images
_EDGES = 10  # cells: the screen's padding, that of three columns, and the scroll bar


class Predictions(JobPart):
    """A line for the path over how far it is, over the answers."""

    DEFAULT_CSS = """
    Predictions #told { height: auto; color: $secondary; }
    Predictions #told.-problem { color: $error; }
    """

    @dataclass
    class Told(Message):
        """How far a prediction is, its answers as rows, or why there are none."""

        words: str = ""
        rows: list[list[Text]] = field(default_factory=list)
        problem: str = ""

    def __init__(self, id: str | None = None) -> None:  # noqa: A002 - as Textual has it
        super().__init__(id=id)
        self._model = Path()
        self._asked = ""
        self._rows: list[list[Text]] = []

    def compose(self) -> ComposeResult:
        """The line, how far it is, the answers."""
        line = PathField(id="path")
        line.placeholder = "/path/to/image.jpg, or a folder of images"
        yield line
        yield Static(HINT, id="told")
        yield DataTable(id="answers", cursor_type="none")

    def on_resize(self) -> None:
        """Gives the files what room there is."""
        self._show_rows()

    def ask(self, model: Path) -> None:
        """Lets a path be typed, for this model to look at."""
        self._model = model
        self.query_one("#path").focus()

    @on(Input.Submitted, "#path")
    def _predict_typed(self, event: Input.Submitted) -> None:
        event.stop()
        if event.value.strip():
            self._asked = event.value
            self.end_job()
            self.post_message(self.Told(STARTING))
            self._predict(self._model, given_path(event.value.strip()).absolute())

    @work(thread=True, exit_on_error=False)
    def _predict(self, model: Path, path: Path) -> None:
        def on_event(event: dict[str, Any]) -> None:
            if event.get("event") == "progress":
                done = f"{event.get('phase')}, {event.get('done')} of {event.get('total')}"
                self.tell(self.Told(safe_text(done, 60)))

        try:
            if not path.exists():  # no need of a framework to say so
                raise UserError(f"There is no file or folder {safe_text(path)}.")
            request = {"model": str(model), "paths": [str(path)]}
            answer = self.run_job("predict", request, on_event)
            found = answer.get("predictions", [])
            rows = [prediction_cells(one, path) for one in found[:MOST_SHOWN]]
            words = answer_in_words(found, MOST_SHOWN)
            if others := answer.get("not_read", {}).get("words"):
                words += f"; not read: {others}"
            self.tell(self.Told(words, rows))
        except (UserError, OSError, ValueError) as error:
            self.tell(self.Told(problem=safe_lines(error)))

    @on(Told)
    def _show(self, told: Told) -> None:
        line = self.query_one("#told", Static)
        line.set_class(bool(told.problem), "-problem")
        line.update(Text(told.problem or told.words))
        self._rows = told.rows
        self._show_rows()
        path = self.query_one("#path", PathField)
        if told.rows and path.has_focus and path.value == self._asked:  # no other is being typed
            path.select_all()  # the next one takes its place

    def _show_rows(self) -> None:
        """The answers; a long reason goes on below."""
        answers = self.query_one("#answers", DataTable)
        answers.display = bool(self._rows)
        answers.clear(columns=True)
        answers.add_column("label", width=LABEL)
        answers.add_column(Text("probability", justify="right"), width=PROBABILITY)
        answers.add_column(
            "file", width=max(self.app.size.width - LABEL - PROBABILITY - _EDGES, 20)
        )
        for row in self._rows:
            answers.add_row(*row, height=None)
