"""Rules about the box itself: probes without an answer, disks, logout, SLURM, memory, terminal."""

import math
import time

from workbench.machine.facts import Facts, Place, Session, Slurm
from workbench.machine.finding import Finding, quote, together
from workbench.machine.steps import how_it_went, nvml_gpus, outcome, working_gpus
from workbench.text import human_bytes

LOW_DISK = 1_000_000_000  # bytes; a few checkpoints of a large network
LOW_MEMORY = 2_000_000_000  # bytes; TensorFlow and a batch of images
SMALLEST_TERMINAL = (80, 24)  # columns, rows

# What each probe was doing, as the beginning of a sentence. That of the driver and of the framework
# have rules of their own, since the GPU depends on them.
PROBES = {
    "libraries": "Loading the GPU libraries",
    "system": "Looking at the machine",
    "storage": "Looking at the disks",
    "decoding": "Timing how fast images are read",
}


def silent_probes(facts: Facts) -> list[Finding]:
    """Probes that gave no answer."""
    return [finding for probe in PROBES for finding in _silent_probe(facts, probe)]


def locks(facts: Facts) -> list[Finding]:
    """File systems without locks, which keep two workers out of one run."""
    places = [p for p in _places(facts) if p.locks is False and p.what != "cache"]
    if not places:
        return []
    return [
        Finding(
            "no-locks",
            "broken",
            f"File locks do not work in {_paths(places)}.",
            "Without them two workers could damage a run.",
            "use --workspace on a local disk",
            short="file locks do not work",
        )
    ]


def writable(facts: Facts) -> list[Finding]:
    """Folders that nothing can be written to."""
    places = [place for place in _places(facts) if not place.writable]
    needed = [place for place in places if place.what != "cache"]
    cache = [place for place in places if place.what == "cache"]
    findings = []
    if needed:
        findings.append(
            Finding(
                "not-writable",
                "broken",
                f"Nothing can be written to {_paths(needed)}.",
                "Runs and prepared images are kept there.",
                "mend the permissions, or use --workspace with a folder of yours",
                frozenset({"no-locks", "low-disk"}),
                short="the workspace cannot be written to",
            )
        )
    if cache:
        findings.append(
            Finding(
                "cache-not-writable",
                "warning",
                f"Nothing can be written to {_paths(cache)}.",
                "Published weights and what was measured are kept there; "
                "they are fetched and measured anew each time.",
                "mend the permissions, or set XDG_CACHE_HOME to a folder of yours",
                short="the cache cannot be written to",
            )
        )
    return findings


def disk(facts: Facts) -> list[Finding]:
    """Disks that are nearly full."""
    places = [p for p in _places(facts) if p.free is not None and p.free < LOW_DISK]
    if not places:
        return []
    free = human_bytes(min(place.free or 0 for place in places))
    return [
        Finding(
            "low-disk",
            "warning",
            f"Only {free} are free for {_paths(places)}.",
            "Checkpoints and prepared images may not fit; a run that cannot save stops.",
            "make room (`workbench data clean` removes what no run needs), or use --workspace",
            short=f"only {free} of disk are free",
        )
    ]


def memory(facts: Facts) -> list[Finding]:
    """Hardly any memory left."""
    available = facts.system.memory_available if facts.system else 0
    if not 0 < available < LOW_MEMORY:  # 0 is not known
        return []
    return [
        Finding(
            "low-memory",
            "warning",
            f"Only {human_bytes(available)} of memory are available.",
            "The system may end a run for want of memory.",
            "end other programs, or train with a smaller --set training.batch_size",
            short=f"only {human_bytes(available)} of memory are available",
        )
    ]


def logout(facts: Facts) -> list[Finding]:
    """Whether a run would die with the last login."""
    session = facts.system.session if facts.system else Session()
    in_session = session.scope == "session" and session.kill_user_processes
    in_manager = session.scope == "user" and not session.linger
    if not session.systemd or not (in_session or in_manager):
        return []
    own_scope = "systemd-run --user --scope workbench"
    linger = "loginctl enable-linger"
    remedy = linger
    if in_session:  # which lingering alone does not save
        remedy = own_scope if session.linger else f"{linger} && {own_scope}"
    return [
        Finding(
            "logout-ends-runs",
            "warning",
            "Runs that are started here end when you log out.",
            "systemd ends every process of a login session here (KillUserProcesses)."
            if in_session
            else "This process belongs to your user manager, which ends with your last session.",
            remedy,
            short="runs end when you log out",
        )
    ]


def slurm(facts: Facts) -> list[Finding]:
    """An allocation of SLURM, or a login node."""
    told = facts.system.slurm if facts.system else None
    if told is None:
        return []
    if told.job:
        return [_slurm_job(told)]
    if nvml_gpus(facts) or working_gpus(facts):
        return []
    return [
        Finding(
            "slurm-login-node",
            "note",
            "This is a login node of a SLURM cluster, without a GPU.",
            "GPUs are in other machines; SLURM gives them out.",
            "srun --gres=gpu:1 --pty bash",
        )
    ]


def terminal(facts: Facts) -> list[Finding]:
    """A terminal that is small or has no Unicode."""
    told = facts.terminal
    if not told.interactive:
        return []
    findings = []
    columns, rows = SMALLEST_TERMINAL
    if told.columns < columns or told.rows < rows:
        findings.append(
            Finding(
                "terminal-small",
                "note",
                f"The terminal is {told.columns}x{told.rows}; "
                f"the screens are made for {columns}x{rows} and more.",
                "Some lines will be cut.",
                "make the window larger",
            )
        )
    if not told.utf8:
        findings.append(
            Finding(
                "terminal-not-utf8",
                "note",
                "The terminal is not set to UTF-8.",
                "Plots and frames are drawn with plain characters.",
                "export LANG=C.UTF-8",
            )
        )
    return findings


def _silent_probe(facts: Facts, probe: str) -> list[Finding]:
    told = outcome(facts, probe)
    if told is None or told.ok:
        return []
    subject = PROBES[probe]
    hangs = probe == "storage" and told.status == "hung"
    return [
        Finding(
            f"{probe}-{told.status}",
            "warning" if probe == "storage" else "note",
            f"{subject} {how_it_went(told)}.",
            "A file system does not answer, often a network folder whose server is away."
            if hangs
            else "What it would have told is missing here.",
            "use --workspace on a local disk" if hangs else "workbench check",
            short="a file system does not answer" if hangs else f"{subject.lower()} failed",
        )
    ]


def _slurm_job(told: Slurm) -> Finding:
    return Finding(
        "slurm-job",
        "note",
        f"This is job {quote(told.job, 40)} of SLURM; runs end with it{_until(told.ends)}.",
        "A run that SLURM ends can be resumed in a later job, from its last checkpoint.",
        "workbench resume, in the next job",
    )


def _until(ends: float | None) -> str:
    if ends is None or not math.isfinite(ends):
        return ""
    try:
        return time.strftime(", at %Y-%m-%d %H:%M", time.localtime(ends))
    except (OverflowError, ValueError, OSError):  # no time of this world
        return ""


def _places(facts: Facts) -> tuple[Place, ...]:
    return facts.storage.places if facts.storage else ()


def _paths(places: list[Place]) -> str:
    """/nfs/runs (nfs4) and /nfs/packs (nfs4), each once."""
    told = [
        quote(str(place.path)) + (f" ({quote(place.file_system, 20)})" if place.file_system else "")
        for place in places
    ]
    return together(list(dict.fromkeys(told)))
