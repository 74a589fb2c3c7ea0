"""What the probes' reports mean: one finding for each cause, with what to do about it."""

from pathlib import Path
from typing import Any

import pytest
from fault_facts import not_started
from machine_facts import GIB, cpu_only_host, healthy, outcomes, place, printed, silent, system
from machine_faults import BROKEN, NOTES, ROWS

from workbench.machine.diagnosis import Diagnosis, diagnose
from workbench.machine.facts import Backends, Facts, Nvml
from workbench.machine.finding import Finding
from workbench.machine.host_facts import Container, LoginSession, Slurm, Storage, Terminal


def ids(diagnosis: Diagnosis) -> list[str]:
    return [finding.id for finding in diagnosis.findings]


def folded(diagnosis: Diagnosis) -> set[str]:
    return {below.id for finding in diagnosis.findings for below in finding.consequences}


def test_a_host_without_faults_has_no_findings() -> None:
    assert diagnose(healthy()) == Diagnosis("GPU ready: NVIDIA H200", "usable", 0, ())


def test_ignored_keras_settings_are_a_note() -> None:
    backends = Backends(settings="/k/keras.json", ignored="it is not JSON: a brace is missing")
    diagnosis = diagnose(healthy(backends=backends))
    assert (ids(diagnosis), diagnosis.state, diagnosis.exit_code) == (
        ["keras-settings-unread"],
        "usable",
        0,
    )
    assert diagnosis.findings[0].what == (
        "Keras ignores its settings file /k/keras.json: it is not JSON: a brace is missing."
    )
    assert diagnosis.findings[0].remedy == "mv /k/keras.json /k/keras.json.old"


@pytest.mark.parametrize(
    ("chosen", "place", "what", "why"),
    [
        (
            "torch",
            "/k/keras.json",
            "Keras is set to train with PyTorch, which is not installed.",
            "Installed: TensorFlow. It is named by the file /k/keras.json; KERAS_BACKEND would "
            "take precedence.",
        ),
        (
            "numpy",
            "KERAS_BACKEND",
            "Keras is set to train with numpy, which cannot train here.",
            "Installed: TensorFlow. KERAS_BACKEND sets which one trains, or else "
            "~/.keras/keras.json.",
        ),
    ],
)
def test_a_missing_backend_and_what_names_it(chosen: str, place: str, what: str, why: str) -> None:
    diagnosis = diagnose(not_started("", chosen=chosen, named_by=place))
    [finding] = [f for f in diagnosis.findings if f.id == "backend-missing"]
    assert (finding.what, finding.why) == (what, why)


@pytest.mark.parametrize(
    ("slurm", "installed", "cause", "severity"),
    [
        (Slurm(), {}, "framework-on-nodes", "warning"),
        (Slurm(), {"tensorflow": "2.21.0"}, "framework-failed", "broken"),
        (Slurm(job="7"), {}, "backend-missing", "broken"),
        (None, {}, "backend-missing", "broken"),
    ],
)
def test_a_login_node_without_a_framework_trains_by_jobs_only(
    slurm: Slurm | None, installed: dict[str, str], cause: str, severity: str
) -> None:
    facts = not_started("ModuleNotFoundError: No module named 'keras'").model_copy(
        update={
            "system": system(slurm=slurm),
            "backends": Backends(chosen="tensorflow", installed=installed),
        }
    )
    found = {finding.id: finding for finding in diagnose(facts).findings}
    assert (cause in found, found[cause].severity) == (True, severity)
    if cause == "framework-on-nodes":
        assert not [one for one in found.values() if one.severity == "broken"]
        assert "workbench slurm NAME command=PATH" in found[cause].why


def test_a_host_without_a_gpu_has_one_finding() -> None:
    diagnosis = diagnose(cpu_only_host())
    assert diagnosis.verdict == "CPU only: no NVIDIA driver and no NVIDIA GPU"
    assert (ids(diagnosis), diagnosis.state, diagnosis.exit_code) == (["no-driver"], "degraded", 1)
    assert folded(diagnosis) == {"framework-no-gpu"}


@pytest.mark.parametrize(
    ("cause", "facts", "remedy"), ROWS, ids=[f"{n}-{row[0]}" for n, row in enumerate(ROWS)]
)
def test_each_fault_is_one_finding_with_its_remedy(cause: str, facts: Facts, remedy: str) -> None:
    diagnosis = diagnose(facts)
    assert ids(diagnosis) == [cause]
    finding = diagnosis.findings[0]
    assert remedy in finding.remedy
    assert "\n" not in finding.remedy
    assert all([finding.what, finding.why, finding.short])
    broken = cause in BROKEN
    severity = "broken" if broken else "note" if cause in NOTES else "warning"
    assert finding.severity == severity
    assert diagnosis.exit_code == {"note": 0, "warning": 1, "broken": 2}[severity]
    # A cause is never milder than its consequences.
    assert broken or all(below.severity != "broken" for below in finding.consequences)


def stored(**changes: Any) -> Facts:
    places = (place("runs", **changes), place("packs"), place("cache"))
    return healthy(storage=Storage(places=places))


def logged_in(**changes: Any) -> Facts:
    return healthy(system=system(session=LoginSession(**{"systemd": True, **changes})))


def only(facts: Facts) -> Finding:
    (finding,) = diagnose(facts).findings
    return finding


def test_without_locks_a_run_could_be_damaged() -> None:
    facts = stored(locks=False, file_system="nfs4", path=Path("/nfs/runs"))
    diagnosis = diagnose(facts)
    finding = only(facts)
    assert (finding.id, finding.severity, diagnosis.exit_code) == ("no-locks", "broken", 2)
    assert finding.what == "File locks do not work in /nfs/runs (nfs4)."
    assert finding.remedy == "use --workspace on a local disk"
    assert diagnosis.verdict == "Broken: file locks do not work"
    assert not diagnose(stored(locks=None)).findings


def test_places_with_the_same_fault_are_one_finding() -> None:
    places = tuple(place(what, locks=False) for what in ("runs", "packs", "cache"))
    finding = only(healthy(storage=Storage(places=places)))
    assert "/home/ada/runs (ext4) and /home/ada/packs (ext4)" in finding.what


def test_what_cannot_be_written_to() -> None:
    finding = only(stored(writable=False, locks=False, free=0))
    assert (finding.id, finding.severity) == ("not-writable", "broken")
    assert {below.id for below in finding.consequences} == {"no-locks", "low-disk"}
    cache = healthy(storage=Storage(places=(place("cache", writable=False, locks=False),)))
    assert (only(cache).id, only(cache).severity) == ("cache-not-writable", "warning")
    assert diagnose(cache).exit_code == 1


@pytest.mark.parametrize(
    ("free", "expected"), [(10**9, []), (10**9 - 1, ["low-disk"]), (0, ["low-disk"]), (None, [])]
)
def test_a_disk_that_is_nearly_full(free: int | None, expected: list[str]) -> None:
    diagnosis = diagnose(stored(free=free))
    assert [finding.id for finding in diagnosis.findings] == expected
    assert diagnosis.exit_code == bool(expected)


@pytest.mark.parametrize(
    ("available", "expected"), [(2 * 10**9, []), (2 * 10**9 - 1, ["low-memory"]), (0, [])]
)
def test_hardly_any_memory(available: int, expected: list[str]) -> None:
    diagnosis = diagnose(healthy(system=system(memory_available=available)))
    assert [finding.id for finding in diagnosis.findings] == expected
    assert diagnosis.exit_code == bool(expected)


@pytest.mark.parametrize(
    ("session", "remedy"),
    [
        (
            {"scope": "session", "kill_user_processes": True},
            "loginctl enable-linger && systemd-run --user --scope workbench",
        ),
        (  # lingering alone does not save a process of the login session
            {"scope": "session", "kill_user_processes": True, "linger": True},
            "systemd-run --user --scope workbench",
        ),
        ({"scope": "user"}, "loginctl enable-linger"),
        ({"scope": "user", "kill_user_processes": True}, "loginctl enable-linger"),
    ],
)
def test_runs_that_would_end_at_logout(session: dict[str, Any], remedy: str) -> None:
    finding = only(logged_in(**session))
    assert (finding.id, finding.severity) == ("logout-ends-runs", "warning")
    assert finding.remedy == remedy


@pytest.mark.parametrize(
    "session",
    [
        {"scope": "session"},
        {"scope": "session", "linger": True},
        {"scope": "user", "linger": True},
        {"scope": "user", "linger": True, "kill_user_processes": True},
        {"scope": "other", "kill_user_processes": True},
        {"systemd": False, "scope": "session", "kill_user_processes": True},
        {"systemd": False, "scope": "user"},
    ],
)
def test_runs_that_survive_logout(session: dict[str, Any]) -> None:
    assert not diagnose(logged_in(**session)).findings


def test_a_job_of_slurm_is_a_note() -> None:
    facts = healthy(system=system(slurm=Slurm(job="4711", gpus="0", ends=1_772_445_072.0)))
    finding = only(facts)
    assert (finding.id, finding.severity) == ("slurm-job", "note")
    assert finding.what.startswith("This is SLURM job 4711; runs end with it, at 2026-03-02 ")
    assert "resume" in finding.remedy
    assert diagnose(facts).exit_code == 0
    for ends in (None, float("inf"), float("nan"), 1e300):
        job = Slurm(job="4711", gpus="0", ends=ends)
        assert only(healthy(system=system(slurm=job))).what.endswith("runs end with it.")


def test_a_login_node_without_a_gpu() -> None:
    diagnosis = diagnose(cpu_only_host(system=system(nvidia_cards=0, slurm=Slurm())))
    assert [finding.id for finding in diagnosis.findings] == ["no-driver", "slurm-login-node"]
    assert diagnosis.findings[1].remedy == "srun --gres=gpu:1 --pty bash"
    assert not diagnose(healthy(system=system(slurm=Slurm()))).findings
    boxed = system(nvidia_cards=0, slurm=Slurm(), container=Container(kind="docker"))
    assert only(cpu_only_host(system=boxed)).id == "container-without-gpu"


def test_a_job_that_was_given_no_gpu() -> None:
    facts = cpu_only_host(nvml=Nvml(driver="570.133.20"), system=system(slurm=Slurm(job="4711")))
    first = diagnose(facts).findings[0]
    assert (first.id, first.remedy) == ("no-gpu-listed", "srun --gres=gpu:1 --pty bash")


@pytest.mark.parametrize(
    ("terminal", "expected"),
    [
        ({"columns": 80, "rows": 24}, []),
        ({"columns": 79, "rows": 24}, ["terminal-small"]),
        ({"columns": 80, "rows": 23}, ["terminal-small"]),
        ({"utf8": False}, ["terminal-not-utf8"]),
        ({"colors": 0}, []),
        ({"interactive": False, "columns": 10, "utf8": False}, []),
    ],
)
def test_terminals(terminal: dict[str, Any], expected: list[str]) -> None:
    diagnosis = {"interactive": True, "columns": 120, "rows": 40, "utf8": True, **terminal}
    found = diagnose(healthy(terminal=Terminal(**diagnosis)))
    assert [finding.id for finding in found.findings] == expected
    assert found.exit_code == 0


@pytest.mark.parametrize(
    ("probe", "status", "detail", "stderr", "severity", "message"),
    [
        ("storage", "hung", "after 10 s", "", "warning", "hung and was killed after 10 s"),
        ("system", "crashed", "by signal SIGBUS", "", "note", "crashed by signal SIGBUS"),
        ("libraries", "flooded", "", "", "note", "printed without end"),
        ("decoding", "garbled", "", "", "note", "gave no readable report"),
        ("decoding", "failed", "with exit code 1", "", "note", "failed with exit code 1"),
        ("system", "failed", "with exit code 1", "a\nOSError: no\n \n", "note", "OSError: no"),
    ],
)
def test_failed_probes(
    probe: str, status: str, detail: str, stderr: str, severity: str, message: str
) -> None:
    finding = only(silent(probe, status, detail, stderr))
    assert (finding.id, finding.severity) == (f"{probe}-{status}", severity)
    assert message in finding.what


def test_a_file_system_that_does_not_respond() -> None:
    diagnosis = diagnose(silent("storage", "hung", "after 10 s"))
    assert diagnosis.verdict == "GPU ready, with 1 warning: a file system does not respond"
    assert diagnosis.findings[0].remedy == "use --workspace on a local disk"


def test_warnings_are_counted() -> None:
    both = silent("storage", "hung", "after 10 s", system=system(memory_available=GIB))
    diagnosis = diagnose(both)
    assert diagnosis.verdict == (
        "GPU ready, with 2 warnings: a file system does not respond; "
        "only 1.1 GB of memory are available"
    )


def test_few_cores_in_a_container_are_no_fault() -> None:
    host = system(cores_allowed=1.5, container=Container(kind="docker", gpu_device=True))
    assert not diagnose(healthy(system=host, outcomes=outcomes(nvml=printed("")))).findings
