"""What the machine screen shows: verdict, findings, facts, details, live gauges."""

import time
from collections.abc import Callable, Generator
from contextlib import closing
from dataclasses import dataclass
from typing import Literal, cast

from rich.table import Table
from rich.text import Text
from textual import on, work
from textual.app import ComposeResult
from textual.containers import VerticalScroll
from textual.message import Message
from textual.widgets import Static
from textual.worker import get_current_worker

from workbench.app.jobs import CheckState
from workbench.machine import live
from workbench.machine.check import MachineReport
from workbench.machine.diagnosis import format_gpu, row_title, rows
from workbench.machine.facts import Gpu
from workbench.machine.finding import Finding
from workbench.messages import tr
from workbench.render.marks import bar
from workbench.runs.work_titles import work_title
from workbench.text import (
    format_gib,
    format_seconds,
    pad_cells,
    percent,
    plural,
    safe_lines,
    safe_text,
)
from workbench.ui.machine.usage import UsagePlot

PROCESSES = 3  # shown for each GPU; of more only their number
BAR = 14  # cells

# Symbol, symbol in ASCII, color of the theme; by the state of a diagnosis or severity of a finding.
STYLES = {
    "usable": ("✓", "+", "success"),
    "degraded": ("!", "!", "warning"),
    "broken": ("✗", "x", "error"),
    "warning": ("!", "!", "warning"),
    "note": ("·", "-", "secondary"),
}
STATE_TITLES = {"usable": tr("usable"), "degraded": tr("degraded"), "broken": tr("broken")}
# What NVML itself says, in English, where there is no GPU.
NVML_ERRORS = {
    "NVML Shared Library Not Found": tr("NVML Shared Library Not Found"),
    "Driver Not Loaded": tr("Driver Not Loaded"),
    "Driver/library version mismatch": tr("Driver/library version mismatch"),
}
# Of wide letters: by "ellipsis" Rich cuts a line that ends with a blank.
FOLD: Literal["fold"] = "fold"
CLOSE_SECONDS = 0.5  # at most, until polling ends after `stop_polling`


@dataclass(frozen=True)
class TextStyle:
    """Symbols and colors of a terminal.

    Attributes:
        color: returns a color of the theme by its name.
    """

    utf8: bool
    color: Callable[[str], str]

    def symbol(self, name: str) -> str:
        """Return the character for a state or severity."""
        return STYLES[name][0 if self.utf8 else 1]

    def style(self, name: str) -> str:
        """Return the color of a state or severity."""
        return self.color(STYLES[name][2])


def format_verdict(state: CheckState, styles: TextStyle, retry: str) -> Text:
    """Return the result of the last check, or the phase of a running one.

    Args:
        state: of the check.
        styles: of its words.
        retry: the key that checks again.
    """
    text = Text()
    if state.error:
        text.append(f"{tr('failed')} {styles.symbol('broken')}  ", f"bold {styles.style('broken')}")
        text.append(
            tr("The check ended early: {error}\n{key} tries again.", error=state.error, key=retry)
        )
        text.append("\n\n" if state.report else "")
    if state.report:
        diagnosis = state.report.diagnosis
        nvml = state.report.facts.nvml
        word, sign = STATE_TITLES[diagnosis.state], str(diagnosis.state)
        if sign == "degraded" and (nvml is None or not nvml.gpus):
            # A machine without a GPU: nothing of it is broken.
            word, sign = tr("usable"), "note"
        text.append(f"{word} {styles.symbol(sign)}  ", f"bold {styles.style(sign)}")
        text.append(diagnosis.verdict, "bold")
    elif state.busy:
        text.append(
            tr("checking ...  {phase}", phase=safe_text(work_title(state.phase), 50)) + "\n\n"
        )
        text.append(
            tr("Each probe runs in its own process; the longest is the trial step, which\n")
        )
        text.append(
            tr("starts the framework. The check continues if you leave this screen."), "dim"
        )
    return text


def format_finding(finding: Finding, opened: bool, styles: TextStyle) -> Table:
    """Return symbol and sentences, the remedy, and the consequences if they are opened."""
    style = styles.style(finding.severity)
    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(width=1)
    grid.add_column(ratio=1)
    grid.add_row(
        Text(styles.symbol(finding.severity), style), Text(finding.what, style, overflow=FOLD)
    )
    grid.add_row("", Text(finding.why, overflow=FOLD))
    if finding.remedy:
        grid.add_row(Text(">", "bold"), Text(finding.remedy, "bold", overflow=FOLD))
    if count := len(finding.consequences):
        mark = ("▾" if opened else "▸") if styles.utf8 else ("-" if opened else "+")
        grid.add_row(
            Text(mark),
            Text(tr("{consequences} (space)", consequences=plural(count, "consequence")), "dim"),
        )
        for one in finding.consequences if opened else ():
            grid.add_row("", Text(one.what, overflow=FOLD))
    return grid


def facts_table(report: MachineReport) -> Table:
    """Return the facts about the machine, one a row; long texts wrap."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for label, text in rows(report.facts, report.benchmarks):
        grid.add_row(Text(row_title(label), "dim"), Text(text, overflow=FOLD))
    return grid


def describe_age(seconds: float) -> str:
    """Return the age of a report."""
    return tr("{age} ago", age=format_seconds(seconds)) if seconds >= 60 else tr("just now")


def format_details(report: MachineReport) -> Text:
    """Return the consequences, a line for each probe, and the output of the probes."""
    text = Text()
    for finding in report.diagnosis.findings:
        for one in finding.consequences:
            text.append(f"{one.what}\n  ").append(
                tr("follows from: {what}", what=finding.what) + "\n", "dim"
            )
    text.append("\n" if text else "")
    text.append(f"{pad_cells(tr('probe'), 22)}{pad_cells(tr('took'), 8, 'r')}\n", "dim")
    for name, outcome in report.facts.outcomes.items():
        took = pad_cells(format_seconds(outcome.seconds), 8, "r")
        start = f"{safe_text(name, 11):<12}{outcome.status:<10}"
        text.append(f"{start}{took}  {outcome.detail}\n")
    for name, outcome in report.facts.outcomes.items():
        if outcome.stderr:
            text.append("\n" + tr("{name} printed", name=safe_text(name, 11)) + "\n", "bold")
            text.append(f"{safe_lines(outcome.stderr)}\n")
    return text


def format_gauges(sample: live.Gauges, column: bool, styles: TextStyle) -> Text:
    """Return CPU, memory, GPUs and their processes.

    Args:
        sample: the newest values.
        styles: symbols and colors.
        column: True for a line for each gauge, 44 columns; False for two on a line, 78 columns.
    """
    text, host = Text(no_wrap=True, overflow="ellipsis"), sample.host
    if "cpu" in host:
        memory = (host["memory_used"], host["memory_total"])
        _pair(text, "cpu", (host["cpu"] / 100, percent(host["cpu"] / 100)), memory, column, styles)
    for gpu in sample.nvml.gpus:
        _gpu(text, gpu, column, styles)
    if not sample.nvml.gpus:
        reason = (
            f": {NVML_ERRORS.get(sample.nvml.error, safe_text(sample.nvml.error, 60))}"
            if sample.nvml.error
            else ""
        )
        text.append(pad_cells("gpu", 9) + tr("none") + f"{reason}\n", "dim")
    if sample.silent > live.PATIENCE:
        silence = format_seconds(round(sample.silent))
        text.append(
            tr("! no new values for {silence}", silence=silence) + "\n", styles.color("warning")
        )
    text.rstrip()
    return text


def _gpu(text: Text, gpu: Gpu, column: bool, styles: TextStyle) -> None:
    """Append use and memory of a GPU, and the processes that hold memory."""
    label = f"gpu {gpu.index}"
    if gpu.error:
        text.append(f"{label:<9}{format_gpu(gpu)}\n", styles.color("error"))
        return
    value = tr("unknown") if gpu.utilization is None else percent(gpu.utilization / 100)
    if gpu.temperature is not None:
        value += f", {gpu.temperature} {'°' if styles.utf8 else ''}C"
    use = ((gpu.utilization or 0) / 100, value)
    _pair(text, label, use, (gpu.memory_used, gpu.memory_total), column, styles)
    for one in gpu.processes[:PROCESSES]:
        memory = format_gib(one.memory) if one.memory else "?"
        style = "dim" if one.own else styles.color("warning")
        name = f"{safe_text(one.user or '?', 10)} {safe_text(one.name, 12)}"
        text.append(f"  pid {one.pid:<8} {memory:>9}  {name}\n", style)
    if (more := len(gpu.processes) - PROCESSES) > 0:
        text.append(
            "  " + tr("and {other_programs}", other_programs=plural(more, "other program")) + "\n",
            "dim",
        )


def _pair(
    text: Text,
    label: str,
    use: tuple[float, str],
    memory: tuple[int, int],
    column: bool,
    styles: TextStyle,
) -> None:
    """Append use, and used and total bytes of memory, on two lines or on one."""
    (share, value), (used, total) = use, memory
    _gauge(text, f"{label:<9}", share, value if column else pad_cells(value, 13), styles)
    held = tr("{used:.1f} of {total}", used=used / 2**30, total=format_gib(total))
    label = pad_cells(tr("memory"), 7)
    _gauge(text, f"\n  {label}" if column else label, used / total if total else 0.0, held, styles)
    text.append("\n")


def _gauge(text: Text, label: str, share: float, value: str, styles: TextStyle) -> None:
    """Append a label, a bar and its value."""
    style = f"{styles.color('accent')} on {styles.color('panel')}"
    text.append(label).append(bar(share, BAR, styles.utf8), style).append(f" {value}")


class LiveGauges(VerticalScroll, can_focus=False):
    """CPU, memory, GPUs and their processes; live between `start_polling` and `stop_polling`.

    Args:
        seconds: between two samples, at least.
    """

    DEFAULT_CSS = """
    LiveGauges { height: auto; max-height: 10; margin-top: 1; scrollbar-size-vertical: 1; }
    LiveGauges UsagePlot { display: none; margin-top: 1; min-height: 10; }
    """

    class Sampled(Message):
        """A sample; None if its process ended, with `error` if it could not start."""

        def __init__(self, sample: live.Gauges | None, error: str = "") -> None:
            super().__init__()
            self.sample = sample
            self.error = error

        def can_replace(self, message: Message) -> bool:
            """Drop older samples."""
            return isinstance(message, LiveGauges.Sampled)

    def __init__(self, styles: TextStyle, seconds: float, id: str | None = None) -> None:  # noqa: A002
        super().__init__(id=id)
        self._text_style = styles
        self._seconds = seconds

    def compose(self) -> ComposeResult:
        """Yield the newest values, and those before."""
        yield Static(Text(tr("gauges: starting ..."), "dim"), id="sample")
        yield UsagePlot()

    def start_polling(self) -> None:
        """Show samples until `stop_polling`, or the end of the screen."""
        self.query_one(UsagePlot).start()
        self._poll()

    @work(thread=True, exclusive=True, group="gauges", exit_on_error=False)
    def _poll(self) -> None:
        worker = get_current_worker()
        try:
            with closing(_samples(self._seconds)) as samples:
                for sample in samples:
                    if worker.is_cancelled:
                        return
                    if sample is not None:
                        self.post_message(self.Sampled(sample))
            self.post_message(self.Sampled(None))
        except Exception as error:  # no gauge may end the app
            self.post_message(self.Sampled(None, safe_text(f"{type(error).__name__}: {error}")))

    def stop_polling(self) -> None:
        """End polling while the gauges are not seen."""
        self.workers.cancel_group(self, "gauges")

    @on(Sampled)
    def _sampled(self, message: Sampled) -> None:
        message.stop()
        if message.sample is None:
            reason = (
                f": {message.error}" if message.error else tr("; open this screen again to retry")
            )
            text = Text(
                tr("! the gauges have ended{reason}", reason=reason),
                self._text_style.color("warning"),
            )
        else:
            wide = self.screen.has_class("-wide")
            text = format_gauges(message.sample, wide, self._text_style)
            self.query_one(UsagePlot).add(message.sample, self._text_style.utf8)
        self.query_one("#sample", Static).update(text)


def _samples(seconds: float) -> Generator[live.Gauges | None, None, None]:
    """Yield samples at most every so many seconds; None in between, so that the reader can end."""
    shown = 0.0
    # It reports silence early for that; the report is shown only after `live.PATIENCE`.
    process = cast("Generator[live.Gauges, None, None]", live.gauges(patience=CLOSE_SECONDS))
    with closing(process) as samples:
        for sample in samples:
            now = time.monotonic()
            known = sample.host or sample.silent > live.PATIENCE
            if known and now - shown >= seconds - CLOSE_SECONDS:
                shown = now
                yield sample
            else:
                yield None
