"""Jobs of SLURM: job.sh, which runs a worker, and job.json, which names the job of a run.

One submission is one job for one run, or one array with a task for each of several runs. The state
of a job is asked in `slurm_queue`.
"""

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

from workbench.errors import UserError
from workbench.files import write_atomic
from workbench.messages import tr
from workbench.runs.folder import RunFolder
from workbench.text import safe_text

if TYPE_CHECKING:
    from workbench.settings import SlurmProfile

# Where SLURM's packages look for it, and where a node without a file of its own keeps a copy.
_SLURM_FILES = tuple(
    Path(folder, "slurm.conf")
    for folder in (
        "etc/slurm",
        "etc/slurm-llnl",
        "usr/local/etc",
        "opt/slurm/etc",
        "run/slurm/conf",
    )
)
_SLURM_SECONDS = 3.0  # a controller that answers needs a tenth of it
EXIT_TERMINATED = 143  # as shells count SIGTERM; job.sh then has the job requeued
SCRIPT, LOG = "job.sh", "job.log"
TASK_LOG = "job-%A_%a.log"  # of a task of an array, by its id
MAX_LEAD, MIN_LEAD = 120, 10  # seconds from the signal to the time limit
_LEAD_SHARE = 4  # a quarter of a short time limit
_MAX_LINES = 8  # of what a command says when it fails
_TIMEOUT = 60.0  # for a controller under load
_MAX_BYTES = 1 << 16
_UNITS = (1, 60, 3600)
_DAY = 24 * 3600
_ID, _CLUSTER = re.compile(r"[0-9]{1,12}(_[0-9]{1,7})?"), re.compile(r"([A-Za-z0-9][\w.-]*)?")
_PARSABLE = re.compile(r"([0-9]+)(?:;([\w.-]+))?")


@dataclass(frozen=True)
class SlurmJob:
    """The newest job of a run, as job.json in its folder holds it.

    Attributes:
        id: "7", or "7_2" for a task of an array.
        submitted: unix seconds.
        cluster: where SLURM has several; "" for the only one.
        profile: name of the profile; "" for none.
        host: from which it was submitted.
        run: folder of the run; a copy of it has another.
        folder: of job.sh and the job's output.
        log: name of the output there.
    """

    id: str
    submitted: float
    cluster: str = ""
    profile: str = ""
    host: str = ""
    run: str = ""
    folder: str = ""
    log: str = LOG


def has_sbatch() -> bool:
    """Return whether SLURM's programs are here; at once, whether or not they know a cluster."""
    return shutil.which("sbatch") is not None


def has_slurm() -> bool:
    """Return whether jobs can be submitted from this machine; SLURM may take seconds to answer."""
    return has_sbatch() and has_cluster(os.environ)


def has_cluster(environment: Mapping[str, str], root: Path = Path("/")) -> bool:
    """Return whether SLURM's programs know a cluster: they are often installed without one.

    Args:
        environment: with SLURM's variables and PATH.
        root: the folder that holds etc and the rest.
    """
    named = environment.get("SLURM_CONF")
    files = [Path(named)] if named else [root / file for file in _SLURM_FILES]
    if any(map(os.path.exists, files)):
        return True
    # The configuration may be on a server, or where only these programs look for it.
    if not (sinfo := shutil.which("sinfo", path=environment.get("PATH", ""))):
        return False
    try:
        done = subprocess.run(
            [sinfo, "--noheader"],
            env=dict(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=_SLURM_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def read_job(folder: RunFolder) -> SlurmJob | None:
    """Return the newest job of a run; None if it has none, or if the file is damaged."""
    try:
        with folder.job_path.open("rb") as file:
            given = json.loads(file.read(_MAX_BYTES))
        names = {field.name for field in fields(SlurmJob)} & given.keys()
        job = SlurmJob(**{name: given[name] for name in names})
        texts = (job.id, job.cluster, job.profile, job.host, job.run, job.folder, job.log)
        valid = all(isinstance(text, str) for text in texts) and isinstance(job.submitted, float)
        is_job = valid and _ID.fullmatch(job.id) and _CLUSTER.fullmatch(job.cluster)
    except (OSError, ValueError, TypeError, AttributeError, RecursionError):
        return None
    return job if is_job else None


def resume_arguments(folder: RunFolder) -> tuple[str, ...]:
    """Return the arguments of the command that resumes a run, where its job was if it had one."""
    return ("resume", folder.name, *(["--slurm"] if folder.job_path.exists() else []))


def this_job(environment: Mapping[str, str] = os.environ) -> str:
    """Return the id of the job that this process is part of; "" outside of SLURM."""
    task = environment.get("SLURM_ARRAY_TASK_ID")
    if task is not None:
        return f"{environment.get('SLURM_ARRAY_JOB_ID', '')}_{task}"
    return environment.get("SLURM_JOB_ID", "")


def submit(
    runs: Sequence[RunFolder],
    profile: "SlurmProfile",
    profile_name: str = "",
    environment: Mapping[str, str] | None = None,
    folder: Path | None = None,
) -> SlurmJob:
    """Write job.sh, submit it, and record the job in the folder of each run.

    Args:
        runs: of one workspace; several become one array, a task each in this order.
        profile: what the jobs ask for.
        profile_name: to record.
        environment: variables set for the workers.
        folder: where job.sh and the output of an array go; those of one run go to its own.

    Returns:
        The job; of an array without the number of a task, and of no run.

    Raises:
        UserError: SLURM is missing, or refuses the job.
        OSError: The folder cannot be written.
    """
    is_array = len(runs) > 1
    place = (folder if folder and is_array else runs[0].path).absolute()
    limit = f"%{profile.at_once}" if profile.at_once else ""
    tasks = f"0-{len(runs) - 1}{limit}" if is_array else ""
    write_atomic(place / SCRIPT, job_script(runs, profile, environment or {}, place, tasks))
    printed = _call("sbatch", "--parsable", str(place / SCRIPT)).strip()
    match = _PARSABLE.fullmatch(printed.rpartition("\n")[2])
    if match is None:
        raise UserError(
            tr("sbatch printed {printed} where it prints the job's id.", printed=safe_text(printed))
        )
    job = SlurmJob(
        id=match[1],
        cluster=match[2] or "",
        profile=profile_name,
        submitted=time.time(),
        host=socket.gethostname(),
        folder=str(place),
    )
    for index, run in enumerate(runs):
        task = f"{job.id}_{index}"
        own = replace(job, id=task, log=TASK_LOG.replace("%A_%a", task)) if is_array else job
        own = replace(own, run=str(run.path.absolute()))
        write_atomic(run.job_path, json.dumps(asdict(own), indent=1) + "\n")
    return job


def cancel(jobs: Sequence[SlurmJob]) -> None:
    """Cancel jobs; a worker that one has saves a checkpoint within the cluster's grace time.

    Raises:
        UserError: SLURM refuses.
    """
    for cluster in dict.fromkeys(job.cluster for job in jobs):
        option = [f"--clusters={cluster}"] if cluster else []
        _call("scancel", *option, *(job.id for job in jobs if job.cluster == cluster))


def job_script(
    runs: Sequence[RunFolder],
    profile: "SlurmProfile",
    environment: Mapping[str, str],
    place: Path,
    tasks: str = "",
) -> str:
    """Return job.sh.

    Args:
        runs: as in `submit`.
        profile: as in `submit`.
        environment: variables to export.
        place: folder of job.sh.
        tasks: as `sbatch --array`; "" for one job.
    """
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    jinja = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        undefined=StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
    )
    jinja.filters |= {"quote": shlex.quote, "sbatch": _sbatch_quote}
    asked = {"partition": profile.partition, "gres": profile.gres, "time": profile.time}
    options = [f"--{name}={value}" for name, value in asked.items() if value]
    options += [f"--array={tasks}"] if tasks else []
    options += [line for line in profile.lines if line.startswith("-")]  # the last one counts
    command = profile.command or f"{shlex.quote(sys.executable)} -m workbench"
    return jinja.get_template("job.sh.j2").render(
        name=place.name,
        folder=str(place),
        log=TASK_LOG if tasks else LOG,
        lead=lead_seconds(profile.time),
        options=options,
        lines=[line for line in profile.lines if not line.startswith("-")],
        environment=environment,
        runs=[run.name for run in runs],
        workspace=str(runs[0].path.parent.parent.absolute()),
        command=command,
        terminated=EXIT_TERMINATED,
    )


def lead_seconds(limit: str) -> int:
    """Return how long before its time limit a job is signalled, to save a checkpoint.

    SLURM may signal up to a minute earlier.

    Args:
        limit: as `sbatch --time`: minutes, minutes:seconds, hours:minutes:seconds, days-hours,
            days-hours:minutes or days-hours:minutes:seconds; "" for the partition's.
    """
    days, dash, rest = limit.rpartition("-")
    try:
        parts = [int(part) for part in rest.split(":")]
        if dash:
            parts = [*parts, 0, 0][:3]
            seconds = int(days) * _DAY
        else:
            parts = [*parts, 0] if len(parts) == 1 else parts
            seconds = 0
        seconds += sum(p * unit for p, unit in zip(reversed(parts), _UNITS, strict=False))
    except ValueError:
        return MAX_LEAD
    return min(max(seconds // _LEAD_SHARE, MIN_LEAD), MAX_LEAD) if seconds else MAX_LEAD


def _call(command: str, *arguments: str) -> str:
    """Run a command of SLURM and return its output.

    Raises:
        UserError: It is not installed, fails, or does not end.
    """
    try:
        done = subprocess.run(
            [command, *arguments], capture_output=True, timeout=_TIMEOUT, stdin=subprocess.DEVNULL
        )
    except OSError:
        raise UserError(
            tr("SLURM's {command} was not found on this machine.", command=command),
            tr("Log in where jobs are submitted, or train here: leave out --slurm."),
        ) from None
    except subprocess.TimeoutExpired:
        raise UserError(
            tr("{command} did not answer for a minute.", command=command),
            tr("See whether the cluster answers: sinfo"),
        ) from None
    if done.returncode:
        said = done.stderr.decode("utf-8", "replace").strip() or f"exit code {done.returncode}"
        lines = [safe_text(line, 200) for line in said.splitlines()]
        raise UserError(
            tr("SLURM refused: {said}", said="\n".join(lines[:_MAX_LINES])),
            tr("What there is: sinfo. What is asked for: workbench slurm, --slurm-set."),
        )
    return done.stdout.decode("utf-8", "replace")


def _sbatch_quote(value: str) -> str:
    """Quote a value of an #SBATCH line."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'
