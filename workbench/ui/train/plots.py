"""What fills the Train screen: the curves of a run, in three views.

The curves; the training loss with the spread of its steps; the classes over the epochs. A wide
terminal has the classes beside the curves.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Literal

from rich.text import Text
from textual.app import ComposeResult
from textual.color import Color
from textual.containers import Container, Horizontal, Vertical, VerticalScroll

from workbench.analysis.curves import FACTOR_STEP, HIGHEST_FACTOR
from workbench.messages import tr
from workbench.render.canvas import Series
from workbench.render.classes import ClassEpochs, class_epochs, class_series, format_classes
from workbench.render.curves import (
    OVERLAY,
    CurveColors,
    Metric,
    PlotStyle,
    plot_options,
    plot_series,
    probe_options,
    probe_series,
)
from workbench.render.epoch_window import EpochWindow
from workbench.render.runs import epoch_in_stage
from workbench.runs.events import CrossValidated, EpochFinished
from workbench.runs.watch import RunView
from workbench.ui.base import WIDE_COLUMNS
from workbench.ui.widgets.lines import LinePlot, TextLine, series_colors

Change = Literal["smooth", "smoother", "rougher", "log", "zoom"]
View = Literal["curves", "noise", "classes"]
VIEWS: tuple[View, ...] = ("curves", "noise", "classes")
METRICS: tuple[Metric, ...] = ("loss", "accuracy")
METRIC_TITLES = {"loss": tr("loss"), "accuracy": tr("accuracy")}
SHORT_METRICS = {"loss": tr("loss"), "accuracy": tr("acc")}
ZOOMS: tuple[tuple[Metric, ...], ...] = (METRICS, ("loss",), ("accuracy",))
ROOMY_COLUMNS = 160  # from here on there is room for two curves and the classes in a row
CLASSES_CELLS, CLASSES_CELLS_ROOMY = 52, 66  # beside curves
CLASS_CURVES = 6  # in one plot


class CurvePlots(Horizontal):
    """The plots of a run, and the table of its classes.

    Args:
        utf8: whether the terminal has braille dots.
    """

    def __init__(self, utf8: bool, id: str | None = None) -> None:  # noqa: A002 - as Textual has it
        super().__init__(id=id)
        self._plot_style = PlotStyle(utf8=utf8)
        self._zoom = 0
        self._view = 0
        self._cursor: int | None = None
        self._typed = ""  # digits of an epoch's number
        self._window = EpochWindow()
        self._of_classes: tuple[object, ClassEpochs] | None = None

    def compose(self) -> ComposeResult:
        """Yield a plot for each metric, the table of the classes, and places for their plot."""
        with Container(id="lines"):
            for name in (*METRICS, "by-class"):
                yield LinePlot(id=name)
        with Vertical(id="side"):
            with VerticalScroll(id="classes"):
                yield TextLine("classes-text")
            yield LinePlot(id="below-classes")  # in the rows that the table leaves

    # What is shown

    @property
    def view(self) -> View:
        """The view."""
        return VIEWS[self._view]

    def next_view(self) -> None:
        """Change to the next view, from the next `show` on."""
        self._view = (self._view + 1) % len(VIEWS)

    def move_cursor(self, step: int, epochs: int) -> None:
        """Move the cursor to the epoch before or after, if there is one.

        Args:
            step: -1 or 1.
            epochs: of the run so far.
        """
        if self._cursor is None:
            first, last = self._window.span(epochs) or (1, epochs)
            self._cursor = (last if step < 0 else first) or None
            return
        self.place_cursor(max(self._cursor + step, 1), epochs)

    def place_cursor(self, epoch: int, epochs: int) -> None:
        """Put the cursor on an epoch, or the nearest one that is finished."""
        self._typed = ""
        self._cursor = min(epoch, epochs) or None
        self._window = self._window.with_cursor(self._cursor, epochs)

    def type_number(self, key: str, rows: Sequence[EpochFinished]) -> bool:
        """Put the cursor on the epoch whose number is typed, digit by digit; False for other keys.

        A number is that of the title: it counts in the stage that is read, else in the newest one.
        A digit that would lead past its last epoch begins a new number.

        Args:
            key: that was pressed.
            rows: the finished epochs; the first may be epoch 0, that of a head that was solved.
        """
        typed, before = self._typed, self._cursor
        self._typed = ""
        if not rows or not (key.isascii() and key.isdecimal()):
            return False
        stage = rows[min(before or len(rows), len(rows)) - 1].stage
        places = {row.epoch: place for place, row in enumerate(rows, 1) if row.stage == stage}
        for number in (typed + key, key):
            if int(number) and (place := places.get(int(number))):
                self.place_cursor(place, len(rows))
                self._typed = number
                return True
        return False

    @property
    def reading(self) -> bool:
        """Whether the values of an epoch are read off."""
        return self._cursor is not None

    def end_reading(self) -> None:
        """Remove the cursor; a part of the epochs that is drawn has the newest ones again."""
        self._cursor = None
        self._window = replace(self._window, first=None)

    def change_window(self, step: int, epochs: int) -> None:
        """Show half as many epochs for a step of 1, twice as many for -1, all for 0."""
        self._window = self._window.zoomed(step, epochs, self._cursor) if step else EpochWindow()

    @property
    def settings(self) -> dict[str, tuple[str, Change]]:
        """What can be switched: key, label, change."""
        style = self._plot_style
        found: dict[str, tuple[str, Change]] = {
            "s": (tr("Not smoothed") if style.smoothing else tr("Smoothed"), "smooth"),
            "l": (tr("Linear scale") if style.log else tr("Log scale"), "log"),
        }
        if style.smoothing:
            found |= {"m": (tr("Smoother"), "smoother"), "r": (tr("Rougher"), "rougher")}
        return found

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

    # Drawing

    def show(self, view: RunView, other: RunView | None) -> None:
        """Draw a run's curves.

        Args:
            view: the run.
            other: a run whose validation curves are drawn behind them.
        """
        history, columns = view.history, self.app.size.width
        if self._cursor is not None:  # of a run that was resumed at an earlier epoch
            self._cursor = min(self._cursor, len(history.curve)) or None
        window = self._window.span(len(history.curve))
        classes = self._class_epochs(view, window)
        kind: View = "curves" if history.probe else self.view
        wide = columns >= WIDE_COLUMNS and bool(classes.recorded) and not history.probe
        shown: tuple[Metric, ...] = ZOOMS[self._zoom] if kind == "curves" else ("loss",)
        if kind == "classes":
            shown = ()
        lines = self.query_one("#lines")
        lines.display = kind != "classes" or wide
        lines.set_class(wide and columns < ROOMY_COLUMNS, "-stacked")
        for metric in METRICS:
            plot = self.query_one(f"#{metric}", LinePlot)
            plot.display = metric in shown
            plot.set_class(len(shown) == 1, "-alone")
            if metric in shown:
                self._show_metric(plot, metric, view, other, kind == "noise")
        large = kind == "classes" and wide
        self._show_class_plot("by-class", view, classes, large)
        self._show_class_plot("below-classes", view, classes, bool(classes.curves) and not large)
        self._show_classes(classes, kind == "classes" or wide, wide)

    def _class_epochs(self, view: RunView, window: tuple[int, int] | None) -> ClassEpochs:
        """Return the epochs by their classes; the same object until something has changed."""
        epochs = view.history.curve
        key = view.name, len(epochs), tuple(epochs[-1:]), self._cursor, window
        if self._of_classes is None or self._of_classes[0] != key:
            self._of_classes = key, class_epochs(view.history, self._cursor, window)
        return self._of_classes[1]

    def _show_metric(
        self, plot: LinePlot, metric: Metric, view: RunView, other: RunView | None, band: bool
    ) -> None:
        colors, style, probe = self._colors(), self._plot_style, view.history.probe
        if probe:
            series = probe_series(probe, metric, colors)
            plot.show(self._title(metric, probe), series, probe_options(probe, style))
            return
        window = self._window.span(len(view.history.curve))
        options = replace(plot_options(view, style, other, window), cursor=self._cursor)
        series = plot_series(view, metric, style, colors, other, band)
        title, shorter = self._title(metric, None), list[Text]()
        if self._cursor is not None:
            title, *shorter = read_off(title, metric, series, view.history.curve, self._cursor)
        elif band:
            known = any(one.low for one in series)
            of_steps = tr("10th to 90th percentile of its steps")
            note = of_steps if known else tr("the spread of its steps was not recorded")
            title.append(f"  {note}", style="dim")
        plot.show(title, series, options, shorter)

    def _show_class_plot(self, name: str, view: RunView, classes: ClassEpochs, shown: bool) -> None:
        plot = self.query_one(f"#{name}", LinePlot)
        plot.display = shown
        if not shown:
            return
        colors = series_colors(CLASS_CURVES, self.app.theme_variables)
        series = class_series(classes, colors)
        title = Text.assemble((tr("accuracy of each class"), "bold"))
        if len(series) < len(classes.labels):
            lowest = tr(
                "the lowest {count} of {classes}", count=len(series), classes=len(classes.labels)
            )
            title.append(f"  {lowest}", style="dim")
        options = plot_options(view, self._plot_style, None, classes.window)
        plot.show(title, series, replace(options, cursor=self._cursor))

    def _show_classes(self, classes: ClassEpochs, shown: bool, beside: bool) -> None:
        """Show the table of classes, beside plots or alone."""
        side, columns = self.query_one("#side"), self.app.size.width
        side.display = shown
        if not shown:
            return
        roomy = columns >= ROOMY_COLUMNS
        cells = CLASSES_CELLS_ROOMY if roomy else CLASSES_CELLS
        width = cells if beside else columns - 2
        side.styles.width = width
        worse, better = (self.app.theme_variables[name] for name in ("error", "success"))
        text = format_classes(classes, width - 2, self._plot_style.utf8, worse, better)
        side.query_one(TextLine).show(text)

    def _title(self, metric: Metric, probe: CrossValidated | None) -> Text:
        text = Text.assemble((METRIC_TITLES[metric], "bold"))
        if probe:
            if metric == "loss" and probe.solver == "ridge":  # not the loss of the results
                text = Text.assemble((tr("squared error"), "bold"))
            text.append(tr(" over regularization"), style="dim")
        if self._plot_style.log:
            text.append(tr("  log scale"), style="dim")
        if self._plot_style.smoothing and not probe:
            text.append(tr("  smoothed {factor:.2f}", factor=self._plot_style.factor), style="dim")
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
            score=mixed("success", 1.0),
        )


def read_off(
    title: Text,
    metric: Metric,
    series: Sequence[Series],
    rows: Sequence[EpochFinished],
    cursor: int,
) -> tuple[Text, ...]:
    """Return titles with the measured values of an epoch, the longest first.

    "loss  smoothed 0.90  stage 2, epoch 7: train 0.4120, val 0.3880"; the shortest ones have no
    remark on the style of the curves, and nothing but the run's own values.

    Args:
        title: of the plot, with its remarks.
        metric: of the plot.
        series: its curves.
        rows: the finished epochs.
        cursor: number of the epoch, counted over all stages.
    """
    own = [one for one in series if one.name != OVERLAY]
    long, short = (epoch_in_stage(rows, cursor - 1, short) for short in (False, True))
    full, brief = Text(METRIC_TITLES[metric], "bold"), Text(SHORT_METRICS[metric], "bold")
    return tuple(
        Text.assemble(name, f"  {epoch}: {_values(given, cursor, digits)}")
        for name, epoch, given, digits in (
            (title, long, series, 4),
            (full, long, series, 4),
            (full, long, own, 4),
            (brief, long, own, 4),
            (brief, long, own, 3),
            (brief, short, own, 4),
            (brief, short, own, 3),
        )
    )


def _values(series: Sequence[Series], cursor: int, digits: int) -> str:
    """Return what was measured in an epoch: "train 0.4120, val 0.3880"."""
    values = []
    for one in series:
        measured = one.raw or one.values
        value = measured[cursor - 1] if cursor <= len(measured) else None
        if value is not None:
            values.append(f"{one.name} {value:.{digits}f}")
        edges = (one.low, one.high)
        low, high = (edge[cursor - 1] if cursor <= len(edge) else None for edge in edges)
        if low is not None and high is not None:
            values.append(tr("steps {low:.4f} to {high:.4f}", low=low, high=high))
    return ", ".join(values) or "-"
