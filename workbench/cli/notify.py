"""A terminal in which a run is watched: its title meanwhile, and what happens at the run's end."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import click

from workbench.app.run_end import RunEnd, describe_title, run_command, terminal_signals
from workbench.cli.output import echo
from workbench.machine.terminal_signals import (
    PUSH_TITLE,
    restore_title,
    title_sequence,
    understands,
)
from workbench.messages import tr
from workbench.runs.events import EpochFinished, Event, Resumed, RunFinished, StageStarted
from workbench.runs.folder import RunFolder
from workbench.runs.summary import summarize
from workbench.settings import NotificationSettings
from workbench.text import safe_text


@contextmanager
def terminal_titles(folder: RunFolder, shown: bool) -> Iterator[Callable[[Event], None]]:
    """Yield what shows state and progress in the terminal's title, and restore it."""
    if not (shown and understands()):
        yield lambda event: None
        return

    def show(event: Event) -> None:
        if isinstance(event, (StageStarted, EpochFinished, RunFinished, Resumed)):
            click.echo(title_sequence(describe_title(summarize(folder))), nl=False)

    click.echo(PUSH_TITLE + title_sequence(safe_text(folder.name, 64)), nl=False)
    try:
        yield show
    finally:
        click.echo(restore_title(), nl=False)


def notify_end(
    end: RunEnd, settings: NotificationSettings, command: str | None, is_shown: bool
) -> None:
    """Notify of the end of a run; what fails of it is printed and stops nothing."""
    if is_shown:
        click.echo(terminal_signals(end, settings), nl=False)
    command = command or (settings.command if end.is_worth(settings) else "")
    if command and (problem := run_command(command, end)):
        echo(tr("warning {doubt}", doubt=problem), err=True)
