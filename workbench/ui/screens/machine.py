"""The machine: does training run on a GPU here, what mends it if not, and how busy the box is."""

import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass, replace
from typing import ClassVar, cast
from weakref import WeakKeyDictionary

from rich.table import Table
from rich.text import Text
from textual import on, work
from textual.app import App, ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Vertical, VerticalScroll
from textual.message import Message
from textual.theme import Theme
from textual.widgets import OptionList, Static
from textual.widgets.option_list import Option
from textual.worker import get_current_worker

from workbench.machine import check as machine_check
from workbench.machine import live
from workbench.machine.check import Report
from workbench.machine.facts import Gpu
from workbench.machine.finding import Finding
from workbench.machine.summary import gpu_text, rows
from workbench.paths import Workspace
from workbench.text import human_gib, human_seconds, plural, safe_lines, safe_text
from workbench.ui.marks import bar
from workbench.ui.screens.base import WorkbenchScreen

POLL_SECONDS = 0.1  # how often a screen looks at a check that is at work
CLOSE_SECONDS = 0.5  # so soon the gauges notice that nobody looks any more
AGE_SECONDS = 10.0  # how often the age of the report is told anew
PROCESSES = 3  # told of each GPU; of more their number
BAR = 14  # cells

# Words of a diagnosis and of a finding: sign, sign in ASCII, colour of the theme.
VERDICTS = {
    "usable": ("✓", "+", "success"),
    "degraded": ("!", "!", "warning"),
    "broken": ("✗", "x", "error"),
    "warning": ("!", "!", "warning"),
    "note": ("·", "-", "secondary"),
}


@dataclass(frozen=True)
class CheckState:
    """Where the check of an app stands.

    Attributes:
        report: the last one, None before the first.
        when: unix seconds at which it came.
        error: why the last check gave none, "" where it did.
        phase: what is being asked, "" where nothing is.
        step, steps: how far it is.
    """

    report: Report | None = None
    when: float = 0.0
    error: str = ""
    phase: str = ""
    step: int = 0
    steps: int = 0

    @property
    def busy(self) -> bool:
        """True while the box is asked."""
        return bool(self.phase)


class Checkup:
    """The check of one app. It outlives the screen, so that leaving loses nothing."""

    def __init__(self) -> None:
        self.state = CheckState()

    def start(self, workspace: Workspace, measure: bool) -> None:
        """Begins to ask the box, unless that is being done already.

        In a daemon thread: a probe that hangs takes up to its limit, and quitting the app must
        not wait for it.
        """
        if self.state.busy:
            return
        self.state = replace(self.state, error="", phase="ask the box", step=0, steps=0)
        threading.Thread(target=self._run, args=(workspace, measure), daemon=True).start()

    def _run(self, workspace: Workspace, measure: bool) -> None:
        try:
            report = machine_check.check(workspace, measure=measure, progress=self._progress)
        except Exception as error:  # of whatever kind: it is shown, and the app goes on
            told = f"{type(error).__name__}: {error}"
            self.state = replace(self.state, error=safe_text(told, 400), phase="")
        else:
            self.state = CheckState(report, time.time())

    def _progress(self, phase: str, done: int, total: int) -> None:
        self.state = replace(self.state, phase=phase, step=min(done + 1, total), steps=total)


_CHECKUPS: "WeakKeyDictionary[App[object], Checkup]" = WeakKeyDictionary()


def checkup(app: App[object]) -> Checkup:
    """The check of an app."""
    return _CHECKUPS.setdefault(app, Checkup())


def last_report(app: App[object]) -> Report | None:
    """What the last check in this app found; None before the first."""
    return checkup(app).state.report


class CheckChanged(Message):
    """The check went on, ended or failed."""

    def __init__(self, state: CheckState) -> None:
        super().__init__()
        self.state = state


class Looked(Message):
    """A look at the gauges; None where their process ended, `error` where it could not start."""

    def __init__(self, look: live.Gauges | None, error: str = "") -> None:
        super().__init__()
        self.look = look
        self.error = error

    def can_replace(self, message: Message) -> bool:
        """Only the newest counts."""
        return isinstance(message, Looked)


class MachineScreen(WorkbenchScreen):
    """Verdict, findings with their remedies, the box in short lines, live gauges."""

    CONCEPTS = ("machine",)
    DEFAULT_CSS = """
    MachineScreen #machine { layout: vertical; height: 1fr; }
    MachineScreen #report { height: 1fr; scrollbar-size-vertical: 1; }
    MachineScreen #verdict { margin-bottom: 1; }
    MachineScreen #findings {
        height: auto; max-height: 80%; padding: 0; border: none; margin-bottom: 1;
        background: $background; background-tint: $background 0%; scrollbar-size-vertical: 1;
    }
    MachineScreen #findings > .option-list--option { padding: 0; }
    MachineScreen #findings > .option-list--option-highlighted {
        background: $primary 15%; color: $foreground; text-style: none;
    }
    MachineScreen #gauges {
        height: auto; max-height: 10; margin-top: 1; scrollbar-size-vertical: 1;
    }
    MachineScreen #report, MachineScreen #gauges, MachineScreen #findings {
        scrollbar-background: $background; scrollbar-background-hover: $background;
        scrollbar-color: $panel;
    }
    MachineScreen.-wide #machine { layout: horizontal; }
    MachineScreen.-wide #report { width: 1fr; }
    MachineScreen.-wide #gauges {
        width: 44; height: 1fr; max-height: 100%; margin: 0 0 0 2;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("c", "copy", "Copy remedy", id="copy"),
        Binding("d", "details", "Details", id="details"),
        Binding("a", "again", "Again", id="again"),
        Binding("w", "measure", "Measure anew", id="measure"),
        Binding("pagedown,space", "page(1)", show=False, priority=True),
        Binding("pageup", "page(-1)", show=False, priority=True),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._state = CheckState()
        self._expanded: set[str] = set()

    def compose_body(self) -> ComposeResult:
        """What the check found, and the gauges below or beside it."""
        with Vertical(id="machine"):
            with VerticalScroll(id="report", can_focus=False):
                yield Static(id="verdict")
                yield OptionList(id="findings")
                yield Static(id="rows")
            with VerticalScroll(id="gauges", can_focus=False):
                yield Static(Text("gauges: looking ...", "dim"), id="look")

    def heading(self) -> Text:
        """Whether the box is being asked, or how old the answer is."""
        state = self._state
        text = Text("machine", style="bold")
        if state.busy:
            steps = f" ({state.step} of {state.steps})" if state.steps else ""
            text.append(f"  asking the box: {safe_text(state.phase, 50)}{steps} ...", "not bold")
        elif state.report:
            text.append(f"  checked {_ago(time.time() - state.when)}", "not bold")
        return text

    def on_mount(self) -> None:
        """Shows the last report, or begins to ask."""
        super().on_mount()
        known = checkup(self.app).state
        self.set_interval(AGE_SECONDS, self.refresh_heading)
        self.app.theme_changed_signal.subscribe(self, self._repaint)
        if known.report or known.busy or known.error:
            self._show(known)
        if known.busy or not known.report:
            self._check(measure=False)

    def on_screen_resume(self) -> None:
        """Looks at the gauges while the screen is seen."""
        self._watch_gauges()

    def on_screen_suspend(self) -> None:
        """Nobody sees the gauges any more."""
        self.workers.cancel_group(self, "gauges")

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:
        """Greys what would do nothing now."""
        finding = self._chosen()
        idle = not self._state.busy
        enabled = {
            "copy": bool(finding and finding.remedy),
            "details": self._state.report is not None,
            "again": idle,
            "measure": idle,
        }
        return super().check_action(action, parameters) if enabled.get(action, True) else None

    def action_copy(self) -> None:
        """Copies the chosen finding's remedy, and shows it where the terminal does not copy."""
        if (finding := self._chosen()) and finding.remedy:
            self.app.copy_to_clipboard(finding.remedy)
            self.notify(safe_text(finding.remedy, 400), title="Copied", markup=False)

    @on(OptionList.OptionSelected, "#findings")
    def _expand(self) -> None:
        """Shows or hides what follows from the chosen finding."""
        if (finding := self._chosen()) and finding.consequences:
            self._expanded ^= {finding.id}
            number = self.query_one(OptionList).highlighted
            if number is not None:
                prompt = self._finding(finding)
                self.query_one(OptionList).replace_option_prompt_at_index(number, prompt)

    @on(OptionList.OptionHighlighted, "#findings")
    def _highlighted(self) -> None:
        """Back to where the findings are; and c copies only where there is a remedy."""
        self.query_one("#report").scroll_home(animate=False)
        self.refresh_bindings()

    def action_details(self) -> None:
        """Each probe, and what it printed."""
        if self._state.report:
            self.app.push_screen(DetailsScreen(self._state.report))

    def action_again(self) -> None:
        """Asks the box anew."""
        self._check(measure=False)

    def action_measure(self) -> None:
        """Asks the box anew, and measures what it is able to."""
        self._check(measure=True)

    def action_page(self, step: int) -> None:
        """Scrolls the report."""
        pane = self.query_one("#report")
        if step > 0:
            pane.scroll_page_down(animate=False)
        else:
            pane.scroll_page_up(animate=False)

    @work(thread=True, exclusive=True, group="check", exit_on_error=False)
    def _check(self, measure: bool) -> None:
        """Begins a check, or joins the one at work, and tells how it goes on."""
        worker, of_app = get_current_worker(), checkup(self.app)
        of_app.start(self.workbench.workspace, measure)
        told = None
        while not worker.is_cancelled:
            state = of_app.state
            if state is not told:
                self.post_message(CheckChanged(state))
                told = state
            if not state.busy:
                return
            time.sleep(POLL_SECONDS)

    @work(thread=True, exclusive=True, group="gauges", exit_on_error=False)
    def _watch_gauges(self) -> None:
        worker = get_current_worker()
        try:
            with closing(_looks(self.workbench.look_seconds)) as looks:
                for look in looks:
                    if worker.is_cancelled:
                        return
                    if look is not None:
                        self.post_message(Looked(look))
            self.post_message(Looked(None))
        except Exception as error:  # no gauge is worth the app
            self.post_message(Looked(None, safe_text(f"{type(error).__name__}: {error}")))

    @on(CheckChanged)
    def _check_changed(self, message: CheckChanged) -> None:
        self._show(message.state)

    @on(Looked)
    def _looked(self, message: Looked) -> None:
        """Draws the gauges."""
        if message.look is None:
            why = f": {message.error}" if message.error else "; leave and come back to try again"
            text = Text(f"! the gauges have ended{why}", self._color("warning"))
        else:
            wide = self.has_class("-wide")
            text = gauge_text(message.look, Pen(self.workbench.utf8, wide, self._color))
        self.query_one("#look", Static).update(text)

    def _show(self, state: CheckState) -> None:
        """Draws a state; the report only where it is another."""
        other = state.report is not self._state.report
        self._state = state
        self.query_one("#verdict", Static).update(self._verdict(state))
        findings = self.query_one(OptionList)
        if other and state.report:
            self._expanded.clear()
            findings.clear_options()
            found = state.report.diagnosis.findings
            findings.add_options(
                Option(self._finding(one), id=str(n)) for n, one in enumerate(found)
            )
            findings.highlighted = 0 if found else None
            self.query_one("#rows", Static).update(
                _grid(rows(state.report.facts, state.report.figures))
            )
            findings.focus()
        findings.display = bool(findings.option_count)
        self.refresh_heading()
        self.refresh_bindings()

    def _repaint(self, _: Theme) -> None:
        """Colours are in the texts: another theme draws them anew."""
        self.query_one("#verdict", Static).update(self._verdict(self._state))
        findings = self._state.report.diagnosis.findings if self._state.report else ()
        for number, finding in enumerate(findings):
            prompt = self._finding(finding)
            self.query_one(OptionList).replace_option_prompt_at_index(number, prompt)

    def _verdict(self, state: CheckState) -> Text:
        text = Text()
        if state.error:
            text.append(f"failed {self._sign('broken')}  ", f"bold {self._color('error')}")
            text.append(f"The check ended early: {state.error}\na tries again.")
            text.append("\n\n" if state.report else "")
        if state.report:
            diagnosis = state.report.diagnosis
            style = f"bold {self._color(VERDICTS[diagnosis.word][2])}"
            text.append(f"{diagnosis.word} {self._sign(diagnosis.word)}  ", style)
            text.append(diagnosis.verdict, "bold")
        elif state.busy:
            text.append(f"asking the box ...  {safe_text(state.phase, 50)}\n\n")
            text.append(
                "Every question is asked in a process of its own; the longest is the trial\n"
            )
            text.append("step, which starts the framework. You may leave meanwhile.", "dim")
        return text

    def _finding(self, finding: Finding) -> Table:
        """Sign and sentences, the remedy, and what follows from it where that is asked for."""
        style = self._color(VERDICTS[finding.severity][2])
        grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
        grid.add_column(width=1)
        grid.add_column(ratio=1)
        grid.add_row(Text(self._sign(finding.severity), style), Text(finding.what, style))
        grid.add_row("", Text(finding.why))
        if finding.remedy:
            grid.add_row(Text(">", "bold"), Text(finding.remedy, "bold"))
        if count := len(finding.consequences):
            opened = finding.id in self._expanded
            mark = ("▾" if opened else "▸") if self.workbench.utf8 else ("-" if opened else "+")
            grid.add_row(Text(mark), Text(f"{plural(count, 'consequence')} (enter)", "dim"))
            for one in finding.consequences if opened else ():
                grid.add_row("", Text(one.what))
        return grid

    def _chosen(self) -> Finding | None:
        report, number = self._state.report, None
        if report and self.is_mounted:
            number = self.query_one("#findings", OptionList).highlighted
        return report.diagnosis.findings[number] if report and number is not None else None

    def _sign(self, word: str) -> str:
        return VERDICTS[word][0 if self.workbench.utf8 else 1]

    def _color(self, name: str) -> str:
        return self.app.theme_variables.get(name, "")


class DetailsScreen(WorkbenchScreen):
    """What follows from what, how each probe went, and all that they printed."""

    CONCEPTS = ("machine",)

    def __init__(self, report: Report) -> None:
        super().__init__()
        self._report = report

    def heading(self) -> Text:
        """How long the check took."""
        text = Text("machine, details", style="bold")
        return text.append(f"  checked in {human_seconds(self._report.seconds)}", "not bold")

    def compose_body(self) -> ComposeResult:
        """Everything in one text that scrolls."""
        with VerticalScroll(id="details"):
            yield Static(details_text(self._report))


def details_text(report: Report) -> Text:
    """Consequences, a line for each probe, and what was printed."""
    text = Text()
    for finding in report.diagnosis.findings:
        for one in finding.consequences:
            text.append(f"{one.what}\n  ").append(f"follows from: {finding.what}\n", "dim")
    text.append("\n" if text else "")
    text.append(f"{'probe':<12}{'':<10}{'took':>8}\n", "dim")
    for name, outcome in report.facts.outcomes.items():
        took = human_seconds(outcome.seconds)
        text.append(f"{safe_text(name, 11):<12}{outcome.status:<10}{took:>8}  {outcome.detail}\n")
    for name, outcome in report.facts.outcomes.items():
        if outcome.stderr:
            text.append(f"\n{safe_text(name, 11)} printed\n", "bold")
            text.append(f"{safe_lines(outcome.stderr)}\n")
    return text


@dataclass(frozen=True)
class Pen:
    """How gauges are drawn.

    Attributes:
        column: True for a narrow column with a line for each gauge, False for two on a line.
        color: the value of a colour of the theme, by its name.
    """

    utf8: bool
    column: bool
    color: Callable[[str], str]

    def gauge(self, text: Text, label: str, share: float, told: str) -> None:
        """A label, a bar and what it stands for."""
        style = f"{self.color('accent')} on {self.color('panel')}"
        text.append(label).append(bar(share, BAR, self.utf8), style).append(f" {told}")

    def pair(self, text: Text, label: str, use: tuple[float, str], memory: tuple[int, int]) -> None:
        """Use, and the bytes of memory used and there, on two lines or on one."""
        (share, told), (used, total) = use, memory
        self.gauge(text, f"{label:<9}", share, told if self.column else f"{told:<13}")
        held = f"{used / 2**30:.1f} of {human_gib(total)}"
        memory_label = "\n  memory " if self.column else "memory "
        self.gauge(text, memory_label, used / total if total else 0.0, held)
        text.append("\n")


def gauge_text(look: live.Gauges, pen: Pen) -> Text:
    """A look at CPU, memory, GPUs and their processes; within 44 or 78 columns."""
    text, box = Text(no_wrap=True, overflow="ellipsis"), look.box
    if "cpu" in box:
        memory = (box["memory_used"], box["memory_total"])
        pen.pair(text, "cpu", (box["cpu"] / 100, f"{box['cpu']:.0f} %"), memory)
    for gpu in look.nvml.gpus:
        _gpu(text, gpu, pen)
    if not look.nvml.gpus:
        why = f": {safe_text(look.nvml.error, 60)}" if look.nvml.error else ""
        text.append(f"{'gpu':<9}none{why}\n", "dim")
    if look.silent > live.PATIENCE:
        silence = human_seconds(round(look.silent))
        text.append(f"! no answer for {silence}\n", pen.color("warning"))
    text.rstrip()
    return text


def _gpu(text: Text, gpu: Gpu, pen: Pen) -> None:
    """Use and memory of a GPU, and who holds that."""
    label = f"gpu {gpu.index}"
    if gpu.error:
        text.append(f"{label:<9}{gpu_text(gpu)}\n", pen.color("error"))
        return
    told = "not told" if gpu.utilization is None else f"{gpu.utilization} %"
    if gpu.temperature is not None:
        told += f", {gpu.temperature} {'°' if pen.utf8 else ''}C"
    use = ((gpu.utilization or 0) / 100, told)
    pen.pair(text, label, use, (gpu.memory_used, gpu.memory_total))
    for one in gpu.processes[:PROCESSES]:
        memory = human_gib(one.memory) if one.memory else "?"
        style = "dim" if one.own else pen.color("warning")
        who = f"{safe_text(one.user or '?', 10)} {safe_text(one.name, 12)}"
        text.append(f"  pid {one.pid:<8} {memory:>9}  {who}\n", style)
    if (more := len(gpu.processes) - PROCESSES) > 0:
        text.append(f"  and {plural(more, 'other program')}\n", "dim")


def _ago(seconds: float) -> str:
    return f"{human_seconds(seconds)} ago" if seconds >= 60 else "just now"


def _grid(told: list[tuple[str, str]]) -> Table:
    """Labels and texts; long texts go on below themselves."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for label, text in told:
        grid.add_row(Text(label, "dim"), Text(text))
    return grid


def _looks(seconds: float) -> Generator[live.Gauges | None, None, None]:
    """Looks at the gauges at most so often; None in between, so that the reader can end."""
    shown = 0.0
    # Its words for silence come early for that; they are shown only once they are worth it.
    process = cast("Generator[live.Gauges, None, None]", live.gauges(patience=CLOSE_SECONDS))
    with closing(process) as looks:
        for look in looks:
            now = time.monotonic()
            known = look.box or look.silent > live.PATIENCE
            if known and now - shown >= seconds - CLOSE_SECONDS:
                shown = now
                yield look
            else:
                yield None
