"""How sure a run is when it is right and when it is wrong, and what a threshold does."""

from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.widgets import Static

from workbench.analysis.errors import read_answers
from workbench.analysis.thresholds import at_threshold
from workbench.render.calibration import (
    STEP,
    USUAL,
    Sureness,
    confidence_text,
    curves,
    sureness_of,
    threshold_text,
)
from workbench.runs.watch import RunView
from workbench.text import safe_text
from workbench.ui.background import in_background
from workbench.ui.screen import WorkbenchScreen
from workbench.ui.widgets.line_plot import LinePlot

TALL = 32  # rows from which confidences and curves fit over one another
ONE_ANSWER = "Thresholds, ROC and precision over recall are for runs of two labels."


class SurenessScreen(WorkbenchScreen):
    """Calibration, and for two labels the curves and a threshold that can be moved.

    Args:
        view: of a run that was evaluated.
    """

    CONCEPTS = ("calibration", "threshold", "interval")
    CSS = """
    SurenessScreen #confidence { height: auto; margin-bottom: 1; }
    SurenessScreen #threshold { height: auto; }
    SurenessScreen #curves { height: 1fr; margin-top: 1; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("left", f"move({-STEP})", "Threshold lower", id="threshold.lower"),
        Binding("right", f"move({STEP})", "higher", id="threshold.higher",
                tooltip="Threshold higher"),
        Binding("z", "zoom", "Curves", id="threshold.zoom", tooltip="curves or confidences"),
    ]  # fmt: skip

    def __init__(self, view: RunView) -> None:
        super().__init__()
        self._view = view
        self.run = view.name
        self._found: Sureness | None = None
        self._percent = round(100 * USUAL)
        self._zoomed = False  # in a low terminal: the curves instead of the confidences

    def compose_body(self) -> ComposeResult:
        """Confidences, then the threshold over its two curves."""
        yield Static("Reading the predictions.", id="confidence")
        yield Static(id="threshold")
        with Horizontal(id="curves"):
            yield LinePlot(id="roc")
            yield LinePlot(id="precision")

    def heading(self) -> Text:
        """The run."""
        text = Text.assemble((safe_text(self._view.name, 40), "bold"), "  how sure")
        return text.append("   of the images it was evaluated on", "dim")

    def on_mount(self) -> None:
        """Reads what the run said."""
        super().on_mount()
        path = self._view.folder.predictions_path
        in_background(self, lambda: sureness_of(read_answers(path)), self._show)

    def on_resize(self) -> None:
        """Longer bars where there is room."""
        super().on_resize()
        self._draw()
        self.refresh_bindings()

    def _show(self, found: Sureness) -> None:
        self._found = found
        self._draw()
        self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """A threshold is for two labels; in a tall terminal there is nothing to zoom."""
        ranked = bool(self._found and self._found.ranking)
        if action == "zoom":
            return ranked and not self._is_tall
        return action != "move" or ranked

    def action_move(self, percent: int) -> None:
        """Another threshold, from 0.05 to 0.95."""
        self._percent = min(max(self._percent + percent, STEP), 100 - STEP)
        self._draw()

    def action_zoom(self) -> None:
        """The curves instead of the confidences, and back."""
        self._zoomed = not self._zoomed
        self._draw()

    @property
    def _is_tall(self) -> bool:
        return self.app.size.height >= TALL

    def _draw(self) -> None:
        found = self._found
        if found is None:
            return
        utf8, ranked = self.workbench.utf8, found.ranking
        words = confidence_text(found, self.app.size.width - 2, utf8)
        self.query_one("#confidence", Static).update(words)
        zoomed = self._zoomed and ranked is not None
        self.query_one("#confidence").display = self._is_tall or not zoomed
        self.query_one("#curves").display = ranked is not None and (self._is_tall or zoomed)
        if ranked is None:
            self.query_one("#threshold", Static).update(Text(ONE_ANSWER, "dim"))
            return
        at = at_threshold(found.answers, self._percent / 100)
        self.query_one("#threshold", Static).update(threshold_text(found, at.threshold))
        drawn = curves(ranked, utf8, at)
        for box, curve in zip(("#roc", "#precision"), drawn, strict=True):
            title = Text(curve.title, "bold")
            self.query_one(box, LinePlot).show(title, curve.series, curve.options)
