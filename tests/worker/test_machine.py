"""The machine in real commands and real runs."""

import json
import os
from pathlib import Path

import pytest
from measured import store_speed
from person import Person
from test_runs import ENDLESS, PRESET, wait_for

from workbench.machine.benchmark_store import BenchmarkStore
from workbench.runs.event_log import read_status
from workbench.runs.events import MachineSample

pytestmark = pytest.mark.worker

TWO_GPUS = """
import os
from pathlib import Path
from types import SimpleNamespace

GIB = 2**30
NVML_TEMPERATURE_GPU = 0

class NVMLError(Exception):
    value = 3

def nvmlInit():
    with Path(__file__).with_name("asked").open("a") as file:
        file.write(f"{os.getpid()}\\n")

def nvmlShutdown(): pass
def nvmlSystemGetDriverVersion(): return "550.54.14"
def nvmlSystemGetCudaDriverVersion_v2(): return 12040
def nvmlDeviceGetCount(): return 2
def nvmlDeviceGetHandleByIndex(index): return index
def nvmlDeviceGetHandleByUUID(uuid): return int(uuid[-1])
def nvmlDeviceGetName(handle): return "NVIDIA H200"
def nvmlDeviceGetUUID(handle): return f"GPU-{handle}"
def nvmlDeviceGetCudaComputeCapability(handle): return (9, 0)
def nvmlDeviceGetMemoryInfo(handle):
    used = (139.99, 3)[handle] * GIB
    return SimpleNamespace(total=140 * GIB, used=int(used), free=int(140 * GIB - used))
def nvmlDeviceGetUtilizationRates(handle): return SimpleNamespace(gpu=7, memory=1)
def nvmlDeviceGetTemperature(handle, which): return 41
def nvmlDeviceGetComputeRunningProcesses(handle):
    return [SimpleNamespace(pid=2**22, usedGpuMemory=139 * GIB)] if handle == 0 else []
"""


@pytest.fixture
def on_a_shared_machine(person: Person, monkeypatch: pytest.MonkeyPatch) -> Person:
    """Simulate two GPUs, the first in use by another user; TensorFlow sees the real ones."""
    folder = person.workspace / "fakes"
    folder.mkdir()
    (folder / "pynvml.py").write_text(TWO_GPUS)
    path = os.pathsep.join([str(folder), person.environment["PYTHONPATH"]])
    monkeypatch.setattr(
        Person, "environment", property(lambda self: {**_plain(self), "PYTHONPATH": path})
    )
    return person


def _plain(person: Person) -> dict[str, str]:
    variables = {**os.environ, "WORKBENCH_HOME": str(person.workspace)}
    variables.pop("CUDA_VISIBLE_DEVICES", None)
    return variables


def events(person: Person, run: str, kind: str) -> list[dict[str, object]]:
    return [event for event in person.events(run) if event["event"] == kind]


def test_check_prints_json_with_exit_code(person: Person) -> None:
    output = person.types("check", "--measure", "--json", expect=check_code(person))
    tree = json.loads(output[output.index("{") : output.rindex("}") + 1])
    assert tree["exit_code"] in (0, 1)
    assert tree["figures"]["CPU"]["speed"]["forward_flops"] > 0
    assert set(tree["facts"]["outcomes"]) >= {"nvml", "libraries", "framework", "system", "storage"}
    if tree["exit_code"] == 1 and not tree["facts"]["nvml"]["gpus"]:
        assert tree["verdict"].startswith("CPU only")
    assert not Path(person.workspace / "saved_models").exists()
    # Now a plan contains seconds.
    assert "an epoch" in person.types("plan", *PRESET[1:])


def check_code(person: Person) -> int:
    """Return the exit code of the check on this machine: 0 with a GPU."""
    from workbench.machine.driver import query_nvml

    nvml = query_nvml().nvml
    return 0 if nvml and nvml.gpus else 1


def askers(person: Person, run: str) -> set[int]:
    """Return the processes that asked the driver, without the run's worker."""
    (worker,) = events(person, run, "worker_started")
    asked = {int(line) for line in (person.workspace / "fakes" / "asked").read_text().split()}
    assert worker["pid"] in asked  # for its gauges
    return asked - {worker["pid"]}


def test_run_chooses_the_gpu_with_most_free_memory(
    on_a_shared_machine: Person, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One process asks the driver before the first batch; what was not tried there is off."""
    person = on_a_shared_machine
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    printed = person.types(*PRESET, "--set", "training.epochs=2", "--name", "free")
    assert "gpu    GPU 1, NVIDIA H200, 137.0 GiB of 140.0 GiB free" in printed
    (chosen,) = events(person, "free", "gpu_chosen")
    assert chosen["asked"] == "auto"
    assert chosen["gpu"]["uuid"] == "GPU-1"  # type: ignore[index]
    assert len(askers(person, "free")) == 1
    assert (
        "Trains without XLA and half precision, not tried on this GPU yet: "
        "workbench check --measure" in " ".join(printed.split())
    )
    measured = BenchmarkStore("NVIDIA H200").load()
    assert measured is not None
    assert measured.kind == "cpu"  # which trained, as TensorFlow has no GPU here
    (stage,) = events(person, "free", "stage_started")
    assert (stage["jit"], stage["precision"]) == (False, "float32")
    checks = events(person, "free", "estimate_checked")
    assert [check["epoch"] for check in checks] == [2]  # two steps do not show compiling
    assert all(check["ratio"] > 0 for check in checks)  # type: ignore[operator]


def test_a_queued_run_asks_the_driver_when_its_turn_comes(on_a_shared_machine: Person) -> None:
    person = on_a_shared_machine
    store_speed("NVIDIA H200")
    person.types(*PRESET, "--set", "training.epochs=1", "--name", "later", "--queue")
    assert len(askers(person, "later")) == 1
    (chosen,) = events(person, "later", "gpu_chosen")
    assert chosen["gpu"]["uuid"] == "GPU-1"  # type: ignore[index]


def test_full_gpu_is_refused_before_a_run_is_created(on_a_shared_machine: Person) -> None:
    person = on_a_shared_machine
    big = ("--set", "model.dense_units=[8192]", "--set", "data.image_size=[96, 96]")
    printed = person.types(*PRESET, *big, "--gpu", "0", expect=2)
    assert "Its memory is held by somebody (PID 4194304) 139.0 GiB" in printed
    assert "and GPU 0 has 0.0 GiB free" in printed
    assert "--gpu auto" in printed
    assert not (person.workspace / "saved_models").exists()
    assert "There is no GPU 7; allowed: 0, 1, none or auto" in person.types(
        *PRESET, "--gpu", "7", expect=2
    )


def test_gpu_none_is_recorded_and_may_change_on_resume(person: Person) -> None:
    person.types(*ENDLESS, "--gpu", "none", "--detach")
    wait_for(person, "endless", "machine")  # the first sample, some seconds after the start
    person.types("stop", "endless")
    spec = person.workspace / "saved_models" / "endless" / "spec.toml"
    assert 'gpu = "none"' in spec.read_text()
    (chosen,) = events(person, "endless", "gpu_chosen")
    assert (chosen["asked"], chosen["gpu"]) == ("none", None)
    status = read_status(person.workspace / "saved_models" / "endless" / "status.json")
    (sample,) = [event for event in status if isinstance(event, MachineSample)]
    assert sample.gpu is None
    assert sample.process_memory is not None
    assert sample.process_memory > 50e6

    assert "received 'no'" in person.types("resume", "endless", "--gpu", "no", expect=2)
    assert 'gpu = "none"' in spec.read_text()
    person.types("resume", "endless", "--gpu", "auto", "--detach")
    done = len(person.epochs("endless"))
    wait_for(person, "endless", "epoch_finished", done + 1)
    person.types("stop", "endless")
    assert 'gpu = "auto"' in spec.read_text()
