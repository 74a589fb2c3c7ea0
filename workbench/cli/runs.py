"""Commands on runs: runs, attach, status, stop."""

import json
import time

import click

from workbench.cli.complete import complete_runs
from workbench.cli.group import command_line, in_workspace
from workbench.cli.show import accuracy, say, table
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.text import human_seconds

STOP_SECONDS = 60.0  # patience for a worker that finishes its step and saves

run_argument = click.argument("run", shell_complete=complete_runs)
latest_argument = click.argument("run", default="latest", shell_complete=complete_runs)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.command()
@json_option
@in_workspace
def runs(workspace: Workspace, as_json: bool) -> None:
    """List the runs, newest first."""
    from workbench.runs.folder import list_runs
    from workbench.runs.state import summarise

    found = [summarise(folder) for folder in list_runs(workspace)]
    if as_json:
        click.echo(json.dumps([summary.as_dict() for summary in found], indent=1))
        return
    if not found:
        say(f"No runs yet in {workspace.runs}. Start one: workbench demo")
        return
    rows = [
        (
            summary.state.word,
            summary.name,
            (summary.preset or summary.strategy)
            + (" (random weights)" if summary.random_weights else ""),
            f"{summary.epochs_done}/{summary.epochs_total or '?'}",
            accuracy(summary.best_val_accuracy),
            accuracy(summary.test_accuracy),
            _ago(summary.started),
        )
        for summary in found
    ]
    headers = ("state", "run", "preset", "epochs", "best val", "test", "started")
    say(table(headers, rows, "lllrrrr"))
    for summary in found:
        if summary.state.word in ("stopped", "failed", "interrupted") or summary.state.elsewhere:
            say(f"{summary.name}: {summary.state.detail}")


@click.command()
@latest_argument
@json_option
@in_workspace
def status(workspace: Workspace, run: str, as_json: bool) -> None:
    """Tell how a run stands; the newest where none is named."""
    from workbench.runs.folder import find_run
    from workbench.runs.state import summarise

    told = summarise(find_run(workspace, run)).as_dict()
    if as_json:
        click.echo(json.dumps(told, indent=1))
        return
    if told["state"] not in ("stopped", "failed", "interrupted"):
        del told["resumable"]  # true or false, it is no news then
    rows = [(key.replace("_", " "), _in_words(key, value)) for key, value in told.items()]
    say(table(("", ""), rows).lstrip())


@click.command()
@latest_argument
@click.option("--json", "as_json", is_flag=True, help="Print the events.")
@in_workspace
def attach(workspace: Workspace, run: str, as_json: bool) -> None:
    """Watch a run, the newest where none is named; Ctrl-C ends the watching only."""
    from workbench.cli.follow import watch
    from workbench.runs.folder import find_run

    watch(workspace, find_run(workspace, run), as_json)


@click.command()
@run_argument
@in_workspace
def stop(workspace: Workspace, run: str) -> None:
    """Ask a run to save a checkpoint and end; `resume` goes on from there."""
    from workbench.machine.quiet_clock import QuietClock
    from workbench.runs.folder import find_run
    from workbench.runs.launch import request_stop
    from workbench.runs.lock import is_locked
    from workbench.runs.state import summarise

    folder = find_run(workspace, run)
    if not is_locked(folder.lock_path):
        state = summarise(folder).state
        where = f" ({state.detail})" if state.detail else ""
        raise UserError(f"{folder.name} is not running here: it is {state.word}{where}.")
    request_stop(folder)
    clock = QuietClock()
    while is_locked(folder.lock_path):
        if clock.read() > STOP_SECONDS:
            raise UserError(
                f"{folder.name} was asked to stop but still works; it stops after its step."
            )
        time.sleep(0.1)
    state = summarise(folder).state
    again = command_line(workspace, "resume", folder.name)
    say(f"{folder.name} is {state.word}." + (f" Go on: {again}" if state.resumable else ""))


def _in_words(key: str, value: object) -> str:
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if key in ("started", "last_sign") and isinstance(value, float):
        return _ago(value)
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _ago(moment: float | None) -> str:
    return f"{human_seconds(max(time.time() - moment, 0))} ago" if moment else "-"
