"""`workbench check`: does training run on the GPU, how fast, and if not, what fixes it."""

import textwrap
from typing import TYPE_CHECKING, Any

import click

from workbench.cli.group import in_workspace
from workbench.cli.options import json_option
from workbench.cli.output import echo, echo_json, progress_bar
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.text import format_seconds, table

if TYPE_CHECKING:
    from workbench.machine.check import MachineReport
    from workbench.machine.finding import Finding

WIDTH = 79
SIGNS = {"broken": "x", "warning": "!", "note": "-"}


@click.command()
@click.option("--details", is_flag=True, help="Also consequences of findings, and each probe.")
@click.option("--measure", is_flag=True, help="Measure the speed again.")
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

    if watching:
        if details or measure or as_json:
            raise UserError("--watch cannot be combined with --details, --measure or --json.")
        from workbench.cli.gauges import watch_gauges

        watch_gauges()
        return
    with progress_bar() as progress:
        report = check_machine(workspace, measure=measure, progress=progress)
    if as_json:
        echo_json(as_tree(report))
    else:
        for line in [*summary_lines(report), *(detail_lines(report) if details else [])]:
            echo(line)
        if not details:
            echo("\nMore: workbench check --details      For scripts: --json")
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


def summary_lines(report: "MachineReport") -> list[str]:
    """Return verdict, findings and machine, on one screen of 80 x 24 if findings are few."""
    from workbench.machine.diagnosis import rows

    lines = [*textwrap.wrap(report.diagnosis.verdict, WIDTH), ""]
    for finding in report.diagnosis.findings:
        lines += [*finding_lines(finding), ""]
    facts = rows(report.facts, report.benchmarks)
    width = max(len(label) for label, _ in facts)
    for label, text in facts:
        lines += _hanging(f"{label:<{width}}  ", text)
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
            lines += _hanging("  . ", f"{consequence.what} (follows from: {finding.what})")
    if lines:
        lines = ["", "Consequences", *lines]
    outcomes = report.facts.outcomes.items()
    probes = [(n, o.status, format_seconds(o.seconds), o.detail) for n, o in outcomes]
    lines += ["", table(("probe", "", "took", ""), probes, "llr")]
    for name, outcome in outcomes:
        if outcome.stderr:
            lines += ["", f"{name} printed:", *(f"  {one}" for one in outcome.stderr.split("\n"))]
    return [*lines, "", f"checked in {format_seconds(report.seconds)}"]


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
    return textwrap.wrap(
        text, WIDTH, initial_indent=first, subsequent_indent=" " * len(first),
        break_on_hyphens=False,
    )  # fmt: skip
