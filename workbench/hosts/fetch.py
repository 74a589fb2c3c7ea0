"""A run of another machine, fetched by rsync over ssh; it opens here like any run.

The files are collected in a hidden folder of the workspace and become a run when all have come.
What was received stays there after an interruption: the next try continues. The other machine only
reads; links are neither made nor followed here.
"""

import re
import shutil
import stat
import subprocess
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import IO

from workbench.downloads.disk import disk_errors, locked
from workbench.errors import UserError
from workbench.files import fsync_folder
from workbench.hosts.mirror import HostView, from_home
from workbench.hosts.ssh import HostError, end, error_line, read_chunks, ssh_command, start
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.progress import Progress, silent
from workbench.runs.folder import LATEST, RunFolder, check_name, suggest_names
from workbench.runs.watch import RunView
from workbench.settings import HostSettings
from workbench.text import safe_text

SILENCE_SECONDS = 60.0  # without a byte of progress, after which a transfer is given up
KEPT = tr("What was received is kept; the next try continues there.")
# What belongs to the worker there. A leading slash is the folder of the run.
_EXCLUDED = ("/control/", "/run.lock", "/.reserve", ".*.tmp*")
_CHECKPOINTS = "/checkpoints/"
_VANISHED = 24  # exit code: files were removed meanwhile, as a worker does with old checkpoints
_NO_COMMAND = (12, 127)  # exit codes: the other side has no rsync
_PROGRESS = re.compile(rb"\s*([0-9,]+)\s+([0-9]{1,3})%")
_LINE_END = re.compile(rb"[\r\n]")


def find_on(view: HostView, name: str) -> RunView:
    """Return a run of a machine by its name, or its newest for "latest".

    Raises:
        UserError: There is none, or the machine does not answer.
    """
    if view.problem:
        raise UserError(describe_problem(view))
    if name == LATEST and view.runs:
        return max(view.runs, key=lambda run: run.summary.started or 0.0)
    by_name = {run.name: run for run in view.runs}
    if name in by_name:
        return by_name[name]
    raise UserError(
        tr(
            "There is no run {name} on {host}.",
            name=safe_text(repr(name)),
            host=safe_text(view.name),
        ),
        suggest_names(name, by_name)
        or tr("See: workbench runs --host {host}", host=safe_text(view.name)),
    )


def describe_problem(view: HostView) -> str:
    """Say in one line that a machine does not answer, and why."""
    return tr(
        "{name} does not answer: {why}.", name=safe_text(view.name), why=view.problem.rstrip(".")
    )


def free_name(workspace: Workspace, view: RunView) -> str:
    """Return the name that a run gets here: its own, or one with its machine if that is taken."""
    if not (workspace.runs / view.name).exists():
        return view.name
    address = re.sub(r"[^A-Za-z0-9._-]+", "-", view.host)
    return f"{view.name[: 62 - min(len(address), 30)]}-{address[:30]}"


def check_free_name(workspace: Workspace, name: str) -> RunFolder:
    """Return the folder that a fetched run of this name gets.

    Raises:
        UserError: the name is invalid or taken.
    """
    check_name(name)
    target = RunFolder(workspace.runs / name)
    _check_free(target)
    return target


def fetch_run(
    workspace: Workspace,
    host: HostSettings,
    name: str,
    into: str,
    checkpoints: bool = False,
    progress: Progress = silent,
    cancelled: Callable[[], bool] = lambda: False,
) -> RunFolder:
    """Fetch a run and return its folder here.

    Args:
        workspace: where it becomes a run.
        host: where it is.
        name: its name there.
        into: its name here.
        checkpoints: also those, with which it can be resumed here.
        progress: reports "fetch NAME" in bytes.
        cancelled: polled; ends the transfer.

    Raises:
        UserError: a name is invalid or taken, the disk is full, or the transfer failed.
    """
    check_name(name)
    target = check_free_name(workspace, into)
    part = workspace.runs / ".fetched" / into
    with disk_errors(target.path, KEPT):
        _check_free(target)
        part.mkdir(parents=True, exist_ok=True)
        lock = part.with_name(f".{into}.lock")
        with locked(lock, tr("fetching {into}", into=into)):
            try:
                source = f"{from_home(host.workspace)}/saved_models/{name}/"
                _transfer(host.address, source, part, name, checkpoints, progress, cancelled)
                _check_received(part, name)
                _check_free(target)  # another run may have taken the name meanwhile
                part.rename(target.path)
                fsync_folder(workspace.runs)
            finally:
                with suppress(OSError):
                    part.rmdir()  # if nothing came
                if not part.exists():
                    lock.unlink(missing_ok=True)
    return target


def rsync_command(address: str, source: str, target: Path, checkpoints: bool) -> list[str]:
    """Return the command that makes `target` equal to a folder of another machine.

    `--protect-args` sends the name of the folder outside of the other side's shell. Only folders
    and regular files are made: neither links nor devices are asked for.
    """
    excluded = (*_EXCLUDED, *(() if checkpoints else (_CHECKPOINTS,)))
    return [
        "rsync", "--recursive", "--times", "--inplace", "--partial", "--delete",
        "--delete-excluded", "--no-inc-recursive", "--protect-args", "--info=progress2",
        "--outbuf=L", "--no-human-readable", f"--timeout={SILENCE_SECONDS:.0f}",
        *(f"--exclude={pattern}" for pattern in excluded),
        "-e", " ".join(map(_quote, ssh_command(address))),
        "--", f"{address}:{_literal(source)}", f"{target}/",
    ]  # fmt: skip


def _transfer(
    address: str,
    source: str,
    part: Path,
    name: str,
    checkpoints: bool,
    progress: Progress,
    cancelled: Callable[[], bool],
) -> None:
    """Run rsync until it ends.

    Raises:
        UserError: It failed.
    """
    command = rsync_command(address, source, part, checkpoints)
    with tempfile.TemporaryFile() as errors:
        try:
            process = start(command, subprocess.DEVNULL, errors)
        except HostError as error:
            raise UserError(f"{error.message}.", tr("Install it: apt install rsync")) from None
        try:
            rest = b""
            for chunk in read_chunks(process, SILENCE_SECONDS + 5, cancelled):
                *lines, rest = _LINE_END.split(rest + chunk)
                rest = rest[-200:]
                for line in lines:
                    if found := _PROGRESS.match(line):
                        done, share = int(found[1].replace(b",", b"")), int(found[2])
                        progress(
                            tr("fetch {name}", name=name), done, done * 100 // share if share else 0
                        )
            code = process.wait()
        except HostError as error:
            raise _failure(name, address, error.message) from None
        finally:
            end(process)
        if code in _NO_COMMAND and b"rsync: " in _tail(errors) and b"not found" in _tail(errors):
            raise UserError(
                tr("rsync is not installed on {address}.", address=safe_text(address)),
                tr("Install it there, or copy the folder of the run by another way."),
            )
        if code not in (0, _VANISHED):
            raise _failure(
                name,
                address,
                error_line(errors, first=True) or tr("rsync ended with {code}", code=code),
            )


def _check_free(target: RunFolder) -> None:
    if target.path.exists() or target.path.is_symlink():
        raise UserError(
            tr(
                "The name {name} is taken: {path} exists.",
                name=target.name,
                path=safe_text(target.path, 1000),
            ),
            tr("Give the run another name here: --into NAME"),
        )


def _check_received(part: Path, name: str) -> None:
    """Refuse what is not a run, or holds anything but folders and regular files.

    Raises:
        UserError: The folder is not what a run is made of.
    """
    if not any(path.is_file() for path in (RunFolder(part).spec_path, RunFolder(part).events_path)):
        raise UserError(tr("What came is not a run: it has neither spec nor events."))
    for path in part.rglob("*"):
        mode = path.lstat().st_mode
        if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
            shutil.rmtree(part)
            raise UserError(
                tr(
                    "{name} was not fetched: {path} is neither a file nor a folder.",
                    name=safe_text(name),
                    path=safe_text(path.relative_to(part)),
                )
            )


def _failure(name: str, address: str, why: str) -> UserError:
    return UserError(
        tr(
            "{name} was not fetched from {address}: {why}.",
            name=safe_text(name),
            address=safe_text(address),
            why=why.rstrip("."),
        ),
        KEPT,
    )


def _quote(word: str) -> str:
    """Quote a word as rsync reads its option -e."""
    return '"' + word.replace('"', '""') + '"' if set(word) & set(" '\"\\") else word


def _literal(path: str) -> str:
    """Return a path that the other side's rsync, which expands patterns, takes as it is."""
    return re.sub(r"([\\*?\[])", r"\\\1", path) if set(path) & set("*?[") else path


def _tail(errors: IO[bytes]) -> bytes:
    errors.seek(0)
    return errors.read(1 << 16)
