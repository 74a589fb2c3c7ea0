"""Compare runs: side by side, and their validation curves in one plot."""

import shlex
from collections.abc import Sequence
from typing import ClassVar

from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, ScrollableContainer
from textual.message import Message
from textual.widgets import Static

from workbench.analysis.compare import Comparison
from workbench.app.run_files import compare_runs
from workbench.errors import UserError
from workbench.messages import tr
from workbench.render.compare import comparison_grid
from workbench.render.curves import Metric
from workbench.runs.watch import Runs
from workbench.text import plural, safe_lines, safe_text
from workbench.ui.base import WIDE_COLUMNS, WorkbenchScreen
from workbench.ui.keys import key_of
from workbench.ui.widgets.run_curves import METRICS, RunCurves

BORDERS = 3  # cells beside the text: the body's padding and the scroll bar
ZOOMS: tuple[tuple[Metric, ...], ...] = (METRICS, ("accuracy",), ("loss",))
ROOM_FOR_CURVES = 60  # cells beside the text, from which on the curves stand there


class CompareScreen(WorkbenchScreen):
    """Conclusions, results, and differences of specs, layers and stages.

    Args:
        names: of the runs, in the order of their columns.
    """

    CONCEPTS = ("paired-test", "interval", "macro-f1", "auc", "validation")
    CSS = """
    CompareScreen #sheet { height: 1fr; scrollbar-size-vertical: 1; scrollbar-size-horizontal: 1; }
    CompareScreen #comparison { width: auto; }
    CompareScreen RunCurves { display: none; margin-left: 4; }
    CompareScreen.-roomy #sheet { width: auto; }
    CompareScreen.-roomy RunCurves { display: block; width: 1fr; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding(
            "v", "curves", tr("Curves"), id="compare.curves", tooltip=tr("all runs in one plot")
        ),
    ]

    class Compared(Message):
        """The comparison, or the error."""

        def __init__(self, comparison: Comparison | None, error: str = "") -> None:
            super().__init__()
            self.comparison = comparison
            self.error = error

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self.names = tuple(names)
        self._comparison: Comparison | None = None
        self._seen: object = None

    def compose_body(self) -> ComposeResult:
        """Yield one sheet, which the arrow keys scroll, and the curves beside it."""
        with Horizontal():
            with ScrollableContainer(id="sheet"):
                yield Static(tr("reading the runs"), id="comparison")
            yield RunCurves()

    def heading(self) -> Text:
        """Return the number of runs, and their names."""
        text = Text(tr("compare"), style="bold")
        text.append(f"  {plural(len(self.names), 'run')}", "not bold")
        return text.append(f"   {safe_text(', '.join(self.names), 56)}", "dim")

    def on_mount(self) -> None:
        """Read the runs."""
        self.query_one("#sheet").focus()
        self.runs_changed(self.workbench.runs)
        self.app.theme_changed_signal.subscribe(self, lambda theme: self._draw())

    def on_resize(self) -> None:
        """Fit the columns to the new width."""
        self._draw()

    def copyable(self) -> list[tuple[str, str]]:
        """Return the command that shows the same."""
        return [(tr("command"), shlex.join(["workbench", "compare", *self.names, "--all"]))]

    def runs_changed(self, runs: Runs) -> None:
        """Read the runs again if one of them progressed, or is gone."""
        found = [view for view in runs if view.name in self.names]
        seen = [
            (view.name, view.summary.state.phase, view.summary.epochs_done,
             view.summary.test_accuracy)
            for view in found
        ]  # fmt: skip
        if seen != self._seen:
            self._seen = seen
            self._read(self.names)

    def action_curves(self) -> None:
        """Show the validation curves in one plot."""
        self.app.push_screen(CompareCurvesScreen(self.names))

    @work(thread=True, exclusive=True, group="compare", exit_on_error=False)
    def _read(self, names: tuple[str, ...]) -> None:
        try:
            comparison = compare_runs(self.workbench.workspace, names)
        except (UserError, OSError, ValueError) as error:
            self.post_message(self.Compared(None, str(error)))
        else:
            self.post_message(self.Compared(comparison))

    @on(Compared)
    def _compared(self, event: Compared) -> None:
        self._comparison = event.comparison
        if event.comparison is None:
            self._show(Text(safe_lines(event.error), self.color("error")))
        self._draw()

    def _draw(self) -> None:
        if self._comparison:
            color, width = self.color("secondary"), self.app.size.width - BORDERS
            room = width - ROOM_FOR_CURVES
            more = tr("{copy} copies the command", copy=key_of(self, "copy"))
            text = comparison_grid(self._comparison, max(room, ROOM_FOR_CURVES), color, more)
            roomy = max(line.cell_len for line in text.split("\n")) <= room
            self.set_class(roomy, "-roomy")
            self._show(text if roomy else comparison_grid(self._comparison, width, color, more))
            if roomy:
                self._draw_curves()

    def _draw_curves(self) -> None:
        views = {name: self.workbench.find_run(name) for name in self.names}
        for curves in self.query(RunCurves):  # none while the screen closes
            curves.show(views, self.workbench.utf8)

    def _show(self, text: Text) -> None:
        for sheet in self.query("#comparison").results(Static):  # none while the screen closes
            sheet.update(text)


class CompareCurvesScreen(WorkbenchScreen):
    """Accuracy above loss, or beside it in a wide terminal; updated while runs train.

    Args:
        names: of the runs, in the order of their colors.
    """

    CONCEPTS = ("validation", "overfitting", "smoothing")
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("z", "zoom", tr("Zoom"), id="compare.zoom", tooltip=tr("accuracy or loss only")),
        Binding("v", "back", show=False, id="compare.table"),
    ]

    def __init__(self, names: Sequence[str]) -> None:
        super().__init__()
        self._names = tuple(names)
        self._zoom = 0

    def compose_body(self) -> ComposeResult:
        """Yield the plots."""
        yield RunCurves(classes="-beside" if self.app.size.width >= WIDE_COLUMNS else "")

    def heading(self) -> Text:
        """Return the number of runs."""
        text = Text.assemble((tr("compare"), "bold"), tr("  validation curves"))
        return text.append(f"   {plural(len(self._names), 'run')}", "dim")

    def on_mount(self) -> None:
        """Draw the curves, again when the theme changes."""
        self._draw()
        self.app.theme_changed_signal.subscribe(self, lambda theme: self._draw())

    def on_resize(self) -> None:
        """Fit plots and legend to the new size."""
        self.query_one(RunCurves).set_class(self.app.size.width >= WIDE_COLUMNS, "-beside")
        self._draw()

    def runs_changed(self, runs: Runs) -> None:
        """Draw the new epochs."""
        self._draw()

    def action_zoom(self) -> None:
        """Switch between both plots, only the accuracy, and only the loss."""
        self._zoom = (self._zoom + 1) % len(ZOOMS)
        self._draw()

    def _draw(self) -> None:
        views = {name: self.workbench.find_run(name) for name in self._names}
        for curves in self.query(RunCurves):
            curves.show(views, self.workbench.utf8, ZOOMS[self._zoom])
