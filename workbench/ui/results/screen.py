"""Results: the metrics of a finished run, its errors, and predictions for other images."""

from typing import ClassVar

from rich.text import Text
from textual import on
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Input, Static

from workbench.app.run_files import data_source
from workbench.datasets.prepare import survey
from workbench.errors import UserError
from workbench.experiment.facts import DataFacts
from workbench.messages import tr
from workbench.paths import parse_path
from workbench.render.layers import hanging_indent, labelled_line
from workbench.render.runs import describe_tried
from workbench.runs.next_step import NextStep, suggest_next
from workbench.runs.results import Results, read_results
from workbench.runs.watch import Runs, RunView
from workbench.text import safe_text
from workbench.ui.base import HIGH_ROWS, WIDE_COLUMNS, in_background
from workbench.ui.guide import next_experiment
from workbench.ui.keys import key_of
from workbench.ui.results.errors import WorstErrors
from workbench.ui.results.predictions import PredictionsView
from workbench.ui.results.views import (
    ConfusionMatrix,
    LabelTable,
    matrix_width,
    summary_lines,
    view_tabs,
    view_titles,
)
from workbench.ui.run_actions import ask_to_label
from workbench.ui.run_views import RunViews
from workbench.ui.widgets.concept_notes import ConceptNotes

RESULT_VIEWS = ("matrix", "classes", "errors")
NOTES_SHARE = 4  # of the rows are for a matrix below which there is room for explanations
GAP = 4  # cells between the matrix and the labels beside it


class ResultsScreen(RunViews):
    """Show the metrics, and one view: confusions, labels, errors or predictions.

    Args:
        run: name of the run.
    """

    CONCEPTS = ("confusion-matrix", "macro-f1", "auc", "top-5", "interval", "mirror", "calibration")
    CSS = """
    ResultsScreen {
        #summary { height: auto; }
        #view-tabs { height: 1; }
        #view-title, #errors-title { height: 1; color: $secondary; }
        #views { height: 1fr; }
        #tables { height: 1fr; }
        #tables.-above { height: auto; max-height: 50%; margin-bottom: 1; }
        #tables > * { width: 1fr; }
        #matrix.-beside { width: auto; margin-right: 4; }
        #next { height: auto; margin-top: 1; }
        &.-low #summary { max-height: 1; }
        &.-low #next { display: none; }
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "v",
            "next_view",
            tr("View"),
            id="results.view",
            tooltip=tr("confusions, labels, errors"),
        ),
        Binding("R", "review", tr("Review"), key_display="R", id="review"),
        Binding(
            "n", "next", tr("Next"), id="results.next", tooltip=tr("the suggested next experiment")
        ),
        Binding("a", "analyze", tr("Analyze"), id="analyze"),
        Binding("h", "explain", tr("Grad-CAM"), id="explain"),
        Binding("e", "export", tr("Export"), id="export"),
        Binding("p", "predict", tr("Predict"), id="predict"),
        Binding("l", "layers", tr("Layers"), id="layers"),
        Binding("M", "map", tr("Map"), key_display="M", id="map"),
        Binding("L", "label", tr("Label"), key_display="L", id="label"),
    ]

    def __init__(self, run: str) -> None:
        super().__init__()
        self.run = run
        self._results: Results | None = None
        self._suggestion: NextStep | None = None
        self._shown = "matrix"

    def compose_body(self) -> ComposeResult:
        """Yield the metrics, the views, and the suggestion at the bottom."""
        yield Static(id="summary")
        yield Static(id="view-tabs")
        yield Static(id="view-title")
        with Vertical(id="views"):
            with Horizontal(id="tables"):
                yield ConfusionMatrix(id="matrix")
                yield LabelTable(id="classes")
            yield ConceptNotes(self.CONCEPTS, id="notes")
            yield Static(id="errors-title")
            yield WorstErrors(id="errors")
            yield PredictionsView(id="predictions")
        yield Static(id="next")

    def heading(self) -> Text:
        """Return the run's name, preset and data."""
        text = Text.assemble((safe_text(self.run, 40), "bold"), "  " + tr("results"))
        if self._view:
            summary = self._view.summary
            preset = safe_text(summary.preset or summary.strategy, 30)
            text.append(
                "   " + tr("{preset} on {data}", preset=preset, data=safe_text(summary.data, 30)),
                "dim",
            )
        return text

    def on_mount(self) -> None:
        """Show what is known already."""
        self.runs_changed(self.workbench.runs)

    def on_resize(self) -> None:
        """Redraw; a wide terminal shows labels beside the matrix, and larger errors."""
        self._draw_text()
        self._show_views()
        if self._view and self._results:
            self._draw_errors(self._view, self._results)

    def runs_changed(self, runs: Runs) -> None:
        """Read the results when the run changed."""
        known, view = self._view, self.workbench.find_run(self.run)
        self._view = view
        self.refresh_heading()
        if view is None:
            self._show_message(
                tr("There is no run {run} in the workspace.", run=safe_text(self.run, 40))
            )
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
                self._show_message(
                    tr("{found}\n\nThe run is {view}.", found=found, view=_format_state(view))
                )

        in_background(self, read, done)

    def _show_results(self, view: RunView, results: Results) -> None:
        self._results = results
        self._draw_text()
        self.query_one(ConfusionMatrix).fill(results, self.workbench.utf8)
        self.query_one(LabelTable).fill(results)
        self._show_views()
        if self.focused is None:  # the arrow keys scroll at once
            self.query_one(f"#{self._shown}").focus()
        self._draw_errors(view, results)

    def _draw_errors(self, view: RunView, results: Results) -> None:
        workspace, utf8 = self.workbench.workspace, self.workbench.utf8
        self.query_one(WorstErrors).draw(workspace, view, results.worst, utf8)

    def _show_message(self, message: str) -> None:
        """Show why there are no results."""
        self._results = self._suggestion = None
        self.query_one("#summary", Static).update(Text(message))
        self.query_one("#next", Static).update(Text())
        self.refresh_bindings()
        self._show_views()

    def _draw_text(self) -> None:
        """Draw metrics and suggestion in the terminal's width."""
        view, results = self._view, self._results
        if view is None or results is None:
            return
        room, console = self.app.size.width - 2, self.app.console
        warning = self.color("warning")
        lines = summary_lines(results, view.history, view.summary.preset, warning)
        self.query_one("#summary", Static).update(hanging_indent(lines, room, console))
        self._suggestion = suggest_next(view.spec, view.history, results)
        lines = []
        if suggestion := self._suggestion:
            tried = describe_tried(suggestion.preset, view.source, self.workbench.runs)
            lines = [labelled_line(tr("next"), f"{suggestion.text} {tried}".rstrip())]
        lines.append(labelled_line(tr("more"), self._more()))
        self.query_one("#next", Static).update(hanging_indent(lines, room, console))
        self.refresh_bindings()

    def _more(self) -> str:
        return tr(
            "{analyze}: calibration, learning curve; {map}: map; {label}: label; {export}: export",
            analyze=key_of(self, "analyze"),
            map=key_of(self, "map"),
            label=key_of(self, "label"),
            export=key_of(self, "export"),
        )

    def action_next_view(self) -> None:
        """Show the next view."""
        views = RESULT_VIEWS
        at = views.index(self._shown) + 1 if self._shown in views else 0
        self._select_view(views[at % len(views)])

    def _select_view(self, name: str) -> None:
        self._shown = name
        self._show_views()
        self.refresh_bindings()
        self.query_one(f"#{name}").focus()

    def _show_views(self) -> None:
        """Show one view; with the matrix labels beside it, and errors below, where they fit."""
        results, size = self._results, self.app.size
        spare = size.width - 2 - (matrix_width(results) if results else 0)
        both_fit = spare >= GAP + LabelTable.WIDTH
        tables, matrix = ("matrix", "classes"), self._shown == "matrix"
        below = matrix and size.height >= HIGH_ROWS and bool(results and results.worst)
        shown = {
            self._shown,
            *(["classes"] if matrix and both_fit else ()),
            *(["errors"] if below else ()),
        }
        for name in (*RESULT_VIEWS, "predictions"):
            known = results is not None or name == "predictions"
            self.query_one(f"#{name}").display = known and name in shown
        # On a low terminal errors and predictions need the room of all but the accuracy.
        long = self._shown in ("errors", "predictions")
        self.set_class(long and size.height < HIGH_ROWS, "-low")
        self.query_one("#tables").display = self._shown in tables
        self.query_one("#errors-title").display = below
        large = size.width >= WIDE_COLUMNS and size.height >= HIGH_ROWS
        few = results is not None and len(results.labels) <= size.height // NOTES_SHARE
        notes = matrix and not below and large and few
        self.query_one("#notes").display = notes
        self.query_one("#tables").set_class(below or notes, "-above")
        self.query_one("#matrix").set_class(both_fit, "-beside")
        self._show_title()
        self.call_after_refresh(self._show_title)  # only then it is known how many rows fit

    def _show_title(self) -> None:
        matrix, title = self.query_one(ConfusionMatrix), ""
        if self._results:
            cut = matrix.max_scroll_x > 0, matrix.max_scroll_y > 0
            titles = view_titles(self._results, *cut)
            title = titles.get(self._shown, "")
            self.query_one("#errors-title", Static).update(Text(titles["errors"]))
            tabs = view_tabs(self._results, self._shown, key_of(self, "results.view"))
            tabs.truncate(self.app.size.width - 2, overflow="ellipsis")
            self.query_one("#view-tabs", Static).update(tabs)
        self.query_one("#view-title", Static).update(Text(title))
        self.query_one("#view-title").display = bool(title)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer what the results allow."""
        if action in ("next_view", "analyze", "review", "map", "label"):
            return self._results is not None
        return action != "next" or bool(self._suggestion and self._suggestion.preset)

    @on(WorstErrors.Opened)
    def _explain_error(self, event: WorstErrors.Opened) -> None:
        self.workbench.open("explain", self.run, "gradcam", event.error.path)

    def action_map(self) -> None:
        """Open the map of all images."""
        self.workbench.open("map", self.run)

    def action_label(self) -> None:
        """Ask for a folder of images without labels, and label them."""
        ask_to_label(self, self.run)

    def action_predict(self) -> None:
        """Ask for the path of other images, and predict them."""
        if self._view is None:
            return
        model = self._view.folder.model_path

        def checked(exists: bool) -> None:
            if exists:
                self._select_view("predictions")
                self.query_one(PredictionsView).ask(model)
            else:
                self.notify(tr("This run has no model yet."), severity="warning")

        in_background(self, model.exists, checked)

    def action_back(self) -> None:
        """Leave the field for a path, or the screen."""
        if isinstance(self.focused, Input):
            self._select_view("matrix")
        else:
            super().action_back()

    def action_next(self) -> None:
        """Check the images, then open the suggested experiment."""
        view, suggestion = self._view, self._suggestion
        if view is None or suggestion is None:
            return
        if not data_source(view):
            self.notify(tr("The run's spec does not name its images."), severity="warning")
            return
        source = parse_path(data_source(view)).absolute()

        def begin(facts: DataFacts) -> None:
            if self.is_current:
                next_experiment(self.workbench, source, facts, view.spec, suggestion)

        self.notify(tr("Checking the images."))
        in_background(self, lambda: survey(source), begin)


def _format_state(view: RunView) -> str:
    state = view.summary.state
    return safe_text(f"{state.phase}: {state.detail}" if state.detail else state.phase, 300)
