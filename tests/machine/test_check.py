"""The whole check with probes that misbehave: it ends and reports what happened."""

import json
import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from waiting import GUARD

from workbench.machine.benchmark_store import BenchmarkStore
from workbench.machine.check import LIMITS, MachineReport, check
from workbench.machine.diagnosis import rows
from workbench.machine.gpus import CPU
from workbench.machine.trial import load_trial
from workbench.paths import Workspace

HERE = Path(__file__).parent
PATIENT = dict.fromkeys(LIMITS, GUARD)

FAKE_PYNVML = """
import os
from types import SimpleNamespace

class NVMLError(Exception):
    value = 3

def nvmlInit(): exec(os.environ.get("FAKE_INIT", "pass"))
def nvmlShutdown(): pass
def nvmlSystemGetDriverVersion(): return os.environ.get("FAKE_DRIVER", "550.54.14")
def nvmlSystemGetCudaDriverVersion_v2(): return 12040
def nvmlDeviceGetCount(): return 1
def nvmlDeviceGetHandleByIndex(index): return index
def nvmlDeviceGetName(handle): return "NVIDIA H200"
def nvmlDeviceGetUUID(handle): return "GPU-aaaa"
def nvmlDeviceGetCudaComputeCapability(handle): return (9, 0)
def nvmlDeviceGetMemoryInfo(handle):
    used = int(os.environ.get("FAKE_USED", "1")) << 30
    return SimpleNamespace(total=140 << 30, used=used, free=(140 << 30) - used)
"""


def environment_of(tmp_path: Path) -> dict[str, str]:
    """With one path of modules for all tests, since what a check keeps is for one path."""
    fakes = tmp_path.parent / "fakes"
    fakes.mkdir(exist_ok=True)
    (fakes / "pynvml.py").write_text(FAKE_PYNVML)
    path = os.pathsep.join([str(fakes), str(HERE), str(HERE.parents[1])])
    own = {"PYTHONPATH": path, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    return {k: v for k, v in os.environ.items() if k != "CUDA_VISIBLE_DEVICES"} | own


def run(
    tmp_path: Path,
    init: str = "pass",
    limits: Mapping[str, float] = PATIENT,
    measure: bool = False,
    **variables: str,
) -> MachineReport:
    """Checks with a fake NVML that begins with `init` and the fake backend."""
    environment = {**environment_of(tmp_path), "FAKE_INIT": init, **variables}
    return check(
        Workspace(tmp_path),
        measure=measure,
        environment=environment,
        limits=limits,
        framework_module="fake_backend",
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[MachineReport, Path]:
    """The first check of a machine with a GPU, and the folder that it was made in."""
    folder = tmp_path_factory.mktemp("first")
    return run(folder, FAKE_GPUS="1"), folder


@pytest.fixture
def first(made: tuple[MachineReport, Path], tmp_path: Path) -> MachineReport:
    """Return that check; what it keeps is in the cache of this test."""
    report, folder = made
    shutil.copytree(folder / "cache", tmp_path / "cache")
    return report


@pytest.fixture
def processor_known(first: MachineReport, tmp_path: Path) -> None:
    """Leave of the cache only the figures of the processor: no more images need to be decoded."""
    figures = BenchmarkStore(CPU, environment_of(tmp_path)).path
    assert figures.exists()
    for path in figures.parent.iterdir():
        if path != figures:
            path.unlink()


def findings(report: MachineReport) -> set[str]:
    """Without those of the host that runs the tests."""
    host = {"logout-ends-runs", "slurm-job", "slurm-login-node", "low-memory", "low-disk"}
    return {finding.id for finding in report.diagnosis.findings} - host


@pytest.mark.usefixtures("processor_known")
def test_a_driver_that_hangs(tmp_path: Path) -> None:
    report = run(tmp_path, "import signal; signal.pause()", PATIENT | {"nvml": 1.0})
    assert report.facts.outcomes["nvml"].status == "hung"
    assert report.facts.nvml is None
    assert "nvml-hung" in findings(report)
    assert report.diagnosis.verdict.startswith("CPU only")
    assert report.diagnosis.exit_code == 1


@pytest.mark.usefixtures("processor_known")
def test_a_driver_that_crashes(tmp_path: Path) -> None:
    report = run(tmp_path, init="import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert report.facts.outcomes["nvml"].detail == "by signal SIGSEGV"
    assert "nvml-crashed" in findings(report)


@pytest.mark.usefixtures("processor_known")
def test_a_driver_that_babbles_without_end(tmp_path: Path) -> None:
    report = run(tmp_path, init="[print('y' * 1000) for _ in iter(int, 1)]")
    assert report.facts.outcomes["nvml"].status == "flooded"
    assert "nvml-flooded" in findings(report)


@pytest.mark.usefixtures("processor_known")
def test_a_driver_that_speaks_no_utf_8(tmp_path: Path) -> None:
    report = run(tmp_path, init=r"import os; os.write(2, b'\xff\xfe \x1b[31m'); os._exit(3)")
    outcome = report.facts.outcomes["nvml"]
    assert (outcome.status, outcome.detail) == ("failed", "with exit code 3")
    assert outcome.stderr == "\\xff\\xfe \\e[31m"
    assert "nvml-failed" in findings(report)


def test_a_framework_that_cannot_be_started_is_the_end_of_it(tmp_path: Path) -> None:
    report = run(tmp_path, FAKE_BACKEND="import")
    assert report.facts.framework is None
    assert report.diagnosis.exit_code == 2
    assert report.diagnosis.verdict.startswith("Broken: ")


def test_figures_are_kept_and_not_measured_twice(first: MachineReport, tmp_path: Path) -> None:
    assert set(first.benchmarks) == {CPU, "NVIDIA H200"}
    assert first.benchmarks["NVIDIA H200"].kind == "gpu"
    again = run(tmp_path, FAKE_GPUS="1", XLA_FLAGS="changed")
    assert again.facts.framework is not None
    assert again.facts.tried == 0
    assert again.facts.framework.speeds == ()
    assert set(again.benchmarks) == set(first.benchmarks)


def test_a_gpu_that_cannot_be_used_leaves_the_figures_of_the_cpu(tmp_path: Path) -> None:
    report = run(tmp_path, FAKE_GPUS="0")
    assert set(report.benchmarks) == {CPU}
    kept = BenchmarkStore(
        "NVIDIA H200", {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    ).load()
    assert kept is not None
    assert (kept.device, kept.kind) == (CPU, "cpu")


CANNOT_START = {"FAKE_BACKEND": "import"}  # what a check shows only if it starts the framework


def test_what_the_framework_showed_is_kept(first: MachineReport, tmp_path: Path) -> None:
    assert first.facts.tried == 0
    assert first.facts.framework is not None
    again = run(tmp_path, **CANNOT_START)
    assert again.facts.framework == first.facts.framework.model_copy(update={"speeds": ()})
    assert again.facts.libraries == first.facts.libraries
    assert again.benchmarks == {
        name: found.model_copy(update={"measured": again.benchmarks[name].measured})
        for name, found in first.benchmarks.items()
    }
    assert findings(again) == findings(first)
    when = time.strftime("%Y-%m-%d %H:%M", time.localtime(again.facts.tried))
    assert dict(rows(again.facts, again.benchmarks))["tried"] == (
        f"{when}, same versions; again: workbench check --measure"
    )
    assert "tried" not in dict(rows(first.facts, first.benchmarks))


def test_what_changes_from_minute_to_minute_is_asked_each_time(
    first: MachineReport, tmp_path: Path
) -> None:
    assert "memory-taken" not in findings(first)
    later = run(tmp_path, FAKE_USED="130", **CANNOT_START)
    assert later.facts.tried
    assert "memory-taken" in findings(later)
    assert set(later.facts.outcomes) == {"nvml", "system", "storage", "libraries", "framework"}


@pytest.mark.usefixtures("first")
def test_after_a_change_the_framework_is_tried_again(tmp_path: Path) -> None:
    for changed in (
        {"FAKE_DRIVER": "580.65.06"},
        {"XLA_FLAGS": "--xla_dump_to=/tmp"},
        {"CUDA_VISIBLE_DEVICES": "0"},
        {"LD_LIBRARY_PATH": "/opt/cudnn"},
    ):
        assert run(tmp_path, **changed, **CANNOT_START).facts.framework is None, changed
    assert run(tmp_path, **CANNOT_START).facts.framework is not None


@pytest.mark.usefixtures("first")
def test_on_request_the_framework_is_tried_again(tmp_path: Path) -> None:
    assert run(tmp_path, measure=True, **CANNOT_START).facts.framework is None
    # And what it showed before counts no longer.
    assert run(tmp_path, **CANNOT_START).facts.framework is None


@pytest.mark.usefixtures("processor_known")
@pytest.mark.parametrize("trouble", ["crash gpu:0", "crash cpu:0", "no devices"])
def test_what_failed_is_tried_again(trouble: str, tmp_path: Path) -> None:
    run(tmp_path, FAKE_GPUS="0" if trouble == "no devices" else "1", FAKE_BACKEND=trouble)
    assert run(tmp_path, FAKE_GPUS="1").facts.tried == 0


@pytest.mark.usefixtures("processor_known")
def test_a_trial_that_hung_is_tried_again(tmp_path: Path, limit_after: Callable[..., None]) -> None:
    limit_after(b'"begin": "gpu:0 jit"')
    first = run(tmp_path, FAKE_GPUS="1", FAKE_BACKEND="hang gpu:0 jit")
    assert first.facts.outcomes["framework"].status == "hung"
    assert run(tmp_path, FAKE_GPUS="1").facts.tried == 0


@pytest.mark.usefixtures("processor_known")
def test_xla_that_ends_the_process_is_not_tried_again(tmp_path: Path) -> None:
    first = run(tmp_path, FAKE_GPUS="1", FAKE_BACKEND="crash gpu:0 jit")
    again = run(tmp_path, **CANNOT_START)
    for report in (first, again):
        assert "gpu-jit" in findings(report)
        (auto,) = [text for label, text in rows(report.facts, {}) if label == "auto"]
        assert auto == (
            "NVIDIA H200: XLA off (XLA ends the process on this GPU), "
            "mixed_float16 (tensor cores, and the loss stayed finite)"
        )
    assert again.facts.tried
    kept = load_trial("NVIDIA H200", environment_of(tmp_path))
    assert kept is not None
    assert kept.xla is not None
    assert kept.xla.ended


@pytest.mark.usefixtures("first")
def test_a_damaged_file_is_no_check(tmp_path: Path) -> None:
    (path,) = (tmp_path / "cache" / "workbench").glob("check-*.json")
    for content in (b"", b"{", b'{"tried": "no"}', b"\xff"):
        path.write_bytes(content)
        assert run(tmp_path, FAKE_GPUS="1").facts.tried == 0, content
    assert run(tmp_path, FAKE_GPUS="1").facts.tried > 0


@pytest.mark.skipif(sys.platform != "linux", reason="the workbench runs on Linux")
def test_the_report_is_plain_json(made: tuple[MachineReport, Path]) -> None:
    from workbench.cli.check import as_tree

    report = json.loads(json.dumps(as_tree(made[0])))
    assert report["exit_code"] in (0, 1)
    assert report["verdict"].startswith("GPU ready")
    assert report["facts"]["nvml"]["gpus"][0]["name"] == "NVIDIA H200"
