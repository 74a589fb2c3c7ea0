"""What the machine screen shows, as text: verdict, findings, details, gauges."""

from collections.abc import Callable
from dataclasses import dataclass

from rich.table import Table
from rich.text import Text

from workbench.app.machine_check import CheckState
from workbench.machine import live
from workbench.machine.check import Report
from workbench.machine.facts import Gpu
from workbench.machine.finding import Finding
from workbench.machine.summary import gpu_text, rows
from workbench.render.marks import bar
from workbench.text import human_gib, human_seconds, plural, safe_lines, safe_text

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
class Pen:
    """What a text needs to know of the terminal.

    Attributes:
        color: the value of a colour of the theme, by its name.
    """

    utf8: bool
    color: Callable[[str], str]

    def sign(self, word: str) -> str:
        """One character for a word of VERDICTS."""
        return VERDICTS[word][0 if self.utf8 else 1]

    def style(self, word: str) -> str:
        """The colour of a word of VERDICTS."""
        return self.color(VERDICTS[word][2])


def verdict_text(state: CheckState, pen: Pen) -> Text:
    """What the last check came to, or that one is at work."""
    text = Text()
    if state.error:
        text.append(f"failed {pen.sign('broken')}  ", f"bold {pen.style('broken')}")
        text.append(f"The check ended early: {state.error}\na tries again.")
        text.append("\n\n" if state.report else "")
    if state.report:
        diagnosis = state.report.diagnosis
        text.append(
            f"{diagnosis.word} {pen.sign(diagnosis.word)}  ", f"bold {pen.style(diagnosis.word)}"
        )
        text.append(diagnosis.verdict, "bold")
    elif state.busy:
        text.append(f"asking the box ...  {safe_text(state.phase, 50)}\n\n")
        text.append("Every question is asked in a process of its own; the longest is the trial\n")
        text.append("step, which starts the framework. You may leave meanwhile.", "dim")
    return text


def finding_text(finding: Finding, opened: bool, pen: Pen) -> Table:
    """Sign and sentences, the remedy, and what follows from it where that is opened."""
    style = pen.style(finding.severity)
    grid = Table.grid(padding=(0, 1, 0, 0), expand=True)
    grid.add_column(width=1)
    grid.add_column(ratio=1)
    grid.add_row(Text(pen.sign(finding.severity), style), Text(finding.what, style))
    grid.add_row("", Text(finding.why))
    if finding.remedy:
        grid.add_row(Text(">", "bold"), Text(finding.remedy, "bold"))
    if count := len(finding.consequences):
        mark = ("▾" if opened else "▸") if pen.utf8 else ("-" if opened else "+")
        grid.add_row(Text(mark), Text(f"{plural(count, 'consequence')} (enter)", "dim"))
        for one in finding.consequences if opened else ():
            grid.add_row("", Text(one.what))
    return grid


def box_table(report: Report) -> Table:
    """The box in short lines; long texts go on below themselves."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    for label, text in rows(report.facts, report.figures):
        grid.add_row(Text(label, "dim"), Text(text))
    return grid


def age_in_words(seconds: float) -> str:
    """How long ago a report came."""
    return f"{human_seconds(seconds)} ago" if seconds >= 60 else "just now"


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


def gauge_text(look: live.Gauges, column: bool, pen: Pen) -> Text:
    """A look at CPU, memory, GPUs and their processes.

    Args:
        column: True for a line for each gauge, 44 columns; False for two on a line, 78 columns.
    """
    text, box = Text(no_wrap=True, overflow="ellipsis"), look.box
    if "cpu" in box:
        memory = (box["memory_used"], box["memory_total"])
        _pair(text, "cpu", (box["cpu"] / 100, f"{box['cpu']:.0f} %"), memory, column, pen)
    for gpu in look.nvml.gpus:
        _gpu(text, gpu, column, pen)
    if not look.nvml.gpus:
        why = f": {safe_text(look.nvml.error, 60)}" if look.nvml.error else ""
        text.append(f"{'gpu':<9}none{why}\n", "dim")
    if look.silent > live.PATIENCE:
        silence = human_seconds(round(look.silent))
        text.append(f"! no answer for {silence}\n", pen.color("warning"))
    text.rstrip()
    return text


def _gpu(text: Text, gpu: Gpu, column: bool, pen: Pen) -> None:
    """Use and memory of a GPU, and who holds that."""
    label = f"gpu {gpu.index}"
    if gpu.error:
        text.append(f"{label:<9}{gpu_text(gpu)}\n", pen.color("error"))
        return
    told = "not told" if gpu.utilization is None else f"{gpu.utilization} %"
    if gpu.temperature is not None:
        told += f", {gpu.temperature} {'°' if pen.utf8 else ''}C"
    use = ((gpu.utilization or 0) / 100, told)
    _pair(text, label, use, (gpu.memory_used, gpu.memory_total), column, pen)
    for one in gpu.processes[:PROCESSES]:
        memory = human_gib(one.memory) if one.memory else "?"
        style = "dim" if one.own else pen.color("warning")
        who = f"{safe_text(one.user or '?', 10)} {safe_text(one.name, 12)}"
        text.append(f"  pid {one.pid:<8} {memory:>9}  {who}\n", style)
    if (more := len(gpu.processes) - PROCESSES) > 0:
        text.append(f"  and {plural(more, 'other program')}\n", "dim")


def _pair(
    text: Text,
    label: str,
    use: tuple[float, str],
    memory: tuple[int, int],
    column: bool,
    pen: Pen,
) -> None:
    """Use, and the bytes of memory used and there, on two lines or on one."""
    (share, told), (used, total) = use, memory
    _gauge(text, f"{label:<9}", share, told if column else f"{told:<13}", pen)
    held = f"{used / 2**30:.1f} of {human_gib(total)}"
    _gauge(text, "\n  memory " if column else "memory ", used / total if total else 0.0, held, pen)
    text.append("\n")


def _gauge(text: Text, label: str, share: float, told: str, pen: Pen) -> None:
    """A label, a bar and what it stands for."""
    style = f"{pen.color('accent')} on {pen.color('panel')}"
    text.append(label).append(bar(share, BAR, pen.utf8), style).append(f" {told}")
