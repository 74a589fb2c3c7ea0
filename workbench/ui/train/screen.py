"""A run while it trains: its curves, what they mean, how long it takes, how busy the box is."""

import time
from functools import partial
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Container, VerticalScroll

from workbench.app.run_files import RunFiles, read_files
from workbench.experiment.advice import Advice, advise
from workbench.render.curves import coach_curves
from workbench.render.marks import COLORS
from workbench.runs.notes import add_note
from workbench.runs.watch import Runs, RunView
from workbench.text import safe_text
from workbench.ui.background import in_background
from workbench.ui.dialogs import Ask
from workbench.ui.pick_run import PickRun
from workbench.ui.resume import resume_run
from workbench.ui.run_actions import stop_run
from workbench.ui.screen import WorkbenchScreen
from workbench.ui.train import text as train_text
from workbench.ui.train.curve_plots import Change, CurvePlots
from workbench.ui.train.gauges import box_line, gpu_line
from workbench.ui.train.panel import gone_text, panel_text
from workbench.ui.train.tail import Tail
from workbench.ui.widgets.line import Line

LINES = ("other", "progress", "box", "gpu", "notice", "note")
WIDE = 110  # columns, from which on the coach stands beside the log
COACH_LINES = 3  # above the log
LOG_CELLS = 74  # beside the coach; the style sheet says so too
LOG_LINES, LOG_LINES_WIDE = 3, 11  # its header included
LOG_SHARE = 0.28  # of the rows, that the log and the coach beside it may take
LEFT_SECONDS = 3.0  # that a word stays which lies over what home shows
FILES_SECONDS = 5.0  # between two looks at files that change without an event


class TrainScreen(WorkbenchScreen):
    """Watches one run; leaving the screen leaves the run alone.

    Args:
        run: its name.
    """

    CONCEPTS = ("overfitting", "validation", "smoothing")
    CSS_PATH = "train.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "stop", "Stop", id="stop", tooltip="save a checkpoint and end the training"),
        Binding("r", "resume", "Resume", id="resume"),
        Binding("R", "results", "Results", key_display="R", id="results"),
        Binding("q", "leave", "Leave", id="leave", tooltip="the run goes on without this screen"),
        Binding("q", "back", "Back", id="back"),
        Binding("escape", "leave", "Leave", show=False),
        Binding("escape", "back", "Back", show=False),
        Binding("s", "look('smooth')", "Smooth", id="smooth", tooltip="+ and - change how much"),
        Binding("plus", "look('smoother')", "Smoother", show=False, id="smoother"),
        Binding("minus", "look('rougher')", "Rougher", show=False, id="rougher"),
        Binding("l", "look('log')", "Log", id="log", tooltip="loss on a logarithmic scale"),
        Binding("z", "look('zoom')", "Zoom", id="zoom", tooltip="loss or accuracy alone"),
        Binding("o", "overlay", "Overlay", id="overlay", tooltip="another run's curves behind"),
        Binding("L", "layers", "Layers", key_display="L", id="layers"),
        Binding("n", "note", "Note", id="note", tooltip="a line kept with the run"),
    ]

    def __init__(self, run: str) -> None:
        super().__init__()
        self.run = run
        self._view: RunView | None = None
        self._files = RunFiles()
        self._seen = False
        self._other = ""
        self._offered: tuple[str | bool, ...] = ()
        self._advice: tuple[object, list[Advice]] = (None, [])

    def compose_body(self) -> ComposeResult:
        """The curves, and the lines below them."""
        yield CurvePlots(self.workbench.utf8, id="plots")
        with VerticalScroll(id="panel"):
            yield Line("panel-text", wraps=True)
        for name in LINES:
            yield Line(name)
        with Container(id="bottom"):
            yield Line("coach")
            yield Tail(id="log")

    def on_mount(self) -> None:
        """Shows the run, and what becomes of it."""
        self.runs_changed(self.workbench.runs)
        self.app.theme_changed_signal.subscribe(self, lambda theme: self._draw())
        self.set_interval(FILES_SECONDS, self._read_files)

    def on_resize(self) -> None:
        """Fits the lines to the new width."""
        super().on_resize()
        self._draw()

    def on_screen_resume(self) -> None:
        """Draws what changed while another screen lay over this one."""
        self._draw()

    @property
    def _width(self) -> int:
        """Cells of a line."""
        return max(self.app.size.width - 2, 20)

    # What is known of the run

    def runs_changed(self, runs: Runs) -> None:
        """Takes over the newest look at the run; draws where it, or the overlay, is another.

        The terminal's bell tells its end.
        """
        view = next((one for one in runs if one.name == self.run), None)
        if view is not None and view is self._view and not self._other:
            return
        if view is not None and self._view is not None and self._view.working > view.working:
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

    def _coach(self, view: RunView) -> list[Advice]:
        """What the curves say; thought over only when there is another epoch."""
        history = view.history
        key = (len(history.epochs), len(history.stages), view.working, tuple(history.epochs[-1:]))
        if self._advice[0] != key:
            self._advice = (key, advise(coach_curves(view)))
        return self._advice[1]

    # Drawing

    def _draw(self) -> None:
        """Brings every part up to date; parts that did not change are left alone."""
        if not self.is_mounted or not self.is_current:
            return
        self.refresh_heading()
        view = self._view
        if view is None:
            self._draw_gone()
            return
        state = view.summary.state
        self._offer(state.word, state.resumable, bool(view.history.epochs))
        plots = bool(view.history.epochs) or state.word == "training"
        color, utf8 = self._state_color(view), self.workbench.utf8
        panel = panel_text(view, self._width - 4, utf8, color, self._files.printed)
        self._draw_panel(panel, alone=not plots)
        self.query_one("#plots").display = plots
        other = self.workbench.find_run(self._other) if self._other and plots else None
        if plots:
            self.query_one(CurvePlots).show(view, other)
        self._draw_lines(view, other, plots)
        self._draw_bottom(view)

    def heading(self) -> Text:
        """Run, state, place in the plan, time left."""
        if self._view is None:
            return Text(safe_text(self.run, 64), style="bold")
        color = self._state_color(self._view)
        return train_text.heading(self._view, self._width, self.workbench.utf8, color)

    def _draw_gone(self) -> None:
        self._offer("", False, False)
        self._draw_panel(gone_text(self.run, self._seen), alone=True)
        for name in ("plots", "bottom"):
            self.query_one(f"#{name}").display = False
        for name in LINES:
            self.query_one(f"#{name}", Line).show(Text(""))

    def _draw_panel(self, text: Text, alone: bool) -> None:
        panel = self.query_one("#panel", VerticalScroll)
        panel.display = bool(text.plain)
        panel.set_class(alone, "-alone")
        panel.query_one(Line).show(text)

    def _draw_lines(self, view: RunView, other: RunView | None, plots: bool) -> None:
        width, utf8, history, files = self._width, self.workbench.utf8, view.history, self._files
        behind = progress = box = gpu = note = Text("")
        if other is not None:
            behind = train_text.other_line(view, other, width)
        if plots or files.stopping:
            progress = train_text.progress_line(view, width, utf8, files.stopping)
        if view.working and history.machine:
            box = box_line(history.machine, files.checkpoint_age, width, utf8)
            gpu = gpu_line(history.machine, history.gpu, width, utf8)
        warning = self.app.theme_variables["warning"]
        notice = train_text.notice_line(history.notices, time.time(), width, warning)
        if files.note:
            note = train_text.labelled("note", safe_text(files.note, width - train_text.LABEL))
        lines = (behind, progress, box, gpu, notice, note)
        for name, text in zip(LINES, lines, strict=True):
            self.query_one(f"#{name}", Line).show(text)

    def _draw_bottom(self, view: RunView) -> None:
        """The coach and the last epochs."""
        history = view.history
        self.query_one("#bottom").display = bool(history.epochs)
        if not history.epochs:
            return
        lines, room = LOG_LINES, (self._width, COACH_LINES)
        if self.app.size.width >= WIDE:
            lines = min(int(self.app.size.height * LOG_SHARE), LOG_LINES_WIDE)
            room = (self._width - LOG_CELLS - 2, lines)
        # How a failed run learned is beside the point until it goes on.
        failed = view.summary.state.word == "failed"
        coach = Text("") if failed else train_text.coach_text(self._coach(view), *room)
        self.query_one("#coach", Line).show(coach)
        log = self.query_one("#log", Tail)
        log.styles.height = lines
        log.show(train_text.log_header(), train_text.log_lines(history, lines))

    def _state_color(self, view: RunView) -> str:
        name = COLORS.get(view.summary.state.word, "$foreground").removeprefix("$")
        return f"bold {self.app.theme_variables[name]}"

    # Keys

    def _offer(self, *state: str | bool) -> None:
        """Draws the keys anew where others do something now."""
        if state != self._offered:
            self._offered = state
            self.refresh_bindings()

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offers the keys that do something now."""
        view = self._view
        if action in ("look", "overlay"):
            return view is not None and bool(view.history.epochs)
        if action in ("stop", "leave"):
            return view is not None and view.working
        if action == "back":
            return view is None or not view.working
        if action == "resume":
            return view is not None and view.summary.state.resumable
        if action == "results":
            return view is not None and view.summary.state.word == "finished"
        if action in ("layers", "note"):
            return view is not None
        return True

    def action_leave(self) -> None:
        """Leaves a run at work; says that it goes on."""
        words = f"{safe_text(self.run, 64)} goes on; open it to watch it again."
        self.app.notify(words, timeout=LEFT_SECONDS)
        self.action_back()

    def action_stop(self) -> None:
        """Asks, then asks the worker; the screen tells that it is asked for."""
        if self._view is not None:
            stop_run(self, self._view, lambda told: self._read_files())

    def action_resume(self) -> None:
        """Goes on at the last checkpoint."""
        if self._view is not None:
            resume_run(self, self._view, lambda done: self._read_files())

    def action_note(self) -> None:
        """Asks for a line that is kept with the run."""
        view = self._view
        if view is None:
            return

        def answered(note: str | None) -> None:
            if note and note.strip():
                keep = partial(add_note, view.folder, note)
                in_background(self, keep, lambda done: self._read_files())

        question = f"A note on {view.name}: enter keeps it, esc does not"
        self.app.push_screen(Ask(question), answered)

    def action_results(self) -> None:
        """How good the classifier became."""
        self.workbench.open("results", self.run)

    def action_layers(self) -> None:
        """Which layers train, and how far they moved."""
        self.workbench.open("layers", self.run)

    def action_look(self, change: Change) -> None:
        """Shows the curves in another way."""
        self.query_one(CurvePlots).change(change)
        self._draw()

    def action_overlay(self) -> None:
        """Draws another run's validation curves behind this run's."""
        view = self._view
        others = [one for one in self.workbench.runs if one.history.epochs and one.name != self.run]
        if view is None or not others:
            self.notify("There is no other run with a finished epoch.", severity="warning")
            return

        def answered(name: str | None) -> None:
            if name is not None:
                self._other = name
                self._draw()

        none = "none" if self._other else ""
        question = "Draw which run behind this one?"
        self.app.push_screen(PickRun(question, view, others, none), answered)
