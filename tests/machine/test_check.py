"""The whole check with probes that misbehave: it ends and reports what happened."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
from waiting import GUARD

from workbench.machine.benchmark_store import BenchmarkStore
from workbench.machine.check import LIMITS, MachineReport, check
from workbench.machine.gpus import CPU
from workbench.paths import Workspace

HERE = Path(__file__).parent
PATIENT = dict.fromkeys(LIMITS, GUARD)

FAKE_PYNVML = """
class NVMLError(Exception):
    value = 3

def nvmlInit(): {init}
def nvmlShutdown(): pass
def nvmlSystemGetDriverVersion(): return "550.54.14"
def nvmlSystemGetCudaDriverVersion_v2(): return 12040
def nvmlDeviceGetCount(): return 1
def nvmlDeviceGetHandleByIndex(index): return index
def nvmlDeviceGetName(handle): return "NVIDIA H200"
def nvmlDeviceGetUUID(handle): return "GPU-aaaa"
def nvmlDeviceGetCudaComputeCapability(handle): return (9, 0)
"""


def run(
    tmp_path: Path, init: str = "pass", limits: Mapping[str, float] = PATIENT, **variables: str
) -> MachineReport:
    """Checks with a fake NVML that begins with `init` and the fake backend."""
    (tmp_path / "pynvml.py").write_text(FAKE_PYNVML.format(init=init))
    path = os.pathsep.join([str(tmp_path), str(HERE), str(HERE.parents[1])])
    environment = {
        **os.environ,
        "PYTHONPATH": path,
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
        **variables,
    }
    environment.pop("CUDA_VISIBLE_DEVICES", None)
    return check(
        Workspace(tmp_path),
        environment=environment,
        limits=limits,
        framework_module="fake_backend",
    )


def findings(report: MachineReport) -> set[str]:
    """Without those of the host that runs the tests."""
    host = {"logout-ends-runs", "slurm-job", "slurm-login-node", "low-memory", "low-disk"}
    return {finding.id for finding in report.diagnosis.findings} - host


def test_a_driver_that_hangs(tmp_path: Path) -> None:
    report = run(tmp_path, "import signal; signal.pause()", PATIENT | {"nvml": 1.0})
    assert report.facts.outcomes["nvml"].status == "hung"
    assert report.facts.nvml is None
    assert "nvml-hung" in findings(report)
    assert report.diagnosis.verdict.startswith("CPU only")
    assert report.diagnosis.exit_code == 1


def test_a_driver_that_crashes(tmp_path: Path) -> None:
    report = run(tmp_path, init="import os, signal; os.kill(os.getpid(), signal.SIGSEGV)")
    assert report.facts.outcomes["nvml"].detail == "by signal SIGSEGV"
    assert "nvml-crashed" in findings(report)


def test_a_driver_that_babbles_without_end(tmp_path: Path) -> None:
    report = run(tmp_path, init="[print('y' * 1000) for _ in iter(int, 1)]")
    assert report.facts.outcomes["nvml"].status == "flooded"
    assert "nvml-flooded" in findings(report)


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


def test_figures_are_kept_and_not_measured_twice(tmp_path: Path) -> None:
    first = run(tmp_path, FAKE_GPUS="1")
    assert set(first.benchmarks) == {CPU, "NVIDIA H200"}
    assert first.benchmarks["NVIDIA H200"].kind == "gpu"
    again = run(tmp_path, FAKE_GPUS="1")
    assert again.facts.framework is not None
    kept = {name for name, figures in first.benchmarks.items() if figures.reliable}
    measured = {speed.device for speed in again.facts.framework.speeds}
    assert ("cpu:0" in measured, "gpu:0" in measured) == (
        CPU not in kept, "NVIDIA H200" not in kept
    )  # fmt: skip
    assert set(again.benchmarks) == set(first.benchmarks)


def test_a_gpu_that_cannot_be_used_leaves_the_figures_of_the_cpu(tmp_path: Path) -> None:
    report = run(tmp_path, FAKE_GPUS="0")
    assert set(report.benchmarks) == {CPU}
    kept = BenchmarkStore(
        "NVIDIA H200", {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}
    ).load()
    assert kept is not None
    assert (kept.device, kept.kind) == (CPU, "cpu")


@pytest.mark.skipif(sys.platform != "linux", reason="the workbench runs on Linux")
def test_the_report_is_plain_json(tmp_path: Path) -> None:
    from workbench.cli.check import as_tree

    report = run(tmp_path, FAKE_GPUS="1")
    report = json.loads(json.dumps(as_tree(report)))
    assert report["exit_code"] in (0, 1)
    assert report["verdict"].startswith("GPU ready")
    assert report["facts"]["nvml"]["gpus"][0]["name"] == "NVIDIA H200"
