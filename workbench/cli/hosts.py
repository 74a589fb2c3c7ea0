"""Other machines: the options that choose them, and the command fetch."""

from typing import TYPE_CHECKING

import click

from workbench.cli.complete import complete_hosts
from workbench.cli.group import command_line, in_workspace
from workbench.cli.output import echo, progress_bar
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.text import format_age, format_bytes, safe_text

if TYPE_CHECKING:
    from workbench.hosts.mirror import HostView
    from workbench.settings import HostSettings, Settings

HOST = "a name of the settings, or HOST:WORKSPACE as ssh takes it"
host_option = click.option(
    "--host",
    "hosts",
    multiple=True,
    metavar="HOST",
    shell_complete=complete_hosts,
    help=f"Also the runs of another machine, read over ssh: {HOST}; repeatable.",
)
all_hosts_option = click.option(
    "--all-hosts", is_flag=True, help="Also those of every machine of the settings."
)


@click.command()
@click.argument("host", shell_complete=complete_hosts)
@click.argument("run")
@click.option("--into", metavar="NAME", help="Its name here; default: the same.")
@click.option("--checkpoints", is_flag=True, help="Also those, to resume it here.")
@in_workspace
def fetch(workspace: Workspace, host: str, run: str, into: str | None, checkpoints: bool) -> None:
    """Fetch a run of another machine by rsync over ssh; an interrupted one continues.

    HOST is a name of the settings, or HOST:WORKSPACE as ssh takes it; RUN may be "latest".
    """
    from workbench.hosts.feed import find_host, poll_hosts
    from workbench.hosts.fetch import fetch_run, find_on

    name, settings = find_host(_read_settings(), host)
    (view,) = poll_hosts({name: settings})
    found = find_on(view, run)
    with progress_bar() as progress:
        folder = fetch_run(
            workspace, settings, found.name, into or found.name, checkpoints, progress
        )
    size = sum(path.stat().st_size for path in folder.path.rglob("*"))
    echo(
        tr(
            "{run} of {host} is here as {folder}, {size}.",
            run=found.name,
            host=safe_text(name),
            folder=folder.name,
            size=format_bytes(size),
        )
    )
    if found.running:
        echo(tr("It still runs there: what is here is its state of now."))
    echo(tr("See: {command}", command=command_line(workspace, "status", folder.name)))


def chosen_hosts(names: tuple[str, ...], every: bool) -> "dict[str, HostSettings]":
    """Return the machines of the options, those of the settings first.

    Raises:
        UserError: A name is none.
    """
    from workbench.hosts.feed import find_host

    settings = _read_settings()
    if every and not settings.hosts:
        from workbench.settings import settings_path

        path = safe_text(settings_path(), 1000)
        echo(tr("The settings name no machine: {path}", path=path), err=True)
    chosen = dict(settings.hosts) if every else {}
    return chosen | dict(find_host(settings, name) for name in names)


def print_problem(view: "HostView", now: float) -> None:
    """Print why a machine did not answer, and how old its runs are that are shown."""
    from workbench.hosts.fetch import describe_problem

    text = describe_problem(view)
    if view.answered is not None:
        age = format_age(max(now - view.answered, 0))
        text += " " + tr("Its runs are shown as they were {age} ago.", age=age)
    echo(text, err=True)


def _read_settings() -> "Settings":
    from workbench.settings import read_settings

    settings, notes = read_settings()
    for note in notes:
        echo(note, err=True)
    return settings
