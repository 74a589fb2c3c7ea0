"""`workbench check`: does training run on the GPU, how fast, and if not, what fixes it."""

import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.group import in_workspace
from workbench.cli.options import json_option
from workbench.cli.output import echo, echo_json, progress_bar
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import (
    cell_width,
    format_gib,
    format_seconds,
    pad_cells,
    percent,
    safe_text,
    table,
    wrap_cells,
)

if TYPE_CHECKING:
    from workbench.machine.check import MachineReport
    from workbench.machine.finding import Finding
    from workbench.machine.live import Gauges
    from workbench.machine.terminal_graphics import Graphics

WIDTH = 79
SIGNS = {"broken": "x", "warning": "!", "note": "-"}
BAR = 20  # cells of a gauge


@click.command()
@click.option("--details", is_flag=True, help="Also consequences of findings, and each probe.")
@click.option("--measure", is_flag=True, help="Try the framework and measure again.")
@click.option("--watch", "watching", is_flag=True, help="Show use, memory and processes live.")
@json_option
@in_workspace
def check(
    workspace: Workspace, details: bool, measure: bool, watching: bool, as_json: bool
) -> None:
    """Check the machine: does training run on a GPU, how fast, and if not, what fixes it.

    Exit code: 0 the GPU trains; 1 training runs, but on the CPU or with a warning; 2 it cannot run.
    """
    from workbench.machine.check import check as check_machine
    from workbench.machine.terminal_probe import TerminalProbe

    if watching:
        if details or measure or as_json:
            raise UserError(tr("--watch cannot be combined with --details, --measure or --json."))
        watch_gauges()
        return
    with TerminalProbe(os.environ, sys.stdin, sys.stderr) as probe:
        graphics = probe.graphics()
    with progress_bar() as progress:
        report = check_machine(workspace, measure=measure, progress=progress)
    if as_json:
        echo_json(as_tree(report) | {"graphics": asdict(graphics)})
    else:
        for line in [*summary_lines(report, graphics), *(detail_lines(report) if details else [])]:
            echo(line)
        if not details:
            echo(tr("\nMore: workbench check --details      For scripts: --json"))
    click.get_current_context().exit(report.diagnosis.exit_code)


def as_tree(report: "MachineReport") -> dict[str, Any]:
    """Return the report for scripts."""
    diagnosis = report.diagnosis
    return {
        "verdict": diagnosis.verdict,
        "state": diagnosis.state,
        "exit_code": diagnosis.exit_code,
        "seconds": round(report.seconds, 2),
        "findings": [_finding_tree(finding) for finding in diagnosis.findings],
        "figures": {n: f.model_dump(mode="json") for n, f in report.benchmarks.items()},
        "facts": report.facts.model_dump(mode="json"),
    }


def summary_lines(report: "MachineReport", graphics: "Graphics | None" = None) -> list[str]:
    """Return verdict, findings and machine, on one screen of 80 x 24 if findings are few."""
    from workbench.machine.diagnosis import row_title, rows

    lines = [*wrap_cells(report.diagnosis.verdict, WIDTH), ""]
    for finding in report.diagnosis.findings:
        lines += [*finding_lines(finding), ""]
    facts = rows(report.facts, report.benchmarks)
    if graphics is not None:
        facts.append((tr("pictures"), graphics.describe()))
    facts = [(row_title(label), text) for label, text in facts]
    width = max(cell_width(label) for label, _ in facts)
    for label, text in facts:
        lines += _hanging(pad_cells(label, width) + "  ", text)
    return lines


def finding_lines(finding: "Finding") -> list[str]:
    """Return what, why, and the command that fixes it, which is never wrapped."""
    lines = _hanging(f"{SIGNS[finding.severity]} ", finding.what)
    lines += _hanging("  ", finding.why)
    return [*lines, f"  > {finding.remedy}"] if finding.remedy else lines


def detail_lines(report: "MachineReport") -> list[str]:
    """Return the consequences of the findings, and the result of each probe."""
    lines = []
    for finding in report.diagnosis.findings:
        for consequence in finding.consequences:
            lines += _hanging(
                "  . ",
                tr("{what} (follows from: {what_2})", what=consequence.what, what_2=finding.what),
            )
    if lines:
        lines = ["", tr("Consequences"), *lines]
    outcomes = report.facts.outcomes.items()
    probes = [(n, o.status, format_seconds(o.seconds), o.detail) for n, o in outcomes]
    lines += ["", table((tr("probe"), "", tr("took"), ""), probes, "llr")]
    for name, outcome in outcomes:
        if outcome.stderr:
            lines += [
                "",
                tr("{name} printed:", name=name),
                *(f"  {one}" for one in outcome.stderr.split("\n")),
            ]
    return [*lines, "", tr("checked in {seconds}", seconds=format_seconds(report.seconds))]


def _finding_tree(finding: "Finding") -> dict[str, Any]:
    return {
        "id": finding.id,
        "severity": finding.severity,
        "what": finding.what,
        "why": finding.why,
        "remedy": finding.remedy,
        "consequences": [_finding_tree(one) for one in finding.consequences],
    }


def _hanging(first: str, text: str) -> list[str]:
    return wrap_cells(
        text, WIDTH, initial_indent=first, subsequent_indent=" " * cell_width(first),
        break_on_hyphens=False,
    )  # fmt: skip


def watch_gauges() -> None:
    """Show the gauges until Ctrl-C; as lines if the output is not a terminal.

    Raises:
        UserError: the process that reads them ended.
    """
    try:
        _show_gauges()
    except KeyboardInterrupt:
        return
    raise UserError(
        tr("The process that reads the gauges has ended: a driver may have crashed it."),
        tr("See: workbench check"),
    )


def _show_gauges() -> None:
    from workbench.machine.live import gauges

    if not sys.stdout.isatty():
        for sample in gauges():
            echo(gauge_text(sample) + "\n")
        return
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    with Live(console=Console(highlight=False), auto_refresh=False) as live:
        for sample in gauges():
            live.update(Text(gauge_text(sample) + tr("\n\nCtrl-C ends")), refresh=True)


def gauge_text(sample: "Gauges") -> str:
    """Format a sample in lines of at most 80 columns."""
    from workbench.machine.diagnosis import format_gpu

    host = sample.host
    if not host:
        return tr("waiting for the driver, {silent} so far", silent=format_seconds(sample.silent))
    lines = []
    if "cpu" in host:
        used, total = host["memory_used"], host["memory_total"]
        lines += [
            f"cpu     {_bar(host['cpu'] / 100)} {percent(host['cpu'] / 100):>5}",
            tr(
                "memory  {used} {used_2:.1f} of {total}",
                used=_bar(used / total),
                used_2=used / 2**30,
                total=format_gib(total),
            ),
        ]
    for gpu in sample.nvml.gpus:
        share = gpu.memory_used / gpu.memory_total if gpu.memory_total else 0.0
        lines += ["", f"gpu {gpu.index}   {format_gpu(gpu)}"]
        lines += [f"  use     {_bar((gpu.utilization or 0) / 100)}", f"  memory  {_bar(share)}"]
        rows = [
            (one.pid, one.user or "?", format_gib(one.memory) if one.memory else "?", one.name)
            for one in gpu.processes
        ]
        if rows:
            text = table(("  " + tr("PID"), tr("user"), tr("memory"), tr("program")), rows, "rlrl")
            lines += [line[:79] for line in text.split("\n")]
    if not sample.nvml.gpus:
        lines += [
            "",
            tr("no GPU") + (f": {safe_text(sample.nvml.error)}" if sample.nvml.error else ""),
        ]
    if sample.silent:
        lines += [
            "",
            tr("NVML has not answered for {silent}.", silent=format_seconds(sample.silent)),
        ]
    return "\n".join(lines)


def _bar(share: float) -> str:
    from workbench.render.marks import bar

    return f"[{bar(share, BAR, utf8=False)}]"
