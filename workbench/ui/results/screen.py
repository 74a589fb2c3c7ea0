"""Results: what a finished run is worth, where it errs, and what it says of other images."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Input, Static

from workbench.app.error_pictures import source_of
from workbench.datasets.prepare import survey
from workbench.errors import UserError
from workbench.experiment.facts import DataFacts
from workbench.paths import given_path
from workbench.render.layers import hanging, named_line
from workbench.runs.results import NextRung, Results, next_rung, read_results
from workbench.runs.watch import Runs, RunView
from workbench.text import safe_text
from workbench.ui.background import in_background
from workbench.ui.guide import next_experiment
from workbench.ui.results.predictions import Predictions
from workbench.ui.results.tables import ConfusionMatrix, LabelTable
from workbench.ui.results.text import matrix_width, summary_lines, view_titles
from workbench.ui.results.worst_errors import WorstErrors
from workbench.ui.screen import WorkbenchScreen

VIEWS = ("matrix", "classes", "errors", "predictions")
CLASSES = "precision and recall of each label"
MORE = "s: calibration, ROC; i: Grad-CAM, filters; t: report, ONNX, script"
GAP = 4  # cells between the matrix and the labels beside it


class ResultsScreen(WorkbenchScreen):
    """Accuracy first, then a view of confusions, labels, errors or predictions.

    Args:
        run: its name.
    """

    CONCEPTS = ("confusion-matrix", "interval", "validation", "overfitting", "calibration")
    CSS = """
    ResultsScreen {
        #summary { height: auto; margin-bottom: 1; }
        #view-title { height: 1; color: $secondary; }
        #views { height: 1fr; }
        #views > * { width: 1fr; }
        #matrix.-beside { width: auto; margin-right: 4; }
        #next { height: auto; margin-top: 1; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("m", "view('matrix')", "Matrix", id="matrix", tooltip="what is taken for what"),
        Binding("c", "view('classes')", "Classes", id="classes", tooltip=CLASSES),
        Binding("e", "view('errors')", "Errors", id="errors", tooltip="the worst, as pictures"),
        Binding("x", "correct", "Correct", id="results.correct"),
        Binding("t", "take_home", "Take home", id="take-home"),
        Binding("n", "next_rung", "Next", id="results.next", tooltip="the experiment to do next"),
        Binding("i", "inside", "Inside", id="inside"),
        Binding("s", "sureness", "How sure", id="sureness"),
        Binding("p", "predict", "Predict", id="predict"),
        Binding("L", "layers", "Layers", id="layers"),
    ]

    def __init__(self, run: str) -> None:
        super().__init__()
        self.run = run
        self._view: RunView | None = None
        self._results: Results | None = None
        self._rung: NextRung | None = None
        self._shown = "matrix"

    def compose_body(self) -> ComposeResult:
        """Figures on top, the view, the next rung at the bottom."""
        yield Static(id="summary")
        yield Static(id="view-title")
        with Horizontal(id="views"):
            yield ConfusionMatrix(id="matrix")
            yield LabelTable(id="classes")
            yield WorstErrors(id="errors")
            yield Predictions(id="predictions")
        yield Static(id="next")

    def heading(self) -> Text:
        """The run, and how it stands."""
        text = Text.assemble((safe_text(self.run, 40), "bold"), "  results")
        if self._view:
            summary = self._view.summary
            what = safe_text(summary.preset or summary.strategy, 30)
            text.append(f"   {what} on {safe_text(summary.data, 30)}", "dim")
        return text

    def on_mount(self) -> None:
        """Shows what is known and all that comes."""
        self.runs_changed(self.workbench.runs)

    def on_resize(self) -> None:
        """A wide terminal shows labels beside the matrix."""
        self._draw_words()
        self._show_view()

    def runs_changed(self, runs: Runs) -> None:
        view = next((view for view in runs if view.name == self.run), None)
        known = self._view
        self._view = view
        self.refresh_heading()
        if view is None:
            self._say(f"There is no run {safe_text(self.run, 40)} in the workspace.")
        elif self._results is None or known is None or known.summary != view.summary:
            self._read(view)

    def _read(self, view: RunView) -> None:
        def read() -> Results | UserError:
            try:
                return read_results(view.folder.results_path)
            except UserError as error:
                return error

        def done(found: Results | UserError) -> None:
            if isinstance(found, Results):
                self._show_results(view, found)
            else:
                self._say(f"{found}\n\nThe run is {_state_in_words(view)}.")

        in_background(self, read, done)

    def _show_results(self, view: RunView, results: Results) -> None:
        self._results = results
        self._draw_words()
        self.query_one(ConfusionMatrix).fill(results, self.workbench.utf8)
        self.query_one(LabelTable).fill(results)
        self._show_view()
        if self.focused is None:  # the arrow keys scroll at once
            self.query_one(f"#{self._shown}").focus()
        workspace, utf8 = self.workbench.workspace, self.workbench.utf8
        self.query_one(WorstErrors).draw(workspace, view, results.worst, utf8)

    def _say(self, words: str) -> None:
        """Where there are no figures."""
        self._results = self._rung = None
        self.query_one("#summary", Static).update(Text(words))
        self.query_one("#next", Static).update(Text())
        self.refresh_bindings()
        self._show_view()

    def _draw_words(self) -> None:
        """Figures on top, the next rung at the bottom, in the terminal's width."""
        view, results = self._view, self._results
        if view is None or results is None:
            return
        room, console = self.app.size.width - 2, self.app.console
        warning = self.app.theme_variables.get("warning", "")
        lines = summary_lines(results, view.history, view.summary.preset, warning)
        self.query_one("#summary", Static).update(hanging(lines, room, console))
        self._rung = next_rung(view.spec, view.history, results)
        words = [named_line("next", self._rung.words)] if self._rung else []
        words.append(named_line("more", MORE))
        self.query_one("#next", Static).update(hanging(words, room, console))
        self.refresh_bindings()

    def action_view(self, name: str) -> None:
        """Shows another view."""
        self._shown = name
        self._show_view()
        self.refresh_bindings()
        self.query_one(f"#{name}").focus()

    def _show_view(self) -> None:
        """One view at a time; labels find a place beside the matrix where it is wide."""
        results = self._results
        spare = self.app.size.width - 2 - (matrix_width(results) if results else 0)
        roomy = spare >= GAP + LabelTable.WIDTH
        for name in VIEWS:
            beside = name == "classes" and self._shown == "matrix" and roomy
            known = results is not None or name == "predictions"
            self.query_one(f"#{name}").display = known and (name == self._shown or beside)
        self.query_one("#matrix").set_class(roomy, "-beside")
        self._show_title()
        self.call_after_refresh(self._show_title)  # how many rows fit is known then

    def _show_title(self) -> None:
        """What the view is, and whether there is more of it."""
        matrix, title = self.query_one(ConfusionMatrix), ""
        if self._results:
            cut = matrix.max_scroll_x > 0, matrix.max_scroll_y > 0
            title = view_titles(self._results, *cut).get(self._shown, "")
        self.query_one("#view-title", Static).update(Text(title))
        self.query_one("#view-title").display = bool(title)

    def action_layers(self) -> None:
        """What was frozen, and what moved."""
        self.workbench.open("layers", self.run)

    def action_take_home(self) -> None:
        """A report, the model in other formats, a script."""
        if self._view is not None:
            self.workbench.open("export", self._view)

    def action_sureness(self) -> None:
        """Calibration, and what a threshold does."""
        if self._view is not None:
            self.workbench.open("analyze", self._view)

    def action_inside(self) -> None:
        """What the network sees."""
        self.workbench.open("explain", self.run)

    def action_predict(self) -> None:
        """Lets the path of other images be typed, and has a worker say what is in them."""
        if self._view is None:
            return
        model = self._view.folder.model_path

        def looked(there: bool) -> None:
            if there:
                self.action_view("predictions")
                self.query_one(Predictions).ask(model)
            else:
                self.notify("This run has no model yet.", severity="warning")

        in_background(self, model.exists, looked)

    def action_back(self) -> None:
        """Out of the line for a path, else to the screen before."""
        if isinstance(self.focused, Input):
            self.action_view("matrix")
        else:
            super().action_back()

    def action_correct(self) -> None:
        """Which labels are wrong, and a run without those errors."""
        self.workbench.open("relabel", self.run)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offers the other views, the next rung, and among the errors to set labels right."""
        if action == "correct":
            return self._shown == "errors" and self._results is not None
        if action == "view":
            return parameters != (self._shown,)
        if action == "sureness":
            return self._results is not None
        return action != "next_rung" or bool(self._rung and self._rung.preset)

    def action_next_rung(self) -> None:
        """Begins the experiment that is suggested; looks at the images first."""
        view, rung = self._view, self._rung
        if view is None or rung is None:
            return
        if not source_of(view):
            self.notify("The run's spec does not tell where its images are.", severity="warning")
            return
        source = given_path(source_of(view)).absolute()

        def begin(facts: DataFacts) -> None:
            if self.is_current:
                next_experiment(self.workbench, source, facts, view.spec, rung)

        self.notify("Looking at the images.")
        in_background(self, lambda: survey(source), begin)


def _state_in_words(view: RunView) -> str:
    state = view.summary.state
    return safe_text(f"{state.word}: {state.detail}" if state.detail else state.word, 300)
