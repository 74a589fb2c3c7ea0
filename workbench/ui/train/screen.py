"""A run while it trains: curves, what they mean, time left, load of the machine."""

import time
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual import events, on
from textual.app import ComposeResult
from textual.binding import BindingType
from textual.containers import Container, VerticalScroll

from workbench.analysis.curve_advice import CurveAdvice, advise, advise_on_probe
from workbench.app.run_files import RunFiles, read_files
from workbench.messages import tr
from workbench.render.curves import training_curves
from workbench.render.marks import STATE_COLORS
from workbench.runs.annotations import add_note
from workbench.runs.watch import Runs, RunView
from workbench.text import safe_text
from workbench.ui.base import WIDE_COLUMNS, in_background
from workbench.ui.dialogs import Choose, Prompt
from workbench.ui.keys import key_of
from workbench.ui.pick_run import PickRun
from workbench.ui.run_actions import resume_run, stop_run
from workbench.ui.run_views import RunViews
from workbench.ui.train import text as train_text
from workbench.ui.train.keys import TRAIN_KEYS
from workbench.ui.train.log import log_header, log_lines, probe_lines
from workbench.ui.train.panes import format_gone, format_panel
from workbench.ui.train.plots import Change, CurvePlots
from workbench.ui.train.text import gpu_line, host_line
from workbench.ui.widgets.lines import LinePlot, Tail, TextLine

LINES = ("other", "progress", "host", "gpu", "notice", "note")
COACH_LINES = 3  # above the log
LOG_CELLS = 78  # beside the coach; as in the style sheet
LOG_LINES, LOG_LINES_WIDE = 3, 11  # its header included
LOG_SHARE = 0.28  # of the rows, for the log and the coach beside it
DETACHED_SECONDS = 3.0  # that the notice stays over the screen below
READING = ("cursor", "read_at", "end_reading")  # of values off the curves
FILES_SECONDS = 5.0  # between two polls of files that change without an event


class TrainScreen(RunViews):
    """Watches one run, which continues when the screen is closed.

    Args:
        run: its name.
    """

    CONCEPTS = (
        "overfitting",
        "validation",
        "step-noise",
        "smoothing",
        "confusion-matrix",
        "deadline",
    )
    CSS_PATH = "train.tcss"
    BINDINGS: ClassVar[list[BindingType]] = TRAIN_KEYS

    def __init__(self, run: str) -> None:
        super().__init__()
        self.run = run
        self._files = RunFiles()
        self._seen = False
        self._other = ""
        self._offered: tuple[str | bool, ...] = ()
        self._advice: tuple[object, list[CurveAdvice]] = (None, [])

    def compose_body(self) -> ComposeResult:
        """Yield the curves, and the lines below them."""
        yield CurvePlots(self.workbench.utf8, id="plots")
        with VerticalScroll(id="panel"):
            yield TextLine("panel-text", wraps=True)
        for name in LINES:
            yield TextLine(name)
        with Container(id="bottom"):
            yield TextLine("coach")
            yield Tail(id="log")

    def on_mount(self) -> None:
        """Show the run."""
        self.runs_changed(self.workbench.runs)
        self.app.theme_changed_signal.subscribe(self, lambda theme: self._draw())
        self.set_interval(FILES_SECONDS, self._read_files)

    def on_resize(self) -> None:
        """Fit the lines to the new width."""
        self._draw()

    def on_screen_resume(self) -> None:
        """Draw what changed behind another screen."""
        self._draw()

    def _key(self, name: str) -> str:
        return key_of(self, name)

    @property
    def _width(self) -> int:
        """Cells of a line."""
        return max(self.app.size.width - 2, 20)

    # The run

    def runs_changed(self, runs: Runs) -> None:
        """Draw the run, or the one behind it, if it changed; ring the bell when it ends."""
        view = next((one for one in runs if one.name == self.run), None)
        if view is not None and view is self._view and not self._other:
            return
        if view is not None and self._view is not None and self._view.running > view.running:
            self.app.bell()
        self._view = view
        self._seen = self._seen or view is not None
        self._draw()
        self._read_files()

    def _read_files(self) -> None:
        if self._view is not None:
            in_background(self, partial(read_files, self._view), self._files_read)

    def _files_read(self, files: RunFiles) -> None:
        if files != self._files:
            self._files = files
            self._draw()

    def _coach(self, view: RunView) -> list[CurveAdvice]:
        """Return the advice on the curves, computed once an epoch."""
        history = view.history
        key = (len(history.epochs), len(history.stages), view.running, tuple(history.epochs[-1:]))
        if self._advice[0] != key:
            probe = history.probe
            advice = advise_on_probe(probe) if probe else advise(training_curves(view))
            self._advice = (key, advice)
        return self._advice[1]

    # Drawing

    def _draw(self) -> None:
        """Update every part; parts that did not change are not drawn again."""
        if not self.is_mounted or not self.is_current:
            return
        self.refresh_heading()
        view = self._view
        if view is None:
            self._draw_gone()
            return
        state = view.summary.state
        self._offer(state.phase, state.resumable, bool(view.history.epochs))
        plots = bool(view.history.epochs) or state.phase == "training"
        color, utf8 = self._state_color(view), self.workbench.utf8
        panel = format_panel(view, self._width - 4, utf8, color, self._key, self._files.printed)
        self._draw_panel(panel, alone=not plots)
        self.query_one("#plots").display = plots
        other = self.workbench.find_run(self._other) if self._other and plots else None
        if plots:
            self.query_one(CurvePlots).show(view, other)
        self._draw_lines(view, other, plots)
        self._draw_bottom(view)

    def heading(self) -> Text:
        """Return run, state, position in the plan, time left."""
        if self._view is None:
            return Text(safe_text(self.run, 64), style="bold")
        color = self._state_color(self._view)
        return train_text.format_heading(self._view, self._width, self.workbench.utf8, color)

    def _draw_gone(self) -> None:
        self._offer("", False, False)
        self._draw_panel(format_gone(self.run, self._seen, self._key), alone=True)
        for name in ("plots", "bottom"):
            self.query_one(f"#{name}").display = False
        for name in LINES:
            self.query_one(f"#{name}", TextLine).show(Text(""))

    def _draw_panel(self, text: Text, alone: bool) -> None:
        panel = self.query_one("#panel", VerticalScroll)
        panel.display = bool(text.plain)
        panel.set_class(alone, "-alone")
        panel.query_one(TextLine).show(text)

    def _draw_lines(self, view: RunView, other: RunView | None, plots: bool) -> None:
        width, utf8, history, files = self._width, self.workbench.utf8, view.history, self._files
        behind = progress = host = gpu = note = Text("")
        if other is not None:
            behind = train_text.overlay_line(view, other, width)
        if plots or files.stopping:
            progress = train_text.progress_line(view, width, utf8, files.stopping)
        if view.running and history.machine:
            host = host_line(history.machine, files.checkpoint_age, width, utf8)
            gpu = gpu_line(history.machine, history.gpu, width, utf8)
        warning = self.color("warning")
        notice = train_text.notice_line(history.notices, time.time(), width, warning)
        if files.note:
            own = safe_text(files.note, width - train_text.LABEL)
            note = train_text.labelled(tr("my note"), own)
        lines = (behind, progress, host, gpu, notice, note)
        for name, text in zip(LINES, lines, strict=True):
            self.query_one(f"#{name}", TextLine).show(text)

    def _draw_bottom(self, view: RunView) -> None:
        """Draw the coach and the last epochs."""
        history = view.history
        self.query_one("#bottom").display = bool(history.epochs)
        if not history.epochs:
            return
        lines, room = LOG_LINES, (self._width, COACH_LINES)
        if self.app.size.width >= WIDE_COLUMNS:
            lines = min(int(self.app.size.height * LOG_SHARE), LOG_LINES_WIDE)
            room = (self._width - LOG_CELLS - 2, lines)
        # Advice on a failed run is of no use until it resumes.
        failed = view.summary.state.phase == "failed"
        coach = Text("") if failed else train_text.format_coach(self._coach(view), *room)
        self.query_one("#coach", TextLine).show(coach)
        log = self.query_one("#log", Tail)
        log.styles.height = lines
        rows = probe_lines(history.probe, lines - 1) if history.probe else log_lines(history, lines)
        log.show(log_header(history), rows)

    def _state_color(self, view: RunView) -> str:
        name = STATE_COLORS.get(view.summary.state.phase, "$foreground").removeprefix("$")
        return f"bold {self.color(name)}"

    # Keys

    def _offer(self, *state: str | bool) -> None:
        """Draw the keys again if others do something now."""
        if state != self._offered:
            self._offered = state
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offer the keys that do something now."""
        view = self._view
        probe = view.history.probe if view else None
        if probe and action in ("next_view", "window", *READING):
            return False  # it has no epochs
        if action == "end_reading":
            return any(plots.reading for plots in self.query(CurvePlots))
        if action in ("style", "settings", "overlay", "next_view", "window", *READING):
            return view is not None and bool(view.history.epochs)
        if action in ("stop", "detach"):
            return view is not None and view.running
        if action == "back":
            return view is None or not view.running
        if action == "resume":
            return view is not None and view.summary.state.resumable
        if action in ("results", "export", "analyze", "explain", "review"):
            return view is not None and view.summary.state.phase == "finished"
        if action in ("layers", "note"):
            return view is not None
        return True

    def action_detach(self) -> None:
        """Leave a running run with a notice that it keeps running."""
        message = tr("{run} keeps running; open it to watch it again.", run=safe_text(self.run, 64))
        self.app.notify(message, timeout=DETACHED_SECONDS)
        self.action_back()

    def action_stop(self) -> None:
        """Ask for confirmation, then request a stop; the progress line shows the request."""
        if self._view is not None:
            stop_run(self, self._view, lambda message: self._read_files())

    def action_resume(self) -> None:
        """Resume at the last checkpoint."""
        if self._view is not None:
            resume_run(self, self._view, lambda result: self._read_files())

    def action_note(self) -> None:
        """Ask for a line that is kept with the run."""
        view = self._view
        if view is None:
            return

        def write(note: str) -> str:
            if note.strip():
                add_note(view.folder, note)
            return note

        question = tr("A note on {run}", run=view.name)
        self.app.push_screen(Prompt(question, take=write), lambda note: self._read_files())

    def action_results(self) -> None:
        """Open the results."""
        self.workbench.open("results", self.run)

    def action_style(self, change: Change) -> None:
        """Draw the curves in another style."""
        self.query_one(CurvePlots).change(change)
        self._draw()

    def on_key(self, event: events.Key) -> None:
        """Read the epoch whose number is typed."""
        rows = self._view.history.curve if self._view else ()
        reads = self.check_action("read_at", ())
        if reads and self.query_one(CurvePlots).type_number(event.key, rows):
            event.stop()
            self._draw()

    def action_cursor(self, step: int) -> None:
        """Read the values of the epoch before or after."""
        if self._view is not None:
            self.query_one(CurvePlots).move_cursor(step, len(self._view.history.curve))
            self._draw()

    def action_read_at(self, epoch: int) -> None:
        """Read the values of the first epoch for 1, of the last for -1."""
        if self._view is not None:
            epochs = len(self._view.history.curve)
            self.query_one(CurvePlots).place_cursor(epoch if epoch > 0 else epochs, epochs)
            self._draw()

    def action_end_reading(self) -> None:
        """Read no epoch any more."""
        self.query_one(CurvePlots).end_reading()
        self._draw()

    def action_window(self, step: int) -> None:
        """Draw fewer epochs, more of them, or all."""
        if self._view is not None:
            self.query_one(CurvePlots).change_window(step, len(self._view.history.curve))
            self._draw()

    def action_next_view(self) -> None:
        """Change between curves, the loss with the spread of its steps, and classes."""
        plots = self.query_one(CurvePlots)
        plots.next_view()
        self._draw()
        if plots.view == "classes":  # for the keys that scroll
            plots.query_one("#classes").focus(scroll_visible=False)

    @on(LinePlot.Read)
    def _read_off(self, event: LinePlot.Read) -> None:
        if self._view is not None:
            self.query_one(CurvePlots).place_cursor(event.epoch, len(self._view.history.curve))
            self._draw()

    def action_settings(self) -> None:
        """Ask how to draw the curves."""
        answers: dict[str, tuple[str, Change]] = self.query_one(CurvePlots).settings

        def answered(key: str | None) -> None:
            if key is not None:
                self.action_style(answers[key][1])

        labels = {key: label for key, (label, _) in answers.items()}
        question = tr(
            "Draw the curves how? {fewer} and {more} show fewer and more epochs, {zoom} one plot.",
            fewer=self._key("train.fewer"),
            more=self._key("train.more"),
            zoom=self._key("zoom"),
        )
        self.app.push_screen(Choose(question, labels), answered)

    def action_overlay(self) -> None:
        """Draw another run's validation curves behind this run's."""
        view = self._view
        others = [one for one in self.workbench.runs if one.history.epochs and one.name != self.run]
        if view is None or not others:
            self.notify(tr("There is no other run with a finished epoch."), severity="warning")
            return

        def answered(name: str | None) -> None:
            if name is not None:
                self._other = name
                self._draw()

        none = "none" if self._other else ""
        question = tr("Draw which run behind this one?")
        self.app.push_screen(PickRun(question, view, others, none), answered)
