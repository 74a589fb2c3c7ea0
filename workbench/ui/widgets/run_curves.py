"""The validation curves of several runs, each metric in a plot, above a legend."""

from collections.abc import Sequence

from rich.text import Text
from textual.app import ComposeResult
from textual.containers import Container
from textual.widgets import Static

from workbench.messages import tr
from workbench.render.compared_curves import Views, curve_options, legend, run_series
from workbench.render.curves import Metric
from workbench.ui.widgets.lines import LinePlot, series_colors

METRICS: tuple[Metric, ...] = ("accuracy", "loss")
TITLES = {"accuracy": tr("validation accuracy"), "loss": tr("validation loss")}
LEGEND_SHARE = 6  # rows of the terminal for each row of the legend


class RunCurves(Container):
    """Accuracy above loss; beside it with the class `-beside`."""

    DEFAULT_CSS = """
    RunCurves { height: 1fr; }
    RunCurves > Container { height: 1fr; layout: vertical; }
    RunCurves.-beside > Container { layout: horizontal; }
    RunCurves > #legend { height: auto; }
    """

    def compose(self) -> ComposeResult:
        """Yield the plots and the legend."""
        with Container():
            for metric in METRICS:
                yield LinePlot(id=metric)
        yield Static(id="legend")

    def show(self, views: Views, utf8: bool, metrics: Sequence[Metric] = METRICS) -> None:
        """Draw the curves.

        Args:
            views: the runs by name, in the order of their colors; None for one that is gone.
            utf8: whether the terminal shows more than ASCII.
            metrics: that are drawn.
        """
        if not self.is_mounted:
            return
        colors = series_colors(len(views), self.app.theme_variables)
        options = curve_options(views, utf8)
        for metric in METRICS:
            plot = self.query_one(f"#{metric}", LinePlot)
            plot.display = metric in metrics
            plot.show(Text(TITLES[metric], "bold"), run_series(views, metric, colors), options)
        rows = max(self.app.size.height // LEGEND_SHARE, 2)
        width = self.size.width or self.app.size.width - 2
        self.query_one("#legend", Static).update(legend(views, colors, width, rows, utf8))
