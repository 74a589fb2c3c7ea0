"""The validation curves of compared runs, in one plot."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.containers import Container
from textual.widgets import Static

from workbench.render.curves import Metric, curve_options, legend, run_series
from workbench.runs.watch import Runs
from workbench.text import plural
from workbench.ui.screen import WorkbenchScreen
from workbench.ui.widgets.line_plot import LinePlot

METRICS: tuple[Metric, ...] = ("accuracy", "loss")
ZOOMS: tuple[tuple[Metric, ...], ...] = (METRICS, ("accuracy",), ("loss",))
# Names of the theme's colors; repeated after the last one.
COLORS = ("primary", "warning", "success", "error", "accent", "foreground", "secondary")
LEGEND_SHARE = 6  # rows of the terminal for each row of the legend


class CompareCurvesScreen(WorkbenchScreen):
    """Accuracy above loss, or beside it in a wide terminal; updated while runs train.

    Args:
        names: of the runs, in the order of their colors.
    """

    CONCEPTS = ("validation", "overfitting", "smoothing")
    CSS = """
    CompareCurvesScreen #plots { height: 1fr; layout: vertical; }
    CompareCurvesScreen.-wide #plots { layout: horizontal; }
    CompareCurvesScreen #legend { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("z", "zoom", "Zoom", id="compare.zoom", tooltip="accuracy or loss only"),
        Binding("v", "back", show=False, id="compare.table"),
    ]

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = tuple(names)
        self._zoom = 0

    def compose_body(self) -> ComposeResult:
        """Yield the plots and the legend."""
        with Container(id="plots"):
            for metric in METRICS:
                yield LinePlot(id=metric)
        yield Static(id="legend")

    def heading(self) -> Text:
        """Return the number of runs."""
        text = Text.assemble(("compare", "bold"), "  validation curves")
        return text.append(f"   {plural(len(self._names), 'run')}", "dim")

    def on_mount(self) -> None:
        """Draw the curves, again when the theme changes."""
        super().on_mount()
        self._draw()
        self.app.theme_changed_signal.subscribe(self, lambda theme: self._draw())

    def on_resize(self) -> None:
        """Fit the legend to the new width."""
        super().on_resize()
        self._draw()

    def runs_changed(self, runs: Runs) -> None:
        """Draw the new epochs."""
        self._draw()

    def action_zoom(self) -> None:
        """Switch between both plots, only the accuracy, and only the loss."""
        self._zoom = (self._zoom + 1) % len(ZOOMS)
        self._draw()

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        views = {name: self.workbench.find_run(name) for name in self._names}
        colors = run_colors(len(views), self.app.theme_variables)
        utf8, size = self.workbench.utf8, self.app.size
        options = curve_options(views, utf8)
        for metric in METRICS:
            plot = self.query_one(f"#{metric}", LinePlot)
            plot.display = metric in ZOOMS[self._zoom]
            series = run_series(views, metric, colors)
            plot.show(Text(f"validation {metric}", "bold"), series, options)
        rows = max(size.height // LEGEND_SHARE, 2)
        self.query_one("#legend", Static).update(legend(views, colors, size.width - 2, rows, utf8))


def run_colors(runs: int, theme: Mapping[str, str]) -> list[str]:
    """Return a color for each run, as `#rrggbb`.

    Args:
        runs: their number.
        theme: the variables of the app's theme.
    """
    return [Color.parse(theme[COLORS[at % len(COLORS)]]).hex6 for at in range(runs)]
