"""`workbench logs`: the output of a run's worker."""

import time
from collections import deque
from pathlib import Path

import click

from workbench.cli.group import in_workspace
from workbench.cli.options import latest_argument
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, find_run
from workbench.runs.lock import is_locked
from workbench.runs.slurm import read_job
from workbench.runs.slurm_state import log_path
from workbench.text import safe_text

POLL_SECONDS = 0.5
_LONGEST = 2000  # characters of a line that are shown


@click.command()
@latest_argument
@click.option("-f", "--follow", is_flag=True, help="Print new lines until the run ends.")
@click.option(
    "-n",
    "--lines",
    type=click.IntRange(0, 1_000_000),
    default=None,
    metavar="N",
    help="Only the last N lines.",
)
@in_workspace
def logs(workspace: Workspace, run: str, follow: bool, lines: int | None) -> None:
    """Print what a run's worker wrote; its events are in `workbench attach`.

    RUN may be "latest". Ctrl-C ends the printing, never the run.
    """
    folder = find_run(workspace, run)
    job = read_job(folder)
    path = log_path(job) if job and not folder.log_path.exists() else folder.log_path
    if not path.exists() and not (follow and is_locked(folder.lock_path)):
        raise UserError(tr("{run} has no log yet: {path}", run=folder.name, path=path))
    try:
        _print(folder, path, follow, lines)
    except KeyboardInterrupt:
        if not follow:
            raise


def _print(folder: RunFolder, path: Path, follow: bool, lines: int | None) -> None:
    """Print the file, and what is added while the run has a worker."""
    offset = 0
    rest = ""
    first = True
    while True:
        running = follow and is_locked(folder.lock_path)  # before reading: nothing is missed
        text, offset = _read_from(path, offset)
        *whole, rest = (rest + text).split("\n")
        if not running and rest:
            whole, rest = [*whole, rest], ""
        shown = deque(whole, maxlen=lines) if first else whole
        first = False
        for line in shown:
            # What came before a carriage return was a progress bar, drawn over.
            click.echo(safe_text(line.rstrip("\r").rpartition("\r")[2], _LONGEST))
        if not running:
            return
        time.sleep(POLL_SECONDS)


def _read_from(path: Path, offset: int) -> tuple[str, int]:
    """Return what a file holds after an offset, and the offset of its end."""
    try:
        with path.open("rb") as file:
            if offset > file.seek(0, 2):  # it was written again
                offset = 0
            file.seek(offset)
            content = file.read()
    except FileNotFoundError:
        return "", offset
    return content.decode("utf-8", "replace"), offset + len(content)
