"""The table of a sweep, printed or live, and its best spec."""

import shutil
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.cli.group import command_line
from workbench.cli.output import echo, echo_json
from workbench.cli.sweep_control import resume_command
from workbench.errors import UserError
from workbench.files import write_atomic
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import fill_cells, plural, safe_lines, safe_text
from workbench.words import reason_of, shown

if TYPE_CHECKING:
    from workbench.analysis.trials import SeedResult, TrialRow
    from workbench.app.sweep import SweepFeed
    from workbench.runs.sweep import Sweep
    from workbench.runs.sweep_record import SweepRecord

WATCH_SECONDS = 1.0  # between two polls of a sweep that is watched
WIDTH = 79


def print_sweep(workspace: Workspace, chosen: "Sweep", as_json: bool) -> None:
    """Print the table of a sweep as it is now."""
    from workbench.analysis.trials import trial_rows
    from workbench.app.sweep import SweepFeed, metric_of

    feed = SweepFeed(workspace, chosen)
    rows, metric = trial_rows(feed.poll()), metric_of(chosen)
    if as_json:
        echo_json(_as_json(chosen.record, metric, rows) | {"prune": chosen.prune})
        return
    echo(format_sweep(metric, rows))
    left = [one for row in rows for one in row.seeds if one.state in _LEFT]
    if left and feed.idle:
        echo(
            tr(
                "\n{runs} not finished, and none is waiting or training: {command}",
                runs=plural(len(left), "run"),
                command=resume_command(workspace, chosen),
            )
        )
    elif not feed.ended:
        again = command_line(workspace, "sweep", chosen.name)
        echo(tr("\nThis table again: {command} (also with --watch, --stop)", command=again))


_LEFT = ("planned", "stopped", "failed", "interrupted")


def format_sweep(metric: str, rows: "Sequence[TrialRow]") -> str:
    """Format the trials of a sweep, the best first by a metric, then notes on them."""
    from workbench.render.sweep import ended_notes, sweep_notes, sweep_table, waiting_notes

    width = shutil.get_terminal_size().columns if sys.stdout.isatty() else 0
    notes = [*sweep_notes(rows, metric), *waiting_notes(rows), *ended_notes(rows)]
    wrapped = [fill_cells(note, WIDTH, break_on_hyphens=False) for note in notes]
    return "\n".join([sweep_table(rows, metric, width), *([""] if wrapped else []), *wrapped])


def _as_json(record: "SweepRecord", metric: str, rows: "Sequence[TrialRow]") -> dict[str, object]:
    trials = [asdict(row) for row in rows]
    return {"name": record.name, "kind": record.kind, "metric": metric, "trials": trials}


def print_search(
    workspace: Workspace, record: "SweepRecord", best: Path | None, as_json: bool
) -> None:
    """Print the trials that `tune` has kept, or its best spec."""
    from workbench.analysis.trials import trial_rows
    from workbench.app.tune import Search
    from workbench.experiment.metrics import ACCURACY

    search = Search(workspace, record)
    rows = trial_rows(search.results)
    if best is not None:
        _write_spec(workspace, search.best_spec(rows), best)
    elif as_json:
        echo_json(_as_json(record, ACCURACY, rows))
    else:
        echo(format_sweep(ACCURACY, rows))


def print_best(workspace: Workspace, chosen: "Sweep", file: Path) -> None:
    """Write the spec of the best trial to a file, or print it for the file -.

    Raises:
        UserError: No trial is finished, or the file exists or cannot be written.
    """
    from workbench.analysis.trials import trial_rows
    from workbench.app.sweep import SweepFeed, best_spec

    rows = trial_rows(SweepFeed(workspace, chosen).poll())
    _write_spec(workspace, best_spec(chosen, rows), file)


def _write_spec(workspace: Workspace, spec: str, file: Path) -> None:
    if str(file) == "-":
        click.echo(spec, nl=False)
        return
    if file.exists() and file.read_bytes() != spec.encode():
        raise UserError(
            tr("{file} exists already, and is not replaced.", file=safe_text(file)),
            tr("Name another file, or - to print the spec."),
        )
    try:
        write_atomic(file, spec)
    except OSError as error:
        raise UserError(
            tr(
                "{file} cannot be written: {reason}.",
                file=safe_text(file),
                reason=safe_text(reason_of(error)),
            )
        ) from None
    echo(
        tr(
            "The best spec is in {file}. Train it: {command}",
            file=file,
            command=command_line(workspace, "train", str(file)),
        )
    )


def watch_sweep(workspace: Workspace, chosen: "Sweep") -> None:
    """Show the table as it changes until nothing of it is queued or running.

    On a terminal it is redrawn; elsewhere a line is printed for each run that ends. Ctrl-C ends the
    watching, never a run. If all workers of the sweep were killed, it launches the next ones.
    """
    from workbench.app.sweep import SweepFeed

    feed = SweepFeed(workspace, chosen)
    echo(tr("Ctrl-C detaches; the runs continue."), err=True)
    try:
        if sys.stdout.isatty():
            _watch_live(feed)
        else:
            _watch_lines(feed)
    except KeyboardInterrupt:
        echo(tr("\nDetached; its runs continue.\n"), err=True)


def _watch_live(feed: "SweepFeed") -> None:
    from rich.console import Console
    from rich.live import Live
    from rich.text import Text

    from workbench.analysis.trials import trial_rows
    from workbench.app.sweep import metric_of

    console = Console(file=sys.stdout, highlight=False)
    with Live(console=console, auto_refresh=False, transient=True) as live:
        while True:
            rows = trial_rows(feed.poll())
            text = safe_lines(format_sweep(metric_of(feed.sweep), rows))
            live.update(Text(text, no_wrap=True, overflow="crop"), refresh=True)
            if feed.ended:
                return
            feed.keep_going()
            time.sleep(WATCH_SECONDS)


def _watch_lines(feed: "SweepFeed") -> None:
    from workbench.runs.state import ENDED

    shown: dict[str, str] = {}  # the end of each run; one that is requeued has several
    while True:
        results = feed.poll()
        for at, one in enumerate(results):
            ended = one.state in ENDED and at not in feed.sweep.queue  # else it is resumed
            if one.run and ended and shown.get(one.run) != one.state:
                shown[one.run] = one.state
                echo(
                    tr(
                        "{shown} of {results}  {one}",
                        shown=len(shown),
                        results=len(results),
                        one=_describe(one),
                    )
                )
        if feed.ended:
            return
        feed.keep_going()
        time.sleep(WATCH_SECONDS)


def _describe(one: "SeedResult") -> str:
    from workbench.render.sweep import describe_settings, format_mean

    value = (
        tr("val {one_value}", one_value=format_mean(one.value))
        if one.state == "finished"
        else one.detail
    )
    tried = describe_settings(one.settings, {key: key for key in one.settings})
    return tr(
        "{run}  {tried}, seed {seed}: {state}, {value}",
        run=one.run,
        tried=tried,
        seed=one.seed,
        state=shown(one.state),
        value=value,
    )
