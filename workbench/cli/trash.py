"""Commands on the trash of a workspace: delete moves runs there, restore brings them back."""

import time

import click

from workbench.cli.complete import complete_runs, complete_trash
from workbench.cli.group import command_line, in_workspace
from workbench.cli.output import echo
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import format_age, safe_text, table


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
            (one.name, tr("{now} ago", now=format_age(max(now - one.deleted, 0))))
            for one in list_trash(workspace)
        ]
        echo(table((tr("run"), tr("deleted")), rows, "lr") if rows else tr("The trash is empty."))
        return
    folder = restore_run(workspace, find_trashed(workspace, run), name)
    echo(
        tr(
            "{folder_name} is back. See: {command}",
            folder_name=folder.name,
            command=command_line(workspace, "status", folder.name),
        )
    )
