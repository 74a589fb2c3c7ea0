"""Watching a run in a terminal: its events as lines, the work at hand as one bar."""

import json
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import click

from workbench.cli.group import command_line
from workbench.cli.show import say
from workbench.cli.story import Screen, Story
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder
from workbench.runs.launch import follow
from workbench.text import safe_lines

Event = dict[str, Any]
# What TensorFlow's libraries always print, which explains nothing.
_CHATTER = re.compile(r"WARNING: All log messages|[IWE]\d{4} |\s*$")


def watch(workspace: Workspace, folder: RunFolder, as_json: bool, brief: bool = False) -> str:
    """Follows a run to its end; returns the kind of the last event.

    Ctrl-C ends the watching, never the run.

    Args:
        brief: only the accuracy of the evaluation, not the whole report.

    Raises:
        UserError: the run failed for a reason that its person can mend.
    """
    last: Event = {}
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
    kind = str(last.get("event", ""))
    if kind == "failed":
        message = str(last.get("message", "unknown"))
        raise UserError(f"{folder.name} failed. {message}", str(last.get("hint") or ""))
    if kind == "interrupted":
        raise _interrupted(workspace, folder, last)
    return kind


def _interrupted(workspace: Workspace, folder: RunFolder, event: Event) -> UserError:
    if not folder.path.exists():
        return UserError(f"The folder of {folder.name} is gone.")
    printed = [str(line) for line in event.get("log", []) if not _CHATTER.match(str(line))]
    log = f" The last it printed, in {folder.log_path}:\n" if printed else ""
    return UserError(
        f"{folder.name}: its worker ended without a word: it was killed, ran out of memory, or the "
        f"machine went down.{log}" + "\n".join(printed),
        f"Go on at the last checkpoint: {command_line(workspace, 'resume', folder.name)}",
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
