"""The state of a run as its job has it: before its worker starts, between two, after the last."""

from pathlib import Path

from workbench.messages import tr
from workbench.runs.history import History
from workbench.runs.phase import RunState, describe_time
from workbench.runs.process import last_lines
from workbench.runs.slurm import SlurmJob
from workbench.runs.slurm_queue import JobState
from workbench.text import safe_text

# Ends of a job that no worker records; of others the exit code says more.
ENDS = {
    "CANCELLED": tr("was cancelled"),
    "TIMEOUT": tr("reached its time limit"),
    "DEADLINE": tr("reached its deadline"),
    "OUT_OF_MEMORY": tr("ran out of memory"),
    "NODE_FAIL": tr("lost its node"),
    "BOOT_FAIL": tr("lost its node"),
    "PREEMPTED": tr("was preempted"),
}


def state_by_job(
    job: JobState,
    submitted: SlurmJob | None,
    history: History,
    progress: str,
    resume: str,
    now: float,
) -> RunState | None:
    """Return the state of a run whose lock nobody holds here; None where its events say more.

    Args:
        job: what SLURM says.
        submitted: the same job, as it was submitted.
        history: of the run.
        progress: what its worker does, if it is alive.
        resume: what a resume would do.
        now: unix seconds.
    """
    newest = max(history.worker.t or 0.0 if history.worker else 0.0, history.ended or 0.0)
    begun = newest > 0.0 and newest >= (submitted.submitted if submitted else 0.0)
    if job.phase == "pending":
        return RunState("waiting", False, describe_pending(job, now))
    if job.phase == "running":
        # A worker's end is followed by that of its job, in seconds; a new start, by its worker.
        if not begun or (history.ended is not None and history.ended < (job.start or 0.0)):
            return RunState("starting", False, tr("SLURM job {id}", id=job.id))
        return None if history.ended is not None else RunState(history.phase, False, progress)
    if job.phase == "unknown":
        if begun:
            return None
        host = safe_text(submitted.host if submitted else "")
        what = tr("as SLURM job {id}, submitted on {host}", id=job.id, host=host)
        resume = tr("asks whether it has ended, and {resume}", resume=resume)
        return RunState("interrupted", True, what, resume, other_host=host)
    how = describe_end_of_job(job)
    if begun:
        killed = history.ended is None and job.word in ENDS
        return RunState("interrupted", True, how, resume) if killed else None
    if job.word == "CANCELLED" or not (submitted and log_path(submitted).exists()):
        return RunState("stopped", True, how, resume)
    last = _last_line(log_path(submitted))
    how += tr(" before its worker started: {last}", last=safe_text(last, 200)) if last else ""
    return RunState("interrupted", True, how, resume)


def describe_pending(job: JobState, now: float) -> str:
    """Describe a pending job: "wait for SLURM job 7: Priority, expected at 14:05"."""
    expected = describe_time(job.start, now) if job.start and job.start > now else ""
    parts = [job.reason, tr("expected {when}", when=expected) if expected else ""]
    why = ", ".join(part for part in parts if part)
    text = tr("wait for SLURM job {id}", id=job.id)
    return f"{text}: {why}" if why else text


def describe_end_of_job(job: JobState) -> str:
    """Describe how a job ended: "SLURM job 7 was cancelled"."""
    if job.word in ENDS:
        how = ENDS[job.word]
    elif job.exit_code is not None and job.word:
        how = tr("ended with exit code {code}", code=job.exit_code)
    else:
        how = tr("has left the queue")
    return tr("SLURM job {id} {how}", id=job.id, how=how)


def _last_line(log: Path) -> str:
    """Return the last error of a command, or else the last line, without SLURM's own."""
    lines = [line for line in last_lines(log) if not line.startswith(("srun: ", "slurmstepd"))]
    errors = [line for line in lines if line.startswith("error: ")]
    return "".join((errors or lines)[-1:]).removeprefix("error: ").rstrip(".")


def log_path(job: SlurmJob) -> Path:
    """Return the file of the job's output."""
    return Path(job.folder, Path(job.log).name)
