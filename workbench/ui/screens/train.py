"""A run while it trains: its curves, what they mean, how long it takes, how busy the box is."""

import time
from pathlib import Path
from typing import ClassVar

from rich.text import Text
from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.color import Color
from textual.containers import Container, Horizontal, VerticalScroll
from textual.widgets import Footer, Static

from workbench.errors import UserError
from workbench.experiment.advice import Advice, advise
from workbench.experiment.smoothing import FACTOR_STEP, HIGHEST_FACTOR
from workbench.runs.folder import RunFolder
from workbench.runs.launch import launch, request_stop, stop_requested
from workbench.runs.process import last_lines
from workbench.runs.rows import whole
from workbench.text import safe_text
from workbench.ui import train_text
from workbench.ui.curves import Figure, Look, Palette, coach_curves, plot_options, plot_series
from workbench.ui.feed import Runs, RunView
from workbench.ui.marks import COLORS
from workbench.ui.notes import add_note, newest_note
from workbench.ui.screens.base import WorkbenchScreen
from workbench.ui.screens.dialogs import Ask, Confirm
from workbench.ui.screens.pick_run import PickRun
from workbench.ui.widgets.gauges import box_line, gpu_line
from workbench.ui.widgets.line_plot import LinePlot
from workbench.ui.widgets.tail import Tail

FIGURES: tuple[Figure, ...] = ("loss", "accuracy")
ZOOMS: tuple[tuple[Figure, ...], ...] = (FIGURES, ("loss",), ("accuracy",))
LINES = ("progress", "box", "gpu", "notice", "note")
# Those whose text is fitted to one line by those who make it.
ONE_LINE = ("heading", *LINES)
WIDE = 110  # columns, from which on the coach stands beside the log
COACH_LINES = 3  # above the log
LOG_CELLS = 74  # beside the coach; the style sheet says so too
LOG_LINES, LOG_LINES_WIDE = 3, 11  # its header included
LOG_SHARE = 0.28  # of the rows, that the log and the coach beside it may take
AGE_SECONDS = 5.0  # between two looks at how old the checkpoint is


class TrainScreen(WorkbenchScreen):
    """Watches one run; leaving the screen leaves the run alone.

    Args:
        run: its name.
    """

    CONCEPTS = ("overfitting", "validation", "smoothing")
    CSS_PATH = "train.tcss"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "stop", "Stop", id="stop", tooltip="Save a checkpoint and end the training"),
        Binding("r", "resume", "Resume", id="resume"),
        Binding("R", "results", "Results", key_display="R", id="results"),
        Binding("q", "back", "Leave", id="leave", tooltip="The run goes on without this screen"),
        Binding("escape", "back", "Back", show=False, id="back"),
        Binding("s", "smooth", "Smooth", id="smooth", tooltip="+ and - change how much"),
        Binding("plus", "factor(1)", "Smoother", show=False, id="smoother"),
        Binding("minus", "factor(-1)", "Rougher", show=False, id="rougher"),
        Binding("l", "log", "Log scale", id="log"),
        Binding("z", "zoom", "Zoom", id="zoom"),
        Binding("o", "overlay", "Overlay", id="overlay"),
        Binding("L", "layers", "Layers", key_display="L", id="layers"),
        Binding("n", "note", "Note", id="note"),
    ]

    def __init__(self, run: str) -> None:
        super().__init__()
        self.run = run
        self._view: RunView | None = None
        self._seen = False
        self._look = Look()
        self._zoom = 0
        self._other = ""
        self._note = ""
        self._printed: tuple[str, ...] = ()
        self._state = ("", False, False)
        self._texts: dict[str, Text] = {}
        self._advice: tuple[object, list[Advice]] = (None, [])

    def compose_body(self) -> ComposeResult:
        """The curves, and the lines below them."""
        with Horizontal(id="plots"):
            for figure in FIGURES:
                yield LinePlot(id=figure)
        with VerticalScroll(id="panel"):
            yield Static(id="panel-text")
        for name in LINES:
            yield Static(id=name, classes="line")
        with Container(id="bottom"):
            yield Static(id="coach")
            yield Tail(id="log")

    def on_mount(self) -> None:
        """Shows the run, and what becomes of it."""
        footer = self.query_one(Footer)
        footer.compact, footer.show_command_palette = True, False
        self._look = Look(utf8=self.workbench.utf8)
        self.watch(self.app, "runs", self._show)
        self.app.theme_changed_signal.subscribe(self, lambda theme: self._draw())
        self.set_interval(AGE_SECONDS, self._draw_box)

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

    def _show(self, runs: Runs) -> None:
        """Takes over the newest look at the run; draws where it, or the overlay, is another."""
        view = next((one for one in runs if one.name == self.run), None)
        if view is not None and view is self._view and not self._other:
            return
        self._view = view
        if view is not None:
            if not self._seen:
                self._note = newest_note(view.folder)
            self._seen = True
        self._draw()

    def _draw(self) -> None:
        """Brings every part up to date; parts that did not change are left alone."""
        if not self.is_mounted or not self.is_current:
            return
        self.refresh_heading()
        view = self._view
        if view is None:
            self._draw_gone()
            return
        self._notice_state(view)
        color, utf8 = self._state_color(view), self.workbench.utf8
        panel = train_text.panel_text(view, self._width - 4, utf8, color, self._printed)
        plots = bool(view.history.epochs) or view.summary.state.word == "training"
        self._draw_panel(panel, alone=not plots)
        self._draw_plots(view, plots)
        self._draw_lines(view, plots)

    def heading(self) -> Text:
        """Run, state, place in the plan, time left."""
        if self._view is None:
            return Text(safe_text(self.run, 64), style="bold")
        color = self._state_color(self._view)
        return train_text.heading(self._view, self._width, self.workbench.utf8, color)

    def refresh_heading(self) -> None:
        """Draws the heading where it changed."""
        self._set("heading", self.heading())

    def _notice_state(self, view: RunView) -> None:
        """What is done once for each state: other keys, and the last words of a dead worker."""
        state = view.summary.state
        now = (state.word, state.resumable, bool(view.history.epochs))
        if now == self._state:
            return
        self._state = now
        self.refresh_bindings()
        self._printed = ()
        if state.word == "interrupted":
            start = whole(view.history.worker.get("log_start")) or 0
            self._printed = tuple(last_lines(view.folder.log_path, start))

    def _draw_gone(self) -> None:
        self._state = ("", False, False)
        self.refresh_bindings()
        self._draw_panel(train_text.gone_text(self.run, self._seen), alone=True)
        for name in ("plots", "bottom"):
            self.query_one(f"#{name}").display = False
        for name in LINES:
            self._set_line(name, Text(""))

    def _draw_panel(self, text: Text, alone: bool) -> None:
        panel = self.query_one("#panel", VerticalScroll)
        panel.display = bool(text.plain)
        panel.set_class(alone, "-alone")
        self._set("panel-text", text)

    def _draw_plots(self, view: RunView, shown: bool) -> None:
        self.query_one("#plots").display = shown
        if not shown:
            return
        palette, options = self._palette(), plot_options(view, self._look)
        other = self.workbench.find_run(self._other) if self._other else None
        figures = ZOOMS[self._zoom]
        for figure in FIGURES:
            widget = self.query_one(f"#{figure}", LinePlot)
            widget.display = figure in figures
            widget.set_class(len(figures) == 1, "-alone")
            if figure in figures:
                series = plot_series(view, figure, self._look, palette, other)
                widget.show(self._title(figure, other), series, options)

    def _title(self, figure: Figure, other: RunView | None) -> Text:
        text = Text.assemble((figure, "bold"))
        if self._look.log:
            text.append("  log scale", style="dim")
        if self._look.smoothing:
            text.append(f"  smoothed {self._look.factor:.2f}", style="dim")
        if other is not None:
            text.append(f"  other: {safe_text(other.name, 20)}", style="dim")
        return text

    def _draw_lines(self, view: RunView, plots: bool) -> None:
        width, utf8, history = self._width, self.workbench.utf8, view.history
        stopping = view.working and stop_requested(view.folder)
        warning = self._color("warning")
        progress = train_text.progress_line(view, width, utf8, stopping)
        self._set_line("progress", progress if plots or stopping else Text(""))
        self._draw_box()
        self._set_line("notice", train_text.notice_line(history.notices, width, warning))
        note = safe_text(self._note, max(width - train_text.LABEL, 20)) if self._note else ""
        self._set_line("note", train_text.labelled("note", note) if note else Text(""))
        self._draw_bottom(view)

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
        self._set_line("coach", coach)
        log = self.query_one("#log", Tail)
        log.styles.height = lines
        log.show(train_text.log_header(), train_text.log_lines(history, lines))

    def _draw_box(self) -> None:
        """The gauges; also now and then by itself, for a checkpoint ages."""
        view = self._view
        if view is None or not self.is_current:
            return
        box = gpu = Text("")
        if view.working and view.history.machine:
            machine, width, utf8 = view.history.machine, self._width, self.workbench.utf8
            box = box_line(machine, _checkpoint_age(view.folder), width, utf8)
            gpu = gpu_line(machine, view.history.gpu, width, utf8)
        self._set_line("box", box)
        self._set_line("gpu", gpu)

    def _coach(self, view: RunView) -> list[Advice]:
        """What the curves say; thought over only when there is another epoch."""
        history = view.history
        key = (len(history.epochs), len(history.stages), view.working, tuple(history.epochs[-1:]))
        if self._advice[0] != key:
            self._advice = (key, advise(coach_curves(view)))
        return self._advice[1]

    def _set_line(self, name: str, text: Text) -> None:
        widget = self.query_one(f"#{name}")
        if widget.display != bool(text.plain):
            widget.display = bool(text.plain)
        self._set(name, text)

    def _set(self, name: str, text: Text) -> None:
        """Draws a text where it is another than before.

        The screen is laid out anew only where it has another number of lines: that draws it whole.
        """
        before = self._texts.get(name)
        if before != text:
            self._texts[name] = text
            grown = before is None or before.plain.count("\n") != text.plain.count("\n")
            layout = grown or name not in ONE_LINE
            self.query_one(f"#{name}", Static).update(text, layout=layout)

    def _color(self, name: str) -> str:
        return self.app.theme_variables.get(name, "")

    def _state_color(self, view: RunView) -> str:
        name = COLORS.get(view.summary.state.word, "$foreground").removeprefix("$")
        return f"bold {self._color(name)}"

    def _palette(self) -> Palette:
        background = Color.parse(self._color("background"))

        def mixed(name: str, share: float) -> str:
            return background.blend(Color.parse(self._color(name)), share).hex6

        return Palette(
            train=mixed("primary", 1.0),
            validation=mixed("warning", 1.0),
            train_raw=mixed("primary", 0.6),
            validation_raw=mixed("warning", 0.6),
            other=mixed("foreground", 0.6),
        )

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Offers the keys that do something now."""
        view = self._view
        if action in ("smooth", "factor", "log", "zoom", "overlay"):
            return view is not None and bool(view.history.epochs)
        if action == "stop":
            return view is not None and view.working
        if action == "resume":
            return view is not None and view.summary.state.resumable
        if action == "results":
            return view is not None and view.summary.state.word == "finished"
        if action in ("layers", "note"):
            return view is not None
        return True

    def action_back(self) -> None:
        """Leaves; says that the run does not."""
        if self._view is not None and self._view.working:
            self.app.notify(f"{safe_text(self.run, 64)} goes on; open it to watch it again.")
        super().action_back()

    def action_stop(self) -> None:
        """Asks, then asks the worker."""
        view = self._view
        if view is None:
            return

        def answered(yes: bool | None) -> None:
            if not yes:
                return
            try:
                request_stop(view.folder)
            except OSError as error:
                self.notify(safe_text(error, 400), severity="error")
            self._draw()

        question = f"Stop {view.name}? Everything is saved, and r goes on with it."
        self.app.push_screen(Confirm(question, "Stop"), answered)

    def action_resume(self) -> None:
        """Goes on at the last checkpoint."""
        if self._view is None:
            return
        try:
            launch(self._view.folder, resume=True)
        except (UserError, OSError) as error:
            self.notify(safe_text(error, 400), severity="error")

    def action_results(self) -> None:
        """How good the classifier became."""
        from workbench.ui.screens.results import ResultsScreen

        self.app.push_screen(ResultsScreen(self.run))

    def action_layers(self) -> None:
        """Which layers train, and how far they moved."""
        from workbench.ui.screens.layers import LayersScreen

        self.app.push_screen(LayersScreen(self.run))

    def action_smooth(self) -> None:
        """Smoothing on or off."""
        self._change(smoothing=not self._look.smoothing)

    def action_factor(self, direction: int) -> None:
        """Smooths more or less, and turns smoothing on."""
        factor = self._look.factor + direction * FACTOR_STEP
        self._change(smoothing=True, factor=min(max(round(factor, 2), 0.0), HIGHEST_FACTOR))

    def action_log(self) -> None:
        """Logarithmic y axes, or linear ones."""
        self._change(log=not self._look.log)

    def _change(
        self, smoothing: bool | None = None, factor: float | None = None, log: bool | None = None
    ) -> None:
        look = self._look
        self._look = Look(
            look.smoothing if smoothing is None else smoothing,
            look.factor if factor is None else factor,
            look.log if log is None else log,
            look.utf8,
        )
        self._draw()

    def action_zoom(self) -> None:
        """Both plots, then the loss alone, then the accuracy alone."""
        self._zoom = (self._zoom + 1) % len(ZOOMS)
        self._draw()

    def action_overlay(self) -> None:
        """Draws another run's validation curves below this run's."""
        others = [one for one in self.workbench.runs if one.history.epochs and one.name != self.run]
        if not others:
            self.notify("There is no other run with a finished epoch.", severity="warning")
            return

        def answered(name: str | None) -> None:
            if name is not None:
                self._other = name
                self._draw()

        none = "none" if self._other else ""
        self.app.push_screen(PickRun("Draw which run below this one?", others, none), answered)

    def action_note(self) -> None:
        """Asks for a line that is kept with the run."""
        view = self._view
        if view is None:
            return

        def answered(note: str | None) -> None:
            if not note or not note.strip():
                return
            try:
                add_note(view.folder, note)
            except OSError as error:
                self.notify(safe_text(error, 400), severity="error")
                return
            self._note = newest_note(view.folder)
            self._draw()

        self.app.push_screen(Ask(f"A note on {view.name}"), answered)


def _checkpoint_age(folder: RunFolder) -> float | None:
    """Seconds since the newest checkpoint was written; None without one."""
    try:
        files = [path for path in folder.checkpoints.iterdir() if not path.name.startswith(".")]
        written = max(map(_changed, files), default=None)
    except OSError:  # it is being replaced, or the folder is gone
        return None
    return None if written is None else max(time.time() - written, 0.0)


def _changed(path: Path) -> float:
    return path.stat().st_mtime
