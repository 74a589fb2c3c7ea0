"""Rules about the host: failed probes, disks, logout, SLURM, memory, terminal."""

import math
import time

from workbench.machine.facts import Facts
from workbench.machine.finding import (
    SLURM_GPU,
    Finding,
    Findings,
    Rule,
    describe_outcome,
    join_names,
    nvml_gpus,
    outcome,
    quote,
    system_of,
    working_gpus,
)
from workbench.machine.host_facts import StorageFolder
from workbench.messages import tr
from workbench.text import format_bytes

LOW_DISK = 1_000_000_000  # bytes; a few checkpoints of a large network
LOW_MEMORY = 2_000_000_000  # bytes; TensorFlow and a batch of images
SMALLEST_TERMINAL = (80, 24)  # columns, rows

# What each probe was doing, as the beginning of a sentence. Those of the driver and the framework
# have rules of their own, since the GPU depends on them.
PROBES = {
    "libraries": tr("Loading the GPU libraries"),
    "system": tr("Reading the system"),
    "storage": tr("Reading the disks"),
    "decoding": tr("Timing how fast images are read"),
}


def silent_probes(facts: Facts) -> Findings:
    """Find probes that failed."""
    for probe, subject in PROBES.items():
        went = outcome(facts, probe)
        if went is None or went.ok:
            continue
        hangs = probe == "storage" and went.status == "hung"
        yield Finding(
            f"{probe}-{went.status}",
            severity="warning" if probe == "storage" else "note",
            what=f"{subject} {describe_outcome(went)}.",
            why=tr("A file system does not respond, often a network folder whose server is down.")
            if hangs
            else tr("Its results are missing here."),
            remedy=tr("use --workspace on a local disk") if hangs else "workbench check",
            short=tr("a file system does not respond")
            if hangs
            else tr("{subject} failed", subject=subject.lower()),
        )


def writable(facts: Facts) -> Findings:
    """Find folders that cannot be written."""
    locked = [folder for folder in _folders(facts) if not folder.writable]
    if needed := [folder for folder in locked if folder.what != "cache"]:
        yield Finding(
            "not-writable",
            severity="broken",
            what=tr("Nothing can be written to {paths}.", paths=_paths(needed)),
            why=tr("Runs and prepared images are kept there."),
            remedy=tr("fix the permissions, or use --workspace with a folder of yours"),
            explains=frozenset({"no-locks", "low-disk"}),
            short=tr("the workspace cannot be written to"),
        )
    if cache := [folder for folder in locked if folder.what == "cache"]:
        yield Finding(
            "cache-not-writable",
            what=tr("Nothing can be written to {paths}.", paths=_paths(cache)),
            why=tr(
                "Published weights and measurements are kept there; they are "
                "downloaded and measured again each time."
            ),
            remedy=tr("fix the permissions, or set XDG_CACHE_HOME to a folder of yours"),
            short=tr("the cache cannot be written to"),
        )


def locks(facts: Facts) -> Findings:
    """Find file systems without locks, which keep two workers out of one run."""
    if folders := [f for f in _folders(facts) if f.locks is False and f.what != "cache"]:
        yield Finding(
            "no-locks",
            severity="broken",
            what=tr("File locks do not work in {paths}.", paths=_paths(folders)),
            why=tr("Without them two workers could damage a run."),
            remedy=tr("use --workspace on a local disk"),
            short=tr("file locks do not work"),
        )


def disk(facts: Facts) -> Findings:
    """Find disks that are nearly full."""
    if folders := [f for f in _folders(facts) if f.free is not None and f.free < LOW_DISK]:
        free = format_bytes(min(folder.free or 0 for folder in folders))
        yield Finding(
            "low-disk",
            what=tr("Only {free} are free for {paths}.", free=free, paths=_paths(folders)),
            why=tr("Checkpoints and prepared images may not fit; a run that cannot save stops."),
            remedy=tr(
                "free some space (`workbench data clean` removes what no run "
                "needs), or use --workspace"
            ),
            short=tr("only {free} of disk are free", free=free),
        )


def memory(facts: Facts) -> Findings:
    """Find little memory left."""
    available = system_of(facts).memory_available
    if 0 < available < LOW_MEMORY:  # 0: not known
        yield Finding(
            "low-memory",
            what=tr("Only {available} of memory are available.", available=format_bytes(available)),
            why=tr("The system may kill a run that runs out of memory."),
            remedy=tr("end other programs, or train with a smaller --set training.batch_size"),
            short=tr("only {available} of memory are available", available=format_bytes(available)),
        )


def logout(facts: Facts) -> Findings:
    """Find login settings that end runs with the last login."""
    session = system_of(facts).session
    in_session = session.scope == "session" and session.kill_user_processes
    in_manager = session.scope == "user" and not session.linger
    if not session.systemd or not (in_session or in_manager):
        return
    own_scope = "systemd-run --user --scope workbench"
    remedy = linger = "loginctl enable-linger"
    if in_session:  # lingering is not enough here
        remedy = own_scope if session.linger else f"{linger} && {own_scope}"
    yield Finding(
        "logout-ends-runs",
        what=tr("Runs that are started here end when you log out."),
        why=tr("systemd ends every process of a login session here (KillUserProcesses).")
        if in_session
        else tr("This process belongs to your user manager, which ends with your last session."),
        remedy=remedy,
        short=tr("runs end when you log out"),
    )


def slurm(facts: Facts) -> Findings:
    """Find a SLURM allocation, or a login node."""
    allocation = system_of(facts).slurm
    if allocation is None:
        return
    if allocation.job:
        yield Finding(
            "slurm-job",
            severity="note",
            what=tr(
                "This is SLURM job {job}; runs end with it{until}.",
                job=quote(allocation.job, 40),
                until=_until(allocation.ends),
            ),
            why=tr(
                "A run that SLURM ends can be resumed in a later job, from its last checkpoint."
            ),
            remedy=tr("workbench resume, in the next job"),
        )
    elif not nvml_gpus(facts) and not working_gpus(facts) and system_of(facts).container is None:
        # What a container lacks says nothing of its host.
        yield Finding(
            "slurm-login-node",
            severity="note",
            what=tr("This is a login node of a SLURM cluster, without a GPU."),
            why=tr("The GPUs are in other machines, which SLURM allocates."),
            remedy=SLURM_GPU,
        )


def terminal(facts: Facts) -> Findings:
    """Find a terminal that is small or has no Unicode."""
    found, (columns, rows) = facts.terminal, SMALLEST_TERMINAL
    if found.interactive and (found.columns < columns or found.rows < rows):
        yield Finding(
            "terminal-small",
            severity="note",
            what=tr(
                "The terminal is {columns}x{rows}; the screens are made for "
                "{least_columns}x{least_rows} and more.",
                columns=found.columns,
                rows=found.rows,
                least_columns=columns,
                least_rows=rows,
            ),
            why=tr("Some lines will be cut."),
            remedy=tr("make the window larger"),
        )
    if found.interactive and not found.utf8:
        yield Finding(
            "terminal-not-utf8",
            severity="note",
            what=tr("The terminal is not set to UTF-8."),
            why=tr("Plots and frames are drawn with plain characters."),
            remedy="export LANG=C.UTF-8",
        )


def _until(ends: float | None) -> str:
    if ends is None or not math.isfinite(ends):
        return ""
    try:
        return time.strftime(", at %Y-%m-%d %H:%M", time.localtime(ends))
    except (OverflowError, ValueError, OSError):  # not a valid time
        return ""


def _folders(facts: Facts) -> tuple[StorageFolder, ...]:
    return facts.storage.places if facts.storage else ()


def _paths(folders: list[StorageFolder]) -> str:
    """Return "/nfs/runs (nfs4) and /nfs/packs (nfs4)", each once."""
    names = [
        quote(str(folder.path))
        + (f" ({quote(folder.file_system, 20)})" if folder.file_system else "")
        for folder in folders
    ]
    return join_names(list(dict.fromkeys(names)))


RULES: tuple[Rule, ...] = (
    silent_probes,
    writable,
    locks,
    disk,
    memory,
    logout,
    slurm,
    terminal,
)
