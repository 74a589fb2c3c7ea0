"""Error analysis of a run: calibration, for two labels a threshold; would more images help."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.widgets import Static

from workbench.analysis.errors import read_predictions
from workbench.analysis.thresholds import threshold_metrics
from workbench.messages import tr
from workbench.render.calibration import (
    DEFAULT_THRESHOLD,
    THRESHOLD_STEP,
    CalibrationReport,
    calibration_report,
    format_calibration,
    format_threshold,
    threshold_curves,
)
from workbench.runs.watch import RunView
from workbench.text import safe_text
from workbench.ui.analyze.learning_curve import CurveView
from workbench.ui.base import HIGH_ROWS, WorkbenchScreen, in_background
from workbench.ui.keys import key_of
from workbench.ui.widgets.lines import LinePlot


class AnalyzeScreen(WorkbenchScreen):
    """Show calibration, for two labels the curves and a movable threshold; or a learning curve.

    Args:
        view: an evaluated run.
    """

    AUTO_FOCUS = ""  # the arrows move the threshold
    CONCEPTS = ("calibration", "threshold", "interval")
    CSS = """
    AnalyzeScreen #learning-curve { display: none; }
    AnalyzeScreen #confidence { height: auto; margin-bottom: 1; }
    AnalyzeScreen #threshold { height: auto; }
    AnalyzeScreen #curves { height: 1fr; margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", f"move({-THRESHOLD_STEP})", tr("Threshold lower"), id="threshold.lower"),
        Binding(
            "right",
            f"move({THRESHOLD_STEP})",
            tr("higher"),
            id="threshold.higher",
            tooltip=tr("Threshold higher"),
        ),
        Binding(
            "z", "zoom", tr("Zoom"), id="threshold.zoom", tooltip=tr("the curves or the histogram")
        ),
        Binding(
            "w", "measure", tr("Measure"), id="curve.measure", tooltip=tr("the learning curve")
        ),
        Binding(
            "v",
            "next_view",
            tr("View"),
            id="analyze.view",
            tooltip=tr("calibration, learning curve"),
        ),
    ]

    def __init__(self, view: RunView) -> None:
        super().__init__()
        self._view = view
        self.run = view.name
        self._report: CalibrationReport | None = None
        self._percent = round(100 * DEFAULT_THRESHOLD)
        self._curve_shown = False
        self._zoomed = False  # low terminals: the curves instead of the histogram

    def compose_body(self) -> ComposeResult:
        """Yield the histogram, the threshold above its two curves; and the learning curve."""
        with Vertical(id="calibration"):
            yield Static(tr("Reading the predictions."), id="confidence")
            yield Static(id="threshold")
            with Horizontal(id="curves"):
                yield LinePlot(id="roc")
                yield LinePlot(id="precision")
        yield CurveView(self._view.folder, id="learning-curve")

    @property
    def curve(self) -> CurveView:
        """The view of the learning curve."""
        return self.query_one(CurveView)

    def heading(self) -> Text:
        """Return the run's name and what is analyzed."""
        text = Text.assemble((safe_text(self._view.name, 40), "bold"))
        if self._curve_shown:
            return text.append("  " + tr("learning curve")).append(
                tr("   on all of its images"), "dim"
            )
        return text.append("  " + tr("calibration")).append(
            tr("   on the images it was evaluated on"), "dim"
        )

    def concepts(self) -> tuple[str, ...]:
        """Return the names of the concepts of the view."""
        return ("learning-curve", "overfitting", "interval") if self._curve_shown else self.CONCEPTS

    def on_mount(self) -> None:
        """Read the predictions in the background."""
        super().on_mount()
        path = self._view.folder.predictions_path
        in_background(self, lambda: calibration_report(read_predictions(path)), self._show)

    def on_resize(self) -> None:
        """Redraw at the new size."""
        self._draw()
        self.refresh_bindings()

    def _show(self, report: CalibrationReport) -> None:
        self._report = report
        self._draw()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the threshold for two labels, and the zoom where not all of it fits."""
        if action == "measure":
            return self._curve_shown and not self.curve.job
        binary = bool(self._report and self._report.ranking) and not self._curve_shown
        if action == "zoom":
            return binary and not self._is_tall
        return action != "move" or binary

    def action_move(self, percent: int) -> None:
        """Move the threshold, between 0.05 and 0.95."""
        self._percent = min(max(self._percent + percent, THRESHOLD_STEP), 100 - THRESHOLD_STEP)
        self._draw()

    def action_next_view(self) -> None:
        """Show the learning curve, or calibration again."""
        self._curve_shown = not self._curve_shown
        self.query_one("#calibration").display = not self._curve_shown
        self.curve.display = self._curve_shown
        self.set_focus(self.query_one("#sentences") if self._curve_shown else None)
        self.refresh_heading()
        self.refresh_bindings()

    def action_measure(self) -> None:
        """Measure the learning curve."""
        self.curve.measure()
        self.refresh_bindings()

    def action_back(self) -> None:
        """Cancel the measurement, or leave the screen."""
        if self.curve.job:
            self.curve.cancel_job()
        else:
            super().action_back()

    def action_zoom(self) -> None:
        """Switch between the curves and the histogram."""
        self._zoomed = not self._zoomed
        self._draw()

    @property
    def _is_tall(self) -> bool:
        return self.app.size.height >= HIGH_ROWS

    def _draw(self) -> None:
        report = self._report
        if report is None:
            return
        utf8, ranking = self.workbench.utf8, report.ranking
        histogram = format_calibration(report, self.app.size.width - 2, utf8)
        self.query_one("#confidence", Static).update(histogram)
        zoomed = self._zoomed and ranking is not None
        self.query_one("#confidence").display = self._is_tall or not zoomed
        self.query_one("#curves").display = ranking is not None and (self._is_tall or zoomed)
        if ranking is None:
            not_binary = tr(
                "{view} shows the learning curve: whether more images would help. (A threshold, "
                "ROC, and precision over recall need two labels, and images of both.)",
                view=key_of(self, "analyze.view"),
            )
            self.query_one("#threshold", Static).update(Text(not_binary, "dim"))
            return
        at = threshold_metrics(report.predictions, self._percent / 100)
        self.query_one("#threshold", Static).update(format_threshold(report, at.threshold))
        for box, curve in zip(
            ("#roc", "#precision"), threshold_curves(ranking, utf8, at), strict=True
        ):
            plot = self.query_one(box, LinePlot)
            plot.show(Text(curve.title, "bold"), curve.series, curve.options)
