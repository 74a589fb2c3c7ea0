"""Loss and accuracy of a run side by side, and the style in which they are drawn."""

from dataclasses import replace
from typing import Literal

from rich.text import Text
from textual.app import ComposeResult
from textual.color import Color
from textual.containers import Horizontal

from workbench.analysis.curves import FACTOR_STEP, HIGHEST_FACTOR
from workbench.render.curves import CurveColors, Metric, PlotStyle, plot_options, plot_series
from workbench.runs.watch import RunView
from workbench.ui.widgets.line_plot import LinePlot

Change = Literal["smooth", "smoother", "rougher", "log", "zoom"]
METRICS: tuple[Metric, ...] = ("loss", "accuracy")
ZOOMS: tuple[tuple[Metric, ...], ...] = (METRICS, ("loss",), ("accuracy",))


class CurvePlots(Horizontal):
    """The two plots, or only one of them when zoomed.

    Args:
        utf8: whether the terminal has braille dots.
    """

    def __init__(self, utf8: bool, id: str | None = None) -> None:  # noqa: A002 - as Textual has it
        super().__init__(id=id)
        self._plot_style = PlotStyle(utf8=utf8)
        self._zoom = 0

    def compose(self) -> ComposeResult:
        """Yield a plot for each metric."""
        for metric in METRICS:
            yield LinePlot(id=metric)

    @property
    def settings(self) -> dict[str, tuple[str, Change]]:
        """What can be switched: key, label, change."""
        style = self._plot_style
        return {
            "s": ("Not smoothed" if style.smoothing else "Smoothed", "smooth"),
            "l": ("Linear scale" if style.log else "Log scale", "log"),
        }

    def change(self, change: Change) -> None:
        """Change the style of the curves, from the next `show` on."""
        style = self._plot_style
        if change == "zoom":  # both plots, then only the loss, then only the accuracy
            self._zoom = (self._zoom + 1) % len(ZOOMS)
        elif change == "log":
            self._plot_style = replace(style, log=not style.log)
        elif change == "smooth":
            self._plot_style = replace(style, smoothing=not style.smoothing)
        else:
            step = FACTOR_STEP if change == "smoother" else -FACTOR_STEP
            factor = min(max(round(style.factor + step, 2), 0.0), HIGHEST_FACTOR)
            self._plot_style = replace(style, smoothing=True, factor=factor)

    def show(self, view: RunView, other: RunView | None) -> None:
        """Draw a run's curves.

        Args:
            view: the run.
            other: a run whose validation curves are drawn behind them.
        """
        colors, options = self._colors(), plot_options(view, self._plot_style, other)
        zoomed = ZOOMS[self._zoom]
        for metric in METRICS:
            plot = self.query_one(f"#{metric}", LinePlot)
            plot.display = metric in zoomed
            plot.set_class(len(zoomed) == 1, "-alone")
            if metric in zoomed:
                series = plot_series(view, metric, self._plot_style, colors, other)
                plot.show(self._title(metric), series, options)

    def _title(self, metric: Metric) -> Text:
        text = Text.assemble((metric, "bold"))
        if self._plot_style.log:
            text.append("  log scale", style="dim")
        if self._plot_style.smoothing:
            text.append(f"  smoothed {self._plot_style.factor:.2f}", style="dim")
        return text

    def _colors(self) -> CurveColors:
        colors = self.app.theme_variables
        background = Color.parse(colors["background"])

        def mixed(name: str, share: float) -> str:
            return background.blend(Color.parse(colors[name]), share).hex6

        return CurveColors(
            train=mixed("primary", 1.0),
            validation=mixed("warning", 1.0),
            train_raw=mixed("primary", 0.6),
            validation_raw=mixed("warning", 0.6),
            other=mixed("foreground", 0.6),
        )
