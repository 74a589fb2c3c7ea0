"""Commands on runs: runs, tag, note, status, attach, stop, compare."""

import time
from typing import TYPE_CHECKING

import click

from workbench.cli.complete import complete_runs
from workbench.cli.group import EXIT_ERROR, command_line, in_workspace
from workbench.cli.hosts import all_hosts_option, chosen_hosts, host_option, print_problem
from workbench.cli.options import (
    examples,
    json_option,
    latest_argument,
    notify_option,
    run_argument,
)
from workbench.cli.output import echo, echo_json, terminal_table
from workbench.errors import UserError
from workbench.experiment.metrics import ACCURACY, METRICS, SHORT_TITLES
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.summary import CROSS_VALIDATION, RunSummary
from workbench.text import format_accuracy, format_seconds, group_notes, safe_text, table
from workbench.words import shown

if TYPE_CHECKING:
    from workbench.hosts.mirror import HostView
    from workbench.runs.watch import RunView

_STATUS = {
    "name": tr("name"), "state": tr("state"), "resumable": tr("resumable"), "detail": tr("detail"),
    "preset": tr("preset"), "random_weights": tr("random weights"), "strategy": tr("strategy"),
    "data": tr("data"), "best_val_accuracy": tr("val accuracy of the best epoch"),
    "test_accuracy": tr("test accuracy"), "epochs_done": tr("epochs done"),
    "epochs_total": tr("epochs total"), "started": tr("started"), "last_sign": tr("last sign"),
    "val_scores": tr("val scores"), "test_scores": tr("test scores"), "device": tr("device"),
    "cross_validated": tr("cross-validated"),
    "tags": tr("tags"), "note": tr("my note"),
}  # fmt: skip
HERE = tr("here")  # in a list of several machines


@click.command(
    epilog=examples(
        "workbench runs --filter 'acc>0.9 base:vgg16 tag:night'",
        "workbench runs --filter 'state:finished -tag:bad' --sort acc --limit 20 --json",
    )
)
@click.option(
    "--figure",
    type=click.Choice([name.replace("_", "-") for name in METRICS]),
    help="The metric to show. Default: as in the app, at first accuracy.",
)
@click.option("--best-first", is_flag=True, help="Sort by it, test before validation images.")
@click.option(
    "--filter",
    "query",
    metavar="QUERY",
    default="",
    help="Only these: words, KEY:TEXT, numbers such as acc>0.9; a - before a term leaves out.",
)
@click.option("--sort", "by", metavar="KEY", default="", help="acc, run, state, data, ...")
@click.option("--reverse", is_flag=True, help="The other way round.")
@click.option("--limit", type=click.IntRange(min=1), help="So many of them at most.")
@host_option
@all_hosts_option
@json_option
@in_workspace
def runs(
    workspace: Workspace,
    figure: str | None,
    best_first: bool,
    query: str,
    by: str,
    reverse: bool,
    limit: int | None,
    hosts: tuple[str, ...],
    all_hosts: bool,
    as_json: bool,
) -> None:
    """List the runs, newest first; with --host also those of other machines.

    A machine that does not answer is reported, and its runs are shown as they were; if it was
    named by --host, the exit code is 2.
    """
    from workbench.app.run_query import CLI_SORTS, METRIC, STARTED, parse_query, select, sort_views
    from workbench.app.table_settings import read_table_settings
    from workbench.runs.sweep import sweeps_by_run
    from workbench.runs.watch import read_all

    terms = parse_query(query)
    if by and by not in CLI_SORTS:
        raise UserError(
            tr("--sort: received {key}.", key=safe_text(repr(by), 60)),
            tr("Allowed: {keys}", keys=", ".join(CLI_SORTS)),
        )
    metric = figure.replace("-", "_") if figure else read_table_settings(workspace).metric
    found = sorted(read_all(workspace), key=lambda view: -(view.summary.started or 0.0))
    if several := bool(hosts or all_hosts):
        asked = _ask(hosts, all_hosts)
        found += [run for view in asked for run in view.runs]
        found.sort(key=lambda view: -(view.summary.started or 0.0))
        failed = any(view.problem and view.name in hosts for view in asked)
    if any(term.key == "sweep" or not term.key for term in terms):
        found = select(found, terms, sweeps_by_run(workspace))
    else:
        found = select(found, terms)
    total = len(found)
    found = sort_views(found, by or (METRIC if best_first else STARTED), reverse, metric)[:limit]
    if as_json:
        echo_json([_as_dict(view, several) for view in found])
    elif terms and not total:
        echo(tr("No run matches {query}.", query=safe_text(repr(query), 200)))
    else:
        _print_runs(workspace, found, metric, several)
        if len(found) < total:
            echo(tr("{more:,} more: leave out --limit", more=total - len(found)))
    if several and failed:
        click.get_current_context().exit(EXIT_ERROR)


def _as_dict(view: "RunView", several: bool) -> dict[str, object]:
    host = {"host": view.host} if several else {}
    note = {"tags": list(view.tags), "note": view.note}
    return host | view.summary.as_dict() | note


def _print_runs(workspace: Workspace, found: "list[RunView]", metric: str, several: bool) -> None:
    """Print a line for each run, with its machine if there are several, and what needs words."""
    from workbench.runs.state import ENDED

    if not found:
        echo(tr("No runs yet in {runs}. Start one: workbench demo", runs=workspace.runs))
        return
    tagged = any(view.tags for view in found)
    rows = [
        (
            shown(view.summary.state.phase),
            *((view.host or HERE,) if several else ()),
            view.name,
            (view.summary.preset or view.summary.strategy)
            + (" " + tr("(random weights)") if view.summary.random_weights else ""),
            f"{view.summary.epochs_done}/{view.summary.epochs_total or '?'}",
            _on_validation(view.summary, metric),
            format_accuracy(view.summary.on_test(metric)),
            _ago(view.summary.started),
            (view.summary.state.phase != "waiting" and view.summary.device) or "-",
            *((" ".join(view.tags),) if tagged else ()),
        )
        for view in found
    ]
    named = "" if metric == ACCURACY else f" {SHORT_TITLES[metric]}"
    first = (tr("state"), tr("machine"), tr("run")) if several else (tr("state"), tr("run"))
    headers = (
        *first,
        tr("preset"),
        tr("epochs"),
        tr("best val{named}", named=named),
        tr("test{named}", named=named),
        tr("started"),
        tr("on"),
    )
    last = (tr("tags"),) if tagged else ()
    dropped = (tr("on"), tr("started"), tr("epochs"))
    sides = "l" * len(first) + "lrrrrl"
    echo(terminal_table((*headers, *last), rows, sides, dropped))
    notes = []
    for view in found:
        state, host = view.summary.state, view.host
        explained = state.phase in (*ENDED, "interrupted", "waiting")
        if (explained or state.other_host) and state.detail:
            where = tr("{name} on {host}", name=view.name, host=host) if host else view.name
            notes.append((where, state.detail))
    for note in group_notes(notes):
        echo(note)
    if any(_is_cross_validated(view.summary, metric) for view in found):
        echo(tr("{mark}  by cross-validation", mark=CROSS_VALIDATION))


def _is_cross_validated(summary: RunSummary, metric: str) -> bool:
    known = summary.on_validation(metric) is not None
    return known and summary.validation_mark == CROSS_VALIDATION


def _on_validation(summary: RunSummary, metric: str) -> str:
    """Return the metric on validation images, with a mark if it is that of cross-validation."""
    value = format_accuracy(summary.on_validation(metric))
    return f"{value} {CROSS_VALIDATION}" if _is_cross_validated(summary, metric) else value


@click.command(
    epilog=examples(
        "workbench tag photos-1 +night +good",
        "workbench tag photos-1 -bad            removes one",
        "workbench runs --filter tag:night",
    ),
    context_settings={"ignore_unknown_options": True},
)
@run_argument
@click.argument("changes", nargs=-1, metavar="[+TAG|-TAG]...")
@in_workspace
def tag(workspace: Workspace, run: str, changes: tuple[str, ...]) -> None:
    """Add and remove tags of a run; without any, print those it has."""
    from workbench.runs.annotations import change_tags, read_tags
    from workbench.runs.folder import find_run

    folder = find_run(workspace, run)
    tags = change_tags(folder, changes) if changes else read_tags(folder)
    echo(f"{folder.name}: {' '.join(tags) or tr('no tags')}")


@click.command()
@run_argument
@click.argument("text", required=False)
@in_workspace
def note(workspace: Workspace, run: str, text: str | None) -> None:
    """Keep a note with a run; without a text, print its notes."""
    from workbench.runs.annotations import add_note, read_notes
    from workbench.runs.folder import find_run

    folder = find_run(workspace, run)
    if text is not None and text.strip():
        add_note(folder, text)
    notes = read_notes(folder)
    echo("\n".join(safe_text(line, 2000) for line in notes) if notes else tr("No notes."))


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
    from workbench.runs.annotations import newest_note, read_tags
    from workbench.runs.folder import find_run
    from workbench.runs.summary import summarize

    folder = find_run(workspace, run)
    values = summarize(folder).as_dict()
    values |= {"tags": list(read_tags(folder)), "note": newest_note(folder)}
    if as_json:
        echo_json(values)
        return
    if values["state"] not in ("stopped", "pruned", "failed", "interrupted"):
        del values["resumable"]  # follows from the state
    if values["epochs_done"] and not values["device"]:
        values["device"] = "CPU"  # a GPU would be named
    for only_if_true in ("random_weights", "cross_validated"):
        if not values[only_if_true]:
            del values[only_if_true]
    rows = [
        (_STATUS.get(key, key.replace("_", " ")), _format(key, value))
        for key, value in values.items()
    ]
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
@click.argument("run", required=False, shell_complete=complete_runs)
@in_workspace
def stop(workspace: Workspace, run: str | None) -> None:
    """Ask a run to save a checkpoint and end; `resume` continues from there.

    Without a name it is the one that is running or waiting, if there is only one.
    """
    from workbench.app.run_control import wait_until_stopped
    from workbench.runs.folder import find_run
    from workbench.runs.lock import is_locked
    from workbench.runs.slurm import resume_arguments
    from workbench.runs.slurm_queue import is_open
    from workbench.runs.stop import only_running, stop_runs
    from workbench.runs.summary import summarize

    folder = only_running(workspace) if run is None else find_run(workspace, run)
    if not (is_locked(folder.lock_path) or is_open(folder)):
        state = summarize(folder).state
        where = f" ({state.detail})" if state.detail else ""
        raise UserError(
            tr(
                "{folder_name} is not running here: it is {phase}{where}.",
                folder_name=folder.name,
                phase=shown(state.phase),
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
    echo(
        tr("{folder} is {phase}.", folder=folder.name, phase=shown(state.phase))
        + (" " + tr("Resume: {again}", again=again) if state.resumable else "")
    )


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN RUN...", shell_complete=complete_runs)
@click.option("--all", "show_all", is_flag=True, help="Also settings that one run does not have.")
@json_option
@in_workspace
def compare(workspace: Workspace, runs: tuple[str, ...], show_all: bool, as_json: bool) -> None:
    """Compare runs: settings that differ, frozen layers, stages, results."""
    from workbench.app.run_files import compare_runs
    from workbench.render.compare import format_comparison

    comparison = compare_runs(workspace, runs)
    if as_json:
        echo_json(comparison.as_dict())
    else:
        echo(format_comparison(comparison, show_all))


def _format(key: str, value: object) -> str:
    if value is None or value == "":
        return "-"
    if key == "state":
        return shown(str(value))
    if isinstance(value, bool):
        return tr("yes") if value else tr("no")
    if key in ("started", "last_sign") and isinstance(value, float):
        return _ago(value)
    if isinstance(value, list):
        return " ".join(map(str, value)) or "-"
    if isinstance(value, dict):
        return ", ".join(f"{METRICS[name]} {one:.4f}" for name, one in value.items()) or "-"
    return f"{value:.4f}" if isinstance(value, float) else str(value)


def _ago(moment: float | None) -> str:
    return tr("{time} ago", time=format_seconds(max(time.time() - moment, 0))) if moment else "-"
