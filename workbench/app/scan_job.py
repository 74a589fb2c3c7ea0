"""A scan that outlives the app: a detached process, and a folder by which it is found again."""

import json
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from workbench.datasets.inspect_job import MODULE, Inspection
from workbench.errors import UserError
from workbench.paths import Workspace
from workbench.runs.lock import RunLocked, is_locked, take_lock
from workbench.runs.process import WORKING_FOLDER, last_lines, worker_command
from workbench.text import safe_text

KEPT_SECONDS = 14 * 86400  # after which the folder of an old scan goes
_PREFIX = "scan-"


@dataclass(frozen=True)
class ScanLook:
    """A scan at one moment.

    Attributes:
        state: "none", "running", "finished", "failed", or "ended" where it went without a word.
        phase: what is being done, as `Progress` has it; so are done and total.
        inspection: of a finished one.
        message: of a failed one, in words.
    """

    state: str
    phase: str = ""
    done: int = 0
    total: int = 0
    inspection: Inspection | None = None
    message: str = ""


class ScanJob:
    """The scan of one source in one workspace.

    Args:
        source: absolute path of a folder, CSV file or npz file.
        module: what is run; tests have one of their own.
    """

    def __init__(self, workspace: Workspace, source: Path, module: str = MODULE) -> None:
        self.workspace = workspace
        self.source = source
        self._module = module
        name = blake2b(os.fsencode(source), digest_size=6).hexdigest()
        self.folder = workspace.drafts / f"{_PREFIX}{name}"

    @property
    def events(self) -> Path:
        """What the process tells, a JSON object a line."""
        return self.folder / "events.jsonl"

    @property
    def _lock(self) -> Path:
        return self.folder / "scan.lock"

    @property
    def _log(self) -> Path:
        return self.folder / "scan.log"

    def start(self) -> None:
        """Starts the process, unless it is at work already.

        Raises:
            UserError: the folder cannot be written, or no process can be started.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            _sweep(self.workspace.drafts)
            try:
                descriptor = take_lock(self._lock)
            except RunLocked:
                return
            try:
                self._start(descriptor)
            finally:
                os.close(descriptor)
        except OSError as error:
            reason = safe_text(error.strerror or error)
            raise UserError(f"The scan cannot be started: {reason}.") from None

    def look(self) -> ScanLook:
        """Where it stands; cheap enough to be asked several times a second."""
        alive = is_locked(self._lock)  # asked first: what it wrote before its end is read after
        latest: dict[str, Any] = {}
        for told in _newest_first(self.events):
            if told["event"] == "result" and (found := Inspection.from_event(told)):
                return ScanLook("finished", inspection=found)
            if told["event"] == "failed":
                words = "\n".join(str(told[k]) for k in ("message", "hint") if told.get(k))
                return ScanLook("failed", message=words)
            if told["event"] == "progress":
                latest = told
                break
        if not alive:
            if not self.events.exists():
                return ScanLook("none")
            return ScanLook("ended", message="\n".join(last_lines(self._log)))
        phase, done, total = (latest.get(k) for k in ("phase", "done", "total"))
        return ScanLook("running", str(phase or "start"), _count(done), _count(total))

    def cancel(self) -> None:
        """Ends the process; what it scanned so far is kept in the data folder."""
        if is_locked(self._lock):
            pid = next(
                (t.get("pid") for t in _newest_first(self.events) if t["event"] == "started"), None
            )
            if isinstance(pid, int) and pid > 1:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGTERM)
        self.events.unlink(missing_ok=True)

    def forget(self) -> None:
        """Takes away the result, so that the next start scans anew; images are never touched."""
        self.events.unlink(missing_ok=True)

    def _start(self, descriptor: int) -> None:
        command = worker_command(
            self._module, str(self.source), str(self.workspace.root), str(self.folder / "samples")
        )
        with self.events.open("wb") as events, self._log.open("wb") as log:
            process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=events,
                stderr=log,
                cwd=WORKING_FOLDER,
                pass_fds=(descriptor,),
                start_new_session=True,
            )
        # Takes note of its end, so that none is left as a zombie of a long-lived app.
        threading.Thread(target=process.wait, daemon=True).start()


def _newest_first(path: Path) -> Iterator[dict[str, Any]]:
    """The whole lines that are objects with an event; nothing without a file."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return
    for line in reversed(text.splitlines(keepends=True)):
        with suppress(ValueError):
            told = json.loads(line) if line.endswith("\n") else None
            if isinstance(told, dict) and "event" in told:
                yield told


def _sweep(drafts: Path) -> None:
    """Old scans that nobody is at; their results lie in the data folders anyway."""
    for folder in drafts.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            old = time.time() - folder.stat().st_mtime > KEPT_SECONDS
            if old and not is_locked(folder / "scan.lock"):
                shutil.rmtree(folder)


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
