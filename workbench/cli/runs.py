"""Commands on runs: runs, status, attach, stop, delete, restore, compare."""

import time
from typing import TYPE_CHECKING

import click

from workbench.cli.complete import complete_runs, complete_trash
from workbench.cli.group import EXIT_ERROR, command_line, in_workspace
from workbench.cli.hosts import all_hosts_option, chosen_hosts, host_option, print_problem
from workbench.cli.options import (
    json_option,
    latest_argument,
    notify_option,
    run_argument,
)
from workbench.cli.output import echo, echo_json
from workbench.errors import UserError
from workbench.experiment.metrics import ACCURACY, METRICS, SHORT_TITLES
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import (
    format_accuracy,
    format_age,
    format_seconds,
    group_notes,
    safe_text,
    table,
)

if TYPE_CHECKING:
    from workbench.hosts.mirror import HostView
    from workbench.runs.state import RunSummary

HERE = tr("here")  # in a list of several machines


@click.command()
@click.option(
    "--figure",
    type=click.Choice([name.replace("_", "-") for name in METRICS]),
    help="The metric to show. Default: as in the app, at first accuracy.",
)
@click.option("--best-first", is_flag=True, help="Sort by it, test before validation images.")
@host_option
@all_hosts_option
@json_option
@in_workspace
def runs(
    workspace: Workspace,
    figure: str | None,
    best_first: bool,
    hosts: tuple[str, ...],
    all_hosts: bool,
    as_json: bool,
) -> None:
    """List the runs, newest first; with --host also those of other machines.

    A machine that does not answer is reported, and its runs are shown as they were; if it was
    named by --host, the exit code is 2.
    """
    from workbench.app.table_settings import read_settings
    from workbench.runs.folder import list_runs
    from workbench.runs.state import summarize

    metric = figure.replace("-", "_") if figure else read_settings(workspace).metric
    found = [("", summarize(folder)) for folder in list_runs(workspace)]
    if several := bool(hosts or all_hosts):
        views = _ask(hosts, all_hosts)
        found += [(view.name, run.summary) for view in views for run in view.runs]
        found.sort(key=lambda one: -(one[1].started or 0.0))
        failed = any(view.problem and view.name in hosts for view in views)
    if best_first:
        found.sort(key=lambda one: one[1].rank(metric))
    if as_json:
        echo_json(
            [({"host": host} if several else {}) | summary.as_dict() for host, summary in found]
        )
    else:
        _print_runs(workspace, found, metric, several)
    if several and failed:
        click.get_current_context().exit(EXIT_ERROR)


def _print_runs(
    workspace: Workspace, found: "list[tuple[str, RunSummary]]", metric: str, several: bool
) -> None:
    """Print a line for each run, with its machine if there are several, and what needs words."""
    from workbench.runs.state import ENDED

    if not found:
        echo(tr("No runs yet in {runs}. Start one: workbench demo", runs=workspace.runs))
        return
    rows = [
        (
            summary.state.phase,
            *((host or HERE,) if several else ()),
            summary.name,
            (summary.preset or summary.strategy)
            + (" (random weights)" if summary.random_weights else ""),
            f"{summary.epochs_done}/{summary.epochs_total or '?'}",
            format_accuracy(summary.on_validation(metric)),
            format_accuracy(summary.on_test(metric)),
            _ago(summary.started),
            (summary.state.phase != "waiting" and summary.device) or "-",
        )
        for host, summary in found
    ]
    named = "" if metric == ACCURACY else f" {SHORT_TITLES[metric]}"
    first = ("state", "machine", "run") if several else ("state", "run")
    headers = (*first, "preset", "epochs", f"best val{named}", f"test{named}", "started", "on")
    echo(table(headers, rows, "l" * len(first) + "lrrrrl"))
    notes = []
    for host, summary in found:
        explained = summary.state.phase in (*ENDED, "interrupted", "waiting")
        if (explained or summary.state.other_host) and summary.state.detail:
            where = tr("{name} on {host}", name=summary.name, host=host) if host else summary.name
            notes.append((where, summary.state.detail))
    for note in group_notes(notes):
        echo(note)


def _ask(hosts: tuple[str, ...], all_hosts: bool) -> "tuple[HostView, ...]":
    """Ask machines for their runs; print which did not answer."""
    from workbench.hosts.feed import poll_hosts

    views = poll_hosts(chosen_hosts(hosts, all_hosts))
    for view in views:
        if view.problem:
            print_problem(view, time.time())
    return views


@click.command()
@latest_argument
@json_option
@in_workspace
def status(workspace: Workspace, run: str, as_json: bool) -> None:
    """Show the state of a run; the newest if none is named."""
    from workbench.runs.folder import find_run
    from workbench.runs.state import summarize

    values = summarize(find_run(workspace, run)).as_dict()
    if as_json:
        echo_json(values)
        return
    if values["state"] not in ("stopped", "pruned", "failed", "interrupted"):
        del values["resumable"]  # follows from the state
    rows = [(key.replace("_", " "), _format(key, value)) for key, value in values.items()]
    echo(table(("", ""), rows).lstrip())


@click.command()
@latest_argument
@click.option("--json", "as_json", is_flag=True, help="Print the events.")
@notify_option
@in_workspace
def attach(workspace: Workspace, run: str, as_json: bool, notify: str | None) -> None:
    """Watch a run, the newest if none is named; Ctrl-C only ends the watching."""
    from workbench.cli.follow import watch
    from workbench.runs.folder import find_run

    watch(workspace, find_run(workspace, run), as_json, notify=notify)


@click.command()
@run_argument
@in_workspace
def stop(workspace: Workspace, run: str) -> None:
    """Ask a run to save a checkpoint and end; `resume` continues from there."""
    from workbench.app.run_control import wait_until_stopped
    from workbench.runs.folder import find_run
    from workbench.runs.lock import is_locked
    from workbench.runs.slurm import resume_arguments
    from workbench.runs.slurm_queue import is_open
    from workbench.runs.state import summarize
    from workbench.runs.stop import stop_runs

    folder = find_run(workspace, run)
    if not (is_locked(folder.lock_path) or is_open(folder)):
        state = summarize(folder).state
        where = f" ({state.detail})" if state.detail else ""
        raise UserError(
            tr(
                "{folder_name} is not running here: it is {phase}{where}.",
                folder_name=folder.name,
                phase=state.phase,
                where=where,
            )
        )
    if not stop_runs([folder]) and wait_until_stopped([folder]):
        raise UserError(
            tr(
                "{folder_name} was asked to stop and is still running; it stops after its step.",
                folder_name=folder.name,
            )
        )
    state = summarize(folder).state
    again = command_line(workspace, *resume_arguments(folder))
    echo(f"{folder.name} is {state.phase}." + (f" Resume: {again}" if state.resumable else ""))


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", shell_complete=complete_runs)
@in_workspace
def delete(workspace: Workspace, runs: tuple[str, ...]) -> None:
    """Move runs to the trash of the workspace; `restore` brings them back."""
    from workbench.runs.folder import find_run
    from workbench.runs.trash import move_to_trash

    for folder in dict.fromkeys(find_run(workspace, name) for name in runs):
        moved = move_to_trash(workspace, folder)
        echo(
            tr(
                "{folder_name} is in the trash now: {moved_path}",
                folder_name=folder.name,
                moved_path=safe_text(moved.path, 1000),
            )
        )
        echo(
            tr("Bring it back: {command}", command=command_line(workspace, "restore", folder.name))
        )


@click.command()
@click.argument("run", required=False, shell_complete=complete_trash)
@click.option("--as", "name", metavar="NAME", default="", help="Give the run a new name.")
@in_workspace
def restore(workspace: Workspace, run: str | None, name: str) -> None:
    """Bring back a deleted run; without a name, list what is in the trash.

    Of several runs of a name, the one deleted last comes back.
    """
    from workbench.runs.trash import find_trashed, list_trash
    from workbench.runs.trash import restore as restore_run

    if run is None:
        if name:
            raise UserError(tr("--as {name} renames one run: name the run first.", name=name))
        now = time.time()
        rows = [
            (one.name, f"{format_age(max(now - one.deleted, 0))} ago")
            for one in list_trash(workspace)
        ]
        echo(table(("run", "deleted"), rows, "lr") if rows else tr("The trash is empty."))
        return
    folder = restore_run(workspace, find_trashed(workspace, run), name)
    echo(
        tr(
            "{folder_name} is back. See: {command}",
            folder_name=folder.name,
            command=command_line(workspace, "status", folder.name),
        )
    )


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...", shell_complete=complete_runs)
@json_option
@in_workspace
def compare(workspace: Workspace, runs: tuple[str, ...], as_json: bool) -> None:
    """Compare runs: settings that differ, frozen layers, stages, results."""
    from workbench.app.run_files import compare_runs
    from workbench.render.compare import format_comparison

    comparison = compare_runs(workspace, runs)
    if as_json:
        echo_json(comparison.as_dict())
    else:
        echo(format_comparison(comparison))


def _format(key: str, value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key in ("started", "last_sign") and isinstance(value, float):
        return _ago(value)
    if isinstance(value, dict):
        return ", ".join(f"{METRICS[name]} {one:.4f}" for name, one in value.items()) or "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _ago(moment: float | None) -> str:
    return f"{format_seconds(max(time.time() - moment, 0))} ago" if moment else "-"
