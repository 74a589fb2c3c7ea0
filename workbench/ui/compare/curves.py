"""The validation curves of the runs that are compared, over one another."""

from collections.abc import Mapping, Sequence
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.containers import Container
from textual.widgets import Static

from workbench.render.compare_curves import curve_options, legend, run_series
from workbench.render.curves import Figure
from workbench.runs.watch import Runs
from workbench.text import plural
from workbench.ui.screen import WorkbenchScreen
from workbench.ui.widgets.line_plot import LinePlot

FIGURES: tuple[Figure, ...] = ("accuracy", "loss")
ZOOMS: tuple[tuple[Figure, ...], ...] = (FIGURES, ("accuracy",), ("loss",))
# Names of the theme's colours; they begin again after the last one.
COLORS = ("primary", "warning", "success", "error", "accent", "foreground", "secondary")
LEGEND_SHARE = 6  # of so many rows of the terminal the legend has one


class CompareCurvesScreen(WorkbenchScreen):
    """Accuracy above loss, beside it in a wide terminal; runs at work go on drawing.

    Args:
        names: of the runs, in the order of their colours.
    """

    CONCEPTS = ("validation", "overfitting", "smoothing")
    CSS = """
    CompareCurvesScreen #plots { height: 1fr; layout: vertical; }
    CompareCurvesScreen.-wide #plots { layout: horizontal; }
    CompareCurvesScreen #legend { height: auto; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("z", "zoom", "Zoom", id="compare.zoom", tooltip="accuracy or loss alone"),
        Binding("o", "back", show=False, id="compare.table"),
    ]

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = tuple(names)
        self._zoom = 0

    def compose_body(self) -> ComposeResult:
        """The plots, and which colour is which run."""
        with Container(id="plots"):
            for figure in FIGURES:
                yield LinePlot(id=figure)
        yield Static(id="legend")

    def heading(self) -> Text:
        """Of how many runs."""
        text = Text.assemble(("compare", "bold"), "  validation curves")
        return text.append(f"   {plural(len(self._names), 'run')}", "dim")

    def on_mount(self) -> None:
        """Draws, and again in other colours."""
        super().on_mount()
        self._draw()
        self.app.theme_changed_signal.subscribe(self, lambda theme: self._draw())

    def on_resize(self) -> None:
        """The legend as wide as there is room."""
        super().on_resize()
        self._draw()

    def runs_changed(self, runs: Runs) -> None:
        self._draw()

    def action_zoom(self) -> None:
        """Both plots, then the accuracy alone, then the loss alone."""
        self._zoom = (self._zoom + 1) % len(ZOOMS)
        self._draw()

    def _draw(self) -> None:
        if not self.is_mounted:
            return
        views = {name: self.workbench.find_run(name) for name in self._names}
        colors = run_colors(len(views), self.app.theme_variables)
        utf8, size = self.workbench.utf8, self.app.size
        options = curve_options(views, utf8)
        for figure in FIGURES:
            plot = self.query_one(f"#{figure}", LinePlot)
            plot.display = figure in ZOOMS[self._zoom]
            plot.show(Text(f"validation {figure}", "bold"), run_series(views, figure, colors),
                      options)  # fmt: skip
        rows = max(size.height // LEGEND_SHARE, 2)
        self.query_one("#legend", Static).update(legend(views, colors, size.width - 2, rows, utf8))


def run_colors(runs: int, theme: Mapping[str, str]) -> list[str]:
    """A colour for each run, as `#rrggbb`.

    Args:
        theme: the variables of the app's theme.
    """
    return [Color.parse(theme[COLORS[at % len(COLORS)]]).hex6 for at in range(runs)]
