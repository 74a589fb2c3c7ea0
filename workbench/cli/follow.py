"""Watch a run in a terminal: its events as lines, the current work as one bar."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager

import click

from workbench.cli.event_printer import EventOutput, EventPrinter
from workbench.cli.group import command_line, describe_detached
from workbench.cli.output import echo
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.event_log import event_line
from workbench.runs.events import Event, Interrupted, RunFailed
from workbench.runs.folder import RunFolder
from workbench.runs.launch import follow
from workbench.runs.lock import is_locked
from workbench.runs.outcome import half_batch, hint_with_command
from workbench.runs.state import read_tables, summarize
from workbench.text import safe_lines

BELL = "\a"


def watch(
    workspace: Workspace,
    folder: RunFolder,
    as_json: bool,
    brief: bool = False,
    launched: bool = False,
) -> str:
    """Watch a run to its end; return the kind of the last event.

    Ctrl-C ends the watching, never the run. The bell of a terminal rings at the end of a run that
    was running, or that this command launched, however quickly it ended. With `brief`, only the
    accuracy of the evaluation is printed.

    Raises:
        UserError: the run failed or was interrupted.
    """
    last: Event | None = None
    running = launched or is_locked(folder.lock_path)
    rings = running and sys.stdout.isatty() and not as_json
    try:
        with _output(plain=as_json) as output:
            printer = EventPrinter(workspace, folder, output, brief)
            for last in follow(folder):
                if as_json:
                    click.echo(event_line(last.as_dict()))
                else:
                    printer.print_event(last)
    except KeyboardInterrupt:
        echo(describe_detached(workspace, folder), err=True)
        return "detached"
    if rings:
        click.echo(BELL, nl=False)
    if isinstance(last, RunFailed):
        message = last.message or "unknown"
        raise UserError(f"{folder.name} failed. {message}", _hint(workspace, folder, last))
    if isinstance(last, Interrupted):
        raise _interrupted(workspace, folder, last)
    return last.event if last else ""


def _hint(workspace: Workspace, folder: RunFolder, event: RunFailed) -> str:
    """Return what to do after a failure, with the command to type."""
    again = command_line(workspace, "resume", folder.name)
    hint = hint_with_command(event.hint, again)
    if again in hint:
        return hint
    if event.kind == "memory" and half_batch(read_tables(folder)):
        again = command_line(workspace, "resume", folder.name, "--half-batch")
    return "\n".join(part for part in (hint, f"Resume: {again}") if part)


def _interrupted(workspace: Workspace, folder: RunFolder, event: Interrupted) -> UserError:
    if not folder.path.exists():
        return UserError(f"The folder of {folder.name} is gone.")
    log = f"\nIts last output, in {folder.log_path}:\n" if event.log else ""
    state = summarize(folder).state
    return UserError(
        f"{folder.name} was interrupted: {state.detail}.{log}" + "\n".join(event.log),
        f"Resume: {command_line(workspace, 'resume', folder.name)}",
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
        TextColumn("{task.percentage:>3.0f} %"),
        TextColumn("{task.description}", markup=False),
        console=Console(highlight=False),
        transient=True,
    ) as bars:
        task = bars.add_task("starting the worker", total=None)

        class TerminalOutput:
            def line(self, text: str) -> None:
                bars.update(task, visible=False)
                # As Text: names from outside may look like markup.
                bars.console.print(Text(safe_lines(text)), soft_wrap=True)

            def bar(self, text: str, done: int, total: int) -> None:
                bars.update(
                    task, visible=True, description=text, completed=done, total=total or None
                )

        yield TerminalOutput()
