"""Watching a run in a terminal: its events as lines, the work at hand as one bar."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from workbench.cli.event_printer import Screen, Story
from workbench.cli.group import command_line
from workbench.cli.show import say
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.runs.launch import follow
from workbench.runs.lock import is_locked
from workbench.runs.outcome import half_batch, hint_for
from workbench.runs.state import read_tables, summarise
from workbench.text import safe_lines

Event = dict[str, Any]
BELL = "\a"


def watch(workspace: Workspace, folder: RunFolder, as_json: bool, brief: bool = False) -> str:
    """Follows a run to its end; returns the kind of the last event.

    Ctrl-C ends the watching, never the run. A terminal's bell tells the end of one at work.

    Args:
        brief: only the accuracy of the evaluation, not the whole report.

    Raises:
        UserError: the run failed for a reason that its person can mend.
    """
    last: Event = {}
    rings = is_locked(folder.lock_path) and sys.stdout.isatty() and not as_json
    try:
        with _screen(plain=as_json) as screen:
            story = Story(workspace, folder, screen, brief)
            for last in follow(folder, every=as_json):
                if as_json:
                    click.echo(json.dumps(last))
                else:
                    story.tell(last)
    except KeyboardInterrupt:
        say(
            f"\nDetached; {folder.name} trains on.\n"
            f"Watch it again: {command_line(workspace, 'attach', folder.name)}\n"
            f"Stop it:        {command_line(workspace, 'stop', folder.name)}",
            err=True,
        )
        return "detached"
    if rings:
        click.echo(BELL, nl=False)
    kind = str(last.get("event", ""))
    if kind == "failed":
        message = str(last.get("message", "unknown"))
        raise UserError(f"{folder.name} failed. {message}", _hint(workspace, folder, last))
    if kind == "interrupted":
        raise _interrupted(workspace, folder, last)
    return kind


def _hint(workspace: Workspace, folder: RunFolder, event: Event) -> str:
    """What to do after a failure, with the command to type."""
    again = command_line(workspace, "resume", folder.name)
    hint = hint_for(str(event.get("hint") or ""), again)
    if again in hint:
        return hint
    if event.get("kind") == "memory" and half_batch(read_tables(folder)):
        again = command_line(workspace, "resume", folder.name, "--half-batch")
    return "\n".join(part for part in (hint, f"Go on: {again}") if part)


def _interrupted(workspace: Workspace, folder: RunFolder, event: Event) -> UserError:
    if not folder.path.exists():
        return UserError(f"The folder of {folder.name} is gone.")
    printed = [str(line) for line in event.get("log", [])]
    log = f"\nThe last it printed, in {folder.log_path}:\n" if printed else ""
    state = summarise(folder).state
    return UserError(
        f"{folder.name} was interrupted, without a word of its worker: {state.detail}.{log}"
        + "\n".join(printed),
        f"Go on: {command_line(workspace, 'resume', folder.name)}",
    )


class _PlainScreen:
    """Lines alone, for files, pipes and scripts."""

    def line(self, text: str) -> None:
        say(text)

    def bar(self, text: str, done: int, total: int) -> None:
        """Nothing: what is told here is told again and again."""


@contextmanager
def _screen(plain: bool) -> Iterator[Screen]:
    if plain or not sys.stdout.isatty():
        yield _PlainScreen()
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

        class Terminal:
            def line(self, text: str) -> None:
                bars.update(task, visible=False)
                # As Text, for names from outside may look like markup.
                bars.console.print(Text(safe_lines(text)), soft_wrap=True)

            def bar(self, text: str, done: int, total: int) -> None:
                bars.update(
                    task, visible=True, description=text, completed=done, total=total or None
                )

        yield Terminal()
