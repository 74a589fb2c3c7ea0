"""Loss and accuracy of a run side by side, and how they are looked at."""

from dataclasses import replace
from typing import Literal

from rich.text import Text
from textual.app import ComposeResult
from textual.color import Color
from textual.containers import Horizontal

from workbench.experiment.smoothing import FACTOR_STEP, HIGHEST_FACTOR
from workbench.render.curves import Figure, Look, Palette, plot_options, plot_series
from workbench.runs.watch import RunView
from workbench.ui.widgets.line_plot import LinePlot

Change = Literal["smooth", "smoother", "rougher", "log", "zoom"]
FIGURES: tuple[Figure, ...] = ("loss", "accuracy")
ZOOMS: tuple[tuple[Figure, ...], ...] = (FIGURES, ("loss",), ("accuracy",))


class CurvePlots(Horizontal):
    """The two plots; one of them alone where it is zoomed.

    Args:
        utf8: whether the terminal has braille dots.
    """

    def __init__(self, utf8: bool, id: str | None = None) -> None:  # noqa: A002 - as Textual has it
        super().__init__(id=id)
        self._look = Look(utf8=utf8)
        self._zoom = 0

    def compose(self) -> ComposeResult:
        """A plot for each figure."""
        for figure in FIGURES:
            yield LinePlot(id=figure)

    def change(self, change: Change) -> None:
        """Another way to look at the curves, from the next `show` on."""
        look = self._look
        if change == "zoom":  # both plots, then the loss alone, then the accuracy alone
            self._zoom = (self._zoom + 1) % len(ZOOMS)
        elif change == "log":
            self._look = replace(look, log=not look.log)
        elif change == "smooth":
            self._look = replace(look, smoothing=not look.smoothing)
        else:
            step = FACTOR_STEP if change == "smoother" else -FACTOR_STEP
            factor = min(max(round(look.factor + step, 2), 0.0), HIGHEST_FACTOR)
            self._look = replace(look, smoothing=True, factor=factor)

    def show(self, view: RunView, other: RunView | None) -> None:
        """Draws a run's curves.

        Args:
            other: a run whose validation curves lie behind them.
        """
        palette, options = self._palette(), plot_options(view, self._look, other)
        figures = ZOOMS[self._zoom]
        for figure in FIGURES:
            plot = self.query_one(f"#{figure}", LinePlot)
            plot.display = figure in figures
            plot.set_class(len(figures) == 1, "-alone")
            if figure in figures:
                series = plot_series(view, figure, self._look, palette, other)
                plot.show(self._title(figure), series, options)

    def _title(self, figure: Figure) -> Text:
        text = Text.assemble((figure, "bold"))
        if self._look.log:
            text.append("  log scale", style="dim")
        if self._look.smoothing:
            text.append(f"  smoothed {self._look.factor:.2f}", style="dim")
        return text

    def _palette(self) -> Palette:
        colors = self.app.theme_variables
        background = Color.parse(colors["background"])

        def mixed(name: str, share: float) -> str:
            return background.blend(Color.parse(colors[name]), share).hex6

        return Palette(
            train=mixed("primary", 1.0),
            validation=mixed("warning", 1.0),
            train_raw=mixed("primary", 0.6),
            validation_raw=mixed("warning", 0.6),
            other=mixed("foreground", 0.6),
        )
