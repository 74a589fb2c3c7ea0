"""The learning curve of a run: measured on a key, then a plot, a table and sentences."""

from typing import cast

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Horizontal, VerticalScroll
from textual.widgets import Static

from workbench.analysis.learning_curve import CurveReport
from workbench.app.learning_curve import measure_curve, read_curve
from workbench.messages import tr
from workbench.render.learning_curve import (
    curve_plot,
    curve_table,
    describe_curve,
    describe_worths,
)
from workbench.runs.folder import RunFolder
from workbench.text import safe_text
from workbench.ui.base import BaseApp, in_background
from workbench.ui.dialogs import show_error
from workbench.ui.keys import key_of
from workbench.ui.widgets.job_part import STARTING, Job, JobPart, format_progress
from workbench.ui.widgets.lines import LinePlot

NOT_MEASURED = tr(
    "Would more images help, and of which class? Linear classifiers are fitted to an eighth, a "
    "quarter, half and all of the images, on features of the run's base; the curve through their "
    "accuracies is followed to four times as many.\n\n{measure} measures it."
)
TITLE = tr("accuracy over images of a class")


class CurveView(JobPart):
    """Show the learning curve of a run, or what it is.

    Args:
        folder: of the run.
        id: of the widget.
    """

    DEFAULT_CSS = """
    CurveView {
        #about { height: auto; }
        #measured { height: 1fr; margin: 1 0; }
        #numbers { width: auto; margin-left: 2; }
        #sentences { height: auto; max-height: 8; }
    }
    """

    def __init__(self, folder: RunFolder, *, id: str) -> None:  # noqa: A002 - as Textual has it
        super().__init__(id=id)
        self._folder = folder
        self._report: CurveReport | None = None

    def compose(self) -> ComposeResult:
        """Yield what it is, the plot beside its numbers, and what more images would bring."""
        about = NOT_MEASURED.format(measure=key_of(self.screen, "curve.measure"))
        yield Static(Text(about), id="about")
        with Horizontal(id="measured"):
            yield LinePlot(id="plot")
            yield Static(id="numbers")
        with VerticalScroll(id="sentences"):
            yield Static(id="worths")

    def on_mount(self) -> None:
        """Show what was measured before."""
        self.query_one("#measured").display = False
        if self._folder.learning_curve_path.exists():
            in_background(self.screen, lambda: read_curve(self._folder), self._show)

    def _show(self, report: CurveReport) -> None:
        self._report = report
        measured_on, *sentences = describe_curve(report)
        self.query_one("#about", Static).update(Text(measured_on))
        series, options = curve_plot(report, self._app.utf8)
        self.query_one("#plot", LinePlot).show(Text(TITLE, "bold"), series, options)
        self.query_one("#numbers", Static).update(Text(curve_table(report)))
        self.query_one("#worths", Static).update(
            Text("\n".join([*sentences, *describe_worths(report)]))
        )
        self.query_one("#measured").display = True
        self.screen.refresh_bindings()

    def measure(self) -> None:
        """Let a worker measure it."""
        if self.job:
            return
        workspace, folder = self._app.workspace, self._folder

        def work(job: Job) -> CurveReport:
            return measure_curve(workspace, folder, job.progress, handle=job)

        self.start_job(work, self._show, self._failed)
        self.show_progress(STARTING, 0, 0)

    def _failed(self, problem: str) -> None:
        self.query_one("#worths", Static).update(Text())
        if self._report:  # of the time before
            self._show(self._report)
        self.screen.refresh_bindings()
        if problem:
            show_error(self.screen, problem)

    def show_progress(self, phase: str, done: int, total: int) -> None:
        """Show how far the worker is."""
        text = safe_text(format_progress(phase, done, total))
        self.query_one("#worths", Static).update(
            Text(tr("{progress}   esc cancels", progress=text))
        )

    @property
    def _app(self) -> BaseApp:
        return cast("BaseApp", self.app)
