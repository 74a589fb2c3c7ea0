"""Start a run, and watch it in a terminal to its end."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from workbench.app.run_end import RunEnd
from workbench.cli.event_printer import EventOutput, EventPrinter
from workbench.cli.group import command_line, describe_detached, note_running
from workbench.cli.notify import notify_end, terminal_titles
from workbench.cli.output import echo, fit_terminal, progress_bar
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.event_log import event_line
from workbench.runs.events import Event, Interrupted, RunFailed
from workbench.runs.folder import RunFolder, read_tables
from workbench.runs.launch import follow
from workbench.runs.lock import is_locked
from workbench.runs.slurm import read_job, resume_arguments
from workbench.runs.slurm_state import log_path
from workbench.runs.state import half_batch, hint_with_command
from workbench.runs.summary import summarize
from workbench.settings import read_settings
from workbench.text import pad_cells, safe_lines, safe_text

if TYPE_CHECKING:
    from workbench.experiment.spec import ExperimentSpec


def launch_run(
    workspace: Workspace,
    spec: "ExperimentSpec",
    stem: str = "",
    queue: bool = False,
    environment: dict[str, str] | None = None,
) -> RunFolder:
    """Check that a run can start, and start it; a nameless one is named after `stem` or its data.

    Raises:
        UserError: as `start_run`.
    """
    from workbench.app.draft import data_stem
    from workbench.app.run_control import start_run
    from workbench.runs.folder import can_name

    stem = stem or data_stem(workspace, Path(spec.data.source))
    doubts: list[str] = []
    notes: list[str] = []
    try:
        with progress_bar() as progress:
            folder = start_run(
                workspace, spec, stem, notes.append, queue, environment=environment,
                progress=progress, warn=doubts.append, queue_hint=" " + tr("(--queue waits)"),
            )  # fmt: skip
            note_running(workspace, folder)
            if spec.name is None and not can_name(stem):
                notes.append(
                    tr(
                        "A name can have none of the letters of {stem}: the run is called {name}. "
                        "--name chooses another.",
                        stem=safe_text(stem, 40),
                        name=folder.name,
                    )
                )
            return folder
    finally:  # below the bar, also after an error
        for doubt in doubts:
            echo(tr("warning {doubt}", doubt=doubt), err=True)
        for note in notes:
            label = "gpu" if note.startswith("GPU ") else tr("note")
            echo(f"{pad_cells(label, 6)} {note}", err=True)


def watch(
    workspace: Workspace,
    folder: RunFolder,
    as_json: bool,
    brief: bool = False,
    launched: bool = False,
    notify: str | None = None,
) -> str:
    """Watch a run to its end; return the kind of the last event.

    Ctrl-C ends the watching, never the run. The end of a run that was running, or that this command
    launched, is notified as the settings have it; `notify` is a command instead of theirs. With
    `brief`, only the accuracy of the evaluation is printed.

    Raises:
        UserError: the run failed or was interrupted.
    """
    last: Event | None = None
    running = launched or is_locked(folder.lock_path)
    settings, notes = read_settings()
    for note in notes:
        echo(tr("warning {doubt}", doubt=note), err=True)
    is_shown = sys.stdout.isatty() and not as_json
    began = time.monotonic()
    try:
        with (
            _output(plain=as_json) as output,
            terminal_titles(folder, is_shown and running and settings.title) as show_title,
        ):
            printer = EventPrinter(workspace, folder, output, brief)
            for last in follow(folder):
                show_title(last)
                if as_json:
                    click.echo(event_line(last.as_dict()))
                else:
                    printer.print_event(last)
    except KeyboardInterrupt:
        echo(describe_detached(workspace, folder), err=True)
        return "detached"
    if running:
        state = summarize(folder).state.phase
        end = RunEnd(folder.name, state, time.monotonic() - began, str(folder.path))
        notify_end(end, settings.notifications, notify, is_shown)
    if isinstance(last, RunFailed):
        message = last.message or tr("unknown")
        raise UserError(
            tr("{folder} failed. {message}", folder=folder.name, message=message),
            _hint(workspace, folder, last),
        )
    if isinstance(last, Interrupted):
        raise _interrupted(workspace, folder, last)
    return last.event if last else ""


def _hint(workspace: Workspace, folder: RunFolder, event: RunFailed) -> str:
    """Return what to do after a failure, with the command to type."""
    again = command_line(workspace, *resume_arguments(folder))
    hint = hint_with_command(event.hint, again)
    if again in hint:
        return hint
    if event.kind == "memory" and half_batch(read_tables(folder)):
        again = command_line(workspace, *resume_arguments(folder), "--half-batch")
    return "\n".join(part for part in (hint, tr("Resume: {again}", again=again)) if part)


def _interrupted(workspace: Workspace, folder: RunFolder, event: Interrupted) -> UserError:
    if not folder.path.exists():
        return UserError(tr("The folder of {folder_name} is gone.", folder_name=folder.name))
    job = read_job(folder)
    path = log_path(job) if job and not folder.log_path.exists() else folder.log_path
    log = "\n" + tr("Its last output, in {path}:", path=path) + "\n" if event.log else ""
    state = summarize(folder).state
    return UserError(
        tr(
            "{folder_name} was interrupted: {detail}.{log}",
            folder_name=folder.name,
            detail=state.detail,
            log=log,
        )
        + "\n".join(event.log),
        tr(
            "Resume: {command_line}",
            command_line=command_line(workspace, *resume_arguments(folder)),
        ),
    )


class _PlainOutput:
    """Only lines, for files, pipes and scripts."""

    def line(self, text: str) -> None:
        echo(text)

    def bar(self, text: str, done: int, total: int) -> None:
        """Print nothing: progress would fill a file."""


@contextmanager
def _output(plain: bool) -> Iterator[EventOutput]:
    if plain or not sys.stdout.isatty():
        yield _PlainOutput()
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.text import Text

    with Progress(
        BarColumn(bar_width=12),
        TextColumn(tr("{number} %", number="{task.percentage:>3.0f}")),
        TextColumn("{task.description}", markup=False),
        console=Console(highlight=False),
        transient=True,
    ) as bars:
        task = bars.add_task(tr("starting the worker"), total=None)

        class TerminalOutput:
            def line(self, text: str) -> None:
                bars.update(task, visible=False)
                # As Text: names from outside may look like markup.
                fitted = fit_terminal(safe_lines(text), sys.stdout)
                bars.console.print(Text(fitted), soft_wrap=True)

            def bar(self, text: str, done: int, total: int) -> None:
                bars.update(
                    task, visible=True, description=text, completed=done, total=total or None
                )

        yield TerminalOutput()
