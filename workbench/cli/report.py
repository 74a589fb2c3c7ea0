"""`workbench report`: a run as one HTML page."""

from pathlib import Path

import click

from workbench.cli.group import in_workspace
from workbench.cli.paths import GivenPath
from workbench.cli.runs import latest_argument
from workbench.cli.show import say
from workbench.paths import Workspace
from workbench.text import safe_text


@click.command()
@latest_argument
@click.option(
    "--out",
    type=GivenPath(new=True, dir_okay=False),
    metavar="FILE",
    help="The page, else RUN.html.",
)
@click.option("--force", is_flag=True, help="Replace a page that is there.")
@in_workspace
def report(workspace: Workspace, run: str, out: Path | None, force: bool) -> None:
    """Write a run as one HTML page: curves, layers, confusions, worst errors with pictures.

    The page holds all that it shows and asks for nothing from anywhere: send it, print it.
    """
    from workbench.export.report import write_report
    from workbench.runs.folder import find_run, safe_stem

    folder = find_run(workspace, run)
    target = write_report(workspace, folder, out or Path(f"{safe_stem(folder.name)}.html"), force)
    say(safe_text(target, 1000))
