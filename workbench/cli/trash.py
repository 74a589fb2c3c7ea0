"""Deleting runs and bringing them back."""

import time

import click

from workbench.cli.complete import complete_runs, complete_trash
from workbench.cli.group import command_line, in_workspace
from workbench.cli.show import say, table
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.text import human_age, safe_text


@click.command()
@click.argument("runs", nargs=-1, required=True, metavar="RUN...", shell_complete=complete_runs)
@in_workspace
def delete(workspace: Workspace, runs: tuple[str, ...]) -> None:
    """Move runs to the trash of the workspace; `restore` brings them back."""
    from workbench.runs.folder import find_run
    from workbench.runs.trash import move_to_trash

    for folder in dict.fromkeys(find_run(workspace, name) for name in runs):
        moved = move_to_trash(workspace, folder)
        say(f"{folder.name} is in the trash now: {safe_text(moved.path, 1000)}")
        say(f"Bring it back: {command_line(workspace, 'restore', folder.name)}")


@click.command()
@click.argument("run", required=False, shell_complete=complete_trash)
@click.option("--as", "name", metavar="NAME", default="", help="Give the run a new name.")
@in_workspace
def restore(workspace: Workspace, run: str | None, name: str) -> None:
    """Bring back a deleted run; without a name, list what is in the trash.

    Of several runs of a name, the one deleted last comes back.
    """
    from workbench.runs.trash import find_trashed, list_trash
    from workbench.runs.trash import restore as bring_back

    if run is None:
        if name:
            raise UserError(f"--as {name} gives one run a new name: say which run first.")
        now = time.time()
        rows = [
            (one.name, f"{human_age(max(now - one.deleted, 0))} ago")
            for one in list_trash(workspace)
        ]
        say(table(("run", "deleted"), rows, "lr") if rows else "The trash is empty.")
        return
    folder = bring_back(workspace, find_trashed(workspace, run), name)
    say(f"{folder.name} is back. See: {command_line(workspace, 'status', folder.name)}")
