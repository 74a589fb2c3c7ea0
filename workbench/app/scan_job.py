"""A scan that outlives the app: a detached process with a folder of its own."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from workbench.datasets.inspect_job import MODULE, Inspection
from workbench.errors import UserError
from workbench.messages import tr
from workbench.paths import Workspace
from workbench.runs.lock import RunLocked, is_locked, take_lock
from workbench.runs.process import last_lines, start_worker, worker_command
from workbench.text import safe_text
from workbench.words import reason_of

KEPT_SECONDS = 14 * 86400  # until the folder of an old scan is removed
_PREFIX = "scan-"


@dataclass(frozen=True)
class ScanStatus:
    """The state of a scan at one moment.

    Attributes:
        state: "none", "running", "finished", "failed", or "ended" without a result or an error.
        phase, done, total: as in `Progress`.
        inspection: the result of a finished scan.
        message: the error of a failed scan.
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
        module: the module to run.
    """

    def __init__(self, workspace: Workspace, source: Path, module: str = MODULE) -> None:
        self.workspace = workspace
        self.source = source
        self._module = module
        name = blake2b(os.fsencode(source), digest_size=6).hexdigest()
        self.folder = workspace.drafts / f"{_PREFIX}{name}"

    @property
    def events(self) -> Path:
        """The events of the process, a JSON object per line."""
        return self.folder / "events.jsonl"

    @property
    def _lock(self) -> Path:
        return self.folder / "scan.lock"

    @property
    def _log(self) -> Path:
        return self.folder / "scan.log"

    def start(self) -> None:
        """Start the process, unless it is running.

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
            reason = safe_text(reason_of(error))
            raise UserError(tr("The scan cannot be started: {reason}.", reason=reason)) from None

    def poll(self) -> ScanStatus:
        """Return the state of the scan; cheap enough for several calls a second."""
        alive = is_locked(self._lock)  # first, so that what it wrote before its end is read after
        latest: dict[str, Any] = {}
        for event in _newest_first(self.events):
            if event["event"] == "result" and (found := Inspection.from_event(event)):
                return ScanStatus("finished", inspection=found)
            if event["event"] == "failed":
                lines = [str(event[key]) for key in ("message", "hint") if event.get(key)]
                return ScanStatus("failed", message="\n".join(lines))
            if event["event"] == "progress":
                latest = event
                break
        if not alive:
            if not self.events.exists():
                return ScanStatus("none")
            return ScanStatus("ended", message="\n".join(last_lines(self._log)))
        phase, done, total = (latest.get(k) for k in ("phase", "done", "total"))
        return ScanStatus("running", str(phase or "start"), _count(done), _count(total))

    def cancel(self) -> None:
        """End the process; what it scanned so far is kept in the data folder."""
        if is_locked(self._lock):
            events = _newest_first(self.events)
            pid = next((e.get("pid") for e in events if e["event"] == "started"), None)
            if isinstance(pid, int) and pid > 1:
                with suppress(ProcessLookupError, PermissionError):
                    os.kill(pid, signal.SIGTERM)
        self.events.unlink(missing_ok=True)

    def clear(self) -> None:
        """Remove the result, so that the next start scans again; images are never touched."""
        self.events.unlink(missing_ok=True)

    def _start(self, descriptor: int) -> None:
        command = worker_command(
            self._module, str(self.source), str(self.workspace.root), str(self.folder / "samples")
        )
        with self.events.open("wb") as events, self._log.open("wb") as log:
            start_worker(command, events, descriptors=(descriptor,), detached=True, errors=log)


def _newest_first(path: Path) -> Iterator[dict[str, Any]]:
    """Yield the complete lines that are events; nothing without a file."""
    try:
        text = path.read_text(encoding="ascii", errors="replace")
    except OSError:
        return
    for line in reversed(text.splitlines(keepends=True)):
        with suppress(ValueError):
            event = json.loads(line) if line.endswith("\n") else None
            if isinstance(event, dict) and "event" in event:
                yield event


def _sweep(drafts: Path) -> None:
    """Remove old scans that are not running; their results are in the data folders."""
    for folder in drafts.glob(f"{_PREFIX}*"):
        with suppress(OSError):
            old = time.time() - folder.stat().st_mtime > KEPT_SECONDS
            if old and not is_locked(folder / "scan.lock"):
                shutil.rmtree(folder)


def _count(value: object) -> int:
    return value if isinstance(value, int) and value >= 0 else 0
