"""States of jobs, from `squeue --json`, asked for all jobs of a workspace together.

SLURM 23.11 and later write a number as {"set": true, "number": 7} and states as a list; 22.05
writes plain values, and lists every job whatever it is asked for. Nothing else is relied on: what
has another form counts as unknown, as on a machine without SLURM.
"""

import json
import os
import subprocess
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from workbench.paths import Workspace
from workbench.runs.folder import RunFolder, list_runs
from workbench.runs.slurm import SlurmJob, read_job, this_job
from workbench.text import safe_text

ASK_SECONDS = 5.0  # between two questions at least
_PATIENCE = 10  # times as long as the last answer took: a slow controller is asked less often
_TIMEOUT = 10.0
_PENDING = frozenset(
    {"PENDING", "REQUEUED", "REQUEUE_FED", "REQUEUE_HOLD", "RESV_DEL_HOLD", "SPECIAL_EXIT"}
)
_ENDED = frozenset(
    {
        "BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED", "LAUNCH_FAILED", "NODE_FAIL",
        "OUT_OF_MEMORY", "PREEMPTED", "RECONFIG_FAIL", "REVOKED", "TIMEOUT",
    }
)  # fmt: skip
_UNKNOWN_ID = "Invalid job id"
Phase = Literal["pending", "running", "ended", "unknown"]


@dataclass(frozen=True)
class JobState:
    """What SLURM says of a job.

    Attributes:
        id: of the job.
        phase: of the job, not of its run: a job runs a little longer than its worker; unknown
            where SLURM does not answer.
        word: SLURM's, such as COMPLETED; "" for a job that has left the queue.
        reason: why it is pending, in SLURM's word; safe to print.
        start: when it started or is expected to, in unix seconds; None if unknown.
        exit_code: of a job that has ended by itself.
    """

    id: str
    phase: Phase
    word: str = ""
    reason: str = ""
    start: float | None = None
    exit_code: int | None = None


@dataclass
class _Known:
    """What is known of the jobs of one workspace, and when to ask again."""

    states: dict[str, JobState] = field(default_factory=dict)
    ask_at: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


_workspaces: dict[Path, _Known] = {}
_jobs: dict[Path, tuple[tuple[int, int], SlurmJob | None]] = {}


def find_job(folder: RunFolder) -> SlurmJob | None:
    """Return the newest job of a run, read again only if job.json was replaced."""
    try:
        found = folder.job_path.stat()
    except OSError:
        return None
    stamp = found.st_ino, found.st_mtime_ns
    kept = _jobs.get(folder.path)
    if kept is None or kept[0] != stamp:
        kept = _jobs[folder.path] = stamp, read_job(folder)
    return kept[1]


def job_state(folder: RunFolder) -> JobState | None:
    """Return the state of a run's newest job; unknown for the copy of a run of another machine.

    None if the run has no job, or if this process is part of it.
    """
    job = find_job(folder)
    if job is None or job.id == this_job():
        return None
    if not _is_original(job, folder):
        return JobState(job.id, "unknown")
    known = _workspaces.setdefault(folder.path.parent, _Known())
    with known.lock:
        state = known.states.get(job.id)
        if state and state.phase == "ended":
            return state
        now = time.monotonic()
        if now >= known.ask_at:  # also for a job that was just submitted
            jobs = [job, *_open_jobs(folder.path.parent, known)]
            known.states |= ask({one.id: one for one in jobs}.values())
            took = time.monotonic() - now
            known.ask_at = time.monotonic() + max(ASK_SECONDS, _PATIENCE * took)
            state = known.states.get(job.id)
        return state or JobState(job.id, "unknown")


def is_open(folder: RunFolder) -> bool:
    """Return whether a job of the run is pending or running."""
    state = job_state(folder)
    return state is not None and state.phase in ("pending", "running")


def forget(folder: RunFolder) -> None:
    """Ask again at the next question: this process has changed a job."""
    if known := _workspaces.get(folder.path.parent):
        known.ask_at = 0.0


def _open_jobs(runs: Path, known: _Known) -> list[SlurmJob]:
    """Return the jobs of a workspace that are not known to have ended."""
    found = ((find_job(folder), folder) for folder in list_runs(Workspace(runs.parent)))
    ended = {one.id for one in known.states.values() if one.phase == "ended"}
    return [job for job, folder in found if job and job.id not in ended
            and _is_original(job, folder)]  # fmt: skip


def _is_original(job: SlurmJob, folder: RunFolder) -> bool:
    """Return whether a job was submitted for this very folder, by whatever path."""
    try:
        return folder.path.samefile(job.run)
    except (OSError, ValueError):
        return False


def ask(jobs: Iterable[SlurmJob]) -> dict[str, JobState]:
    """Return the state of each job by its id, without those of clusters that do not answer."""
    by_cluster: dict[str, list[SlurmJob]] = {}
    for job in jobs:
        by_cluster.setdefault(job.cluster, []).append(job)
    states: dict[str, JobState] = {}
    for cluster, asked in by_cluster.items():
        records = _squeue(cluster, sorted({job.id.partition("_")[0] for job in asked}))
        if records is not None:
            states |= {job.id: _state(job, records) for job in asked}
    return states


def _squeue(cluster: str, ids: list[str]) -> list[Mapping[str, Any]] | None:
    """Return the records of jobs; None if SLURM does not answer."""
    command = ["squeue", "--json", "--states=all", f"--jobs={','.join(ids)}"]
    command += [f"--clusters={cluster}"] if cluster else []
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            timeout=_TIMEOUT,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "LC_ALL": "C"},
        )
        if done.returncode and _UNKNOWN_ID.encode() in done.stderr:  # the only one, and gone
            return []
        records = json.loads(done.stdout)["jobs"] if done.returncode == 0 else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError, subprocess.TimeoutExpired):
        return None
    if not isinstance(records, list):
        return None
    return [record for record in records if isinstance(record, dict)]


def _state(job: SlurmJob, records: list[Mapping[str, Any]]) -> JobState:
    found = (one for is_of in (_is_of, _is_rest) for one in records if is_of(job, one))
    record = next(found, None)
    if record is None:
        return JobState(job.id, "ended")
    given = record.get("job_state")
    words = {str(one) for one in given} if isinstance(given, list) else {str(given)}
    if pending := sorted(words & _PENDING):
        reason = safe_text(record.get("state_reason") or "", 60)
        return JobState(job.id, "pending", pending[0], "" if reason == "None" else reason,
                        _number(record, "start_time") or None)  # fmt: skip
    if ended := sorted(words & _ENDED):
        return JobState(job.id, "ended", ended[0], exit_code=_exit_code(record))
    start = _number(record, "start_time") or None
    return JobState(job.id, "running", safe_text(min(words), 30), start=start)


def _is_of(job: SlurmJob, record: Mapping[str, Any]) -> bool:
    number, _, task = job.id.partition("_")
    if not task:
        return _number(record, "job_id") == int(number)
    if _number(record, "array_job_id") != int(number):
        return False
    index = _number(record, "array_task_id")
    waiting = record.get("array_task_string")
    if index is None or (isinstance(waiting, str) and waiting):  # one record for all that wait
        return isinstance(waiting, str) and _covers(waiting, int(task))
    return index == int(task)


def _is_rest(job: SlurmJob, record: Mapping[str, Any]) -> bool:
    """Return whether a record is of all tasks that were cancelled before they started."""
    number, _, task = job.id.partition("_")
    unnamed = _number(record, "array_task_id") is None and not record.get("array_task_string")
    return bool(task) and _number(record, "array_job_id") == int(number) and unnamed


def _covers(tasks: str, index: int) -> bool:
    """Return whether "0,3,5-9:2%4" has a task; a shortened list may have any."""
    if "..." in tasks:
        return True
    for part in tasks.partition("%")[0].split(","):
        span, _, step = part.partition(":")
        first, _, last = span.partition("-")
        try:
            if index in range(int(first), int(last or first) + 1, int(step or 1)):
                return True
        except ValueError:
            continue
    return False


def _number(record: Mapping[str, Any], key: str) -> int | None:
    value = record.get(key)
    if isinstance(value, dict):
        value = value.get("number") if value.get("set") is True else None
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def _exit_code(record: Mapping[str, Any]) -> int | None:
    """Return the exit code of a job; None if a signal ended it."""
    given = record.get("exit_code")
    if isinstance(given, dict) and "return_code" in given:
        return _number(given, "return_code")
    status = _number(record, "exit_code")  # as wait(2) returns it
    return status >> 8 if status is not None and os.WIFEXITED(status) else None
