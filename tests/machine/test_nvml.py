"""NVML: what GPUs report, what they do not support, and how the library itself fails."""

import os
import pwd
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from workbench.machine.facts import GpuProcess, MigDevice, Nvml
from workbench.machine.nvml import pci_address, read_kernel_log, read_nvml, xids

GIB = 1 << 30
WORDS = {
    3: "Not Supported",
    9: "Driver Not Loaded",
    12: "NVML Shared Library Not Found",
    15: "GPU is lost",
    18: "RM has detected an NVML/RM version mismatch.",
    999: "Unknown Error",
}
UUID = "GPU-5f5b3b8e-2d3c-4b1a-9c55-000000000000"


class NVMLError(Exception):
    """As in the real module: a number in `value`, a message in str()."""

    def __init__(self, value: int) -> None:
        super().__init__(WORDS[value])
        self.value = value


def fails(code: int) -> Callable[..., Any]:
    def function(*arguments: object) -> Any:
        raise NVMLError(code)

    return function


ANSWERS: dict[str, Any] = {
    "nvmlSystemGetDriverVersion": "535.104.05",
    "nvmlSystemGetCudaDriverVersion_v2": 12020,
    "nvmlDeviceGetCount": 1,
    "nvmlDeviceGetHandleByIndex": "card",
    "nvmlDeviceGetHandleByUUID": "card",
    "nvmlDeviceGetUUID": UUID,
    "nvmlDeviceGetName": "NVIDIA A100-SXM4-80GB",
    "nvmlDeviceGetPciInfo": SimpleNamespace(busId=b"00000000:3B:00.0"),
    "nvmlDeviceGetCudaComputeCapability": (8, 0),
    "nvmlDeviceGetMemoryInfo": SimpleNamespace(total=80 * GIB, used=GIB, free=79 * GIB),
    "nvmlDeviceGetUtilizationRates": SimpleNamespace(gpu=37, memory=5),
    "nvmlDeviceGetTemperature": 61,
    "nvmlDeviceGetTotalEccErrors": 0,
    "nvmlDeviceGetRemappedRows": (1, 0, 0, 0),
    "nvmlDeviceGetMigMode": [0, 0],
    "nvmlDeviceGetComputeRunningProcesses": [],
    "nvmlDeviceGetGraphicsRunningProcesses": [],
}


class FakeNvml:
    """The module `pynvml`, with one healthy GPU; tests replace single functions."""

    NVMLError = NVMLError
    NVML_TEMPERATURE_GPU = 0

    def __init__(self, **replaced: Callable[..., Any]) -> None:
        self.shut_down = 0
        vars(self).update(replaced)

    def nvmlInit(self) -> None: ...  # noqa: N802

    def nvmlShutdown(self) -> None:  # noqa: N802
        self.shut_down += 1

    def __getattr__(self, name: str) -> Any:
        if name not in ANSWERS:
            raise AttributeError(name)
        return lambda *arguments: ANSWERS[name]


def only_gpu(nvml: Nvml) -> Any:
    (gpu,) = nvml.gpus
    return gpu


def process(pid: int, memory: int | None) -> SimpleNamespace:
    return SimpleNamespace(pid=pid, usedGpuMemory=memory)


def test_a_healthy_gpu() -> None:
    module = FakeNvml()
    nvml = read_nvml(module)
    assert (nvml.error, nvml.error_code) == ("", None)
    assert (nvml.driver, nvml.cuda) == ("535.104.05", (12, 2))
    gpu = only_gpu(nvml)
    assert gpu.model_dump() == {
        "index": 0,
        "uuid": UUID,
        "name": "NVIDIA A100-SXM4-80GB",
        "pci": "00000000:3B:00.0",
        "error": "",
        "compute_capability": (8, 0),
        "memory_total": 80 * GIB,
        "memory_used": GIB,
        "utilization": 37,
        "temperature": 61,
        "ecc_errors": 0,
        "remapped_rows": 0,
        "remap_failed": False,
        "remap_pending": False,
        "mig": False,
        "mig_devices": (),
        "processes": (),
        "xids": (),
    }
    assert module.shut_down == 1


@pytest.mark.parametrize("code", [9, 12, 18, 999])
def test_a_library_that_does_not_start_is_reported_by_its_number(code: int) -> None:
    nvml = read_nvml(FakeNvml(nvmlInit=fails(code)))
    assert nvml == Nvml(error=WORDS[code], error_code=code)


def test_gpus_that_cannot_be_counted() -> None:
    module = FakeNvml(nvmlDeviceGetCount=fails(999))
    assert read_nvml(module) == Nvml(
        error="Unknown Error", error_code=999, driver="535.104.05", cuda=(12, 2)
    )
    assert module.shut_down == 1


def test_what_is_not_supported_stays_unknown() -> None:
    module = FakeNvml()
    for name in ANSWERS:
        if name not in ("nvmlDeviceGetCount", "nvmlDeviceGetHandleByIndex"):
            setattr(module, name, fails(3))
    nvml = read_nvml(module)
    assert (nvml.driver, nvml.cuda) == ("", None)
    gpu = only_gpu(nvml)
    assert gpu == type(gpu)(index=0)
    assert (gpu.utilization, gpu.temperature, gpu.compute_capability) == (None, None, None)


def test_a_lost_gpu_hides_no_other() -> None:
    def handle(index: int) -> str:
        if index == 0:
            raise NVMLError(15)
        return "card"

    nvml = read_nvml(FakeNvml(nvmlDeviceGetCount=lambda: 2, nvmlDeviceGetHandleByIndex=handle))
    lost, good = nvml.gpus
    assert lost == type(lost)(index=0, error="GPU is lost")
    assert (good.index, good.error, good.name) == (1, "", "NVIDIA A100-SXM4-80GB")


def test_a_gpu_lost_while_it_is_read_keeps_its_readings() -> None:
    gpu = only_gpu(read_nvml(FakeNvml(nvmlDeviceGetTemperature=fails(15))))
    assert gpu.error == "GPU is lost"
    assert (gpu.temperature, gpu.uuid) == (None, UUID)


def test_old_versions_give_bytes_and_have_fewer_functions() -> None:
    def missing(handle: object) -> Any:
        raise RuntimeError("Unversioned function called")

    module = FakeNvml(
        nvmlSystemGetDriverVersion=lambda: b"470.57.02",
        nvmlSystemGetCudaDriverVersion_v2=fails(3),
        nvmlSystemGetCudaDriverVersion=lambda: 11040,
        nvmlDeviceGetName=lambda handle: b"Tesla V100 \x1b[2J",
        nvmlDeviceGetUUID=lambda handle: UUID.encode(),
        nvmlDeviceGetComputeRunningProcesses=missing,
        nvmlDeviceGetComputeRunningProcesses_v2=lambda handle: [process(7, GIB)],
    )
    nvml = read_nvml(module, proc=Path("/no/such/folder"))
    assert (nvml.driver, nvml.cuda) == ("470.57.02", (11, 4))
    gpu = only_gpu(nvml)
    assert (gpu.name, gpu.uuid) == ("Tesla V100 \\e[2J", UUID)
    assert gpu.processes == (GpuProcess(pid=7, memory=GIB),)


def test_faults_of_the_memory() -> None:
    asked: list[tuple[object, ...]] = []

    def errors(*arguments: object) -> int:
        asked.append(arguments)
        return 4

    module = FakeNvml(
        nvmlDeviceGetTotalEccErrors=errors,
        nvmlDeviceGetRemappedRows=lambda handle: (5, 2, 1, 1),
    )
    gpu = only_gpu(read_nvml(module))
    assert asked == [("card", 1, 0)]  # uncorrected, since the driver was loaded
    assert gpu.ecc_errors == 4
    assert (gpu.remapped_rows, gpu.remap_pending, gpu.remap_failed) == (2, True, True)


def test_a_gpu_in_slices() -> None:
    def slice_at(handle: str, place: int) -> str:
        if place == 1:
            raise NVMLError(3)  # this place is free
        return f"slice {place}"

    def memory(handle: str) -> SimpleNamespace:
        total = 80 if handle == "card" else 10
        return SimpleNamespace(total=total * GIB, used=GIB)

    module = FakeNvml(
        nvmlDeviceGetMigMode=lambda handle: [1, 1],
        nvmlDeviceGetMaxMigDeviceCount=lambda handle: 3,
        nvmlDeviceGetMigDeviceHandleByIndex=slice_at,
        nvmlDeviceGetMemoryInfo=memory,
        nvmlDeviceGetName=lambda handle: f"name of {handle}",
        nvmlDeviceGetUUID=lambda handle: f"MIG-{handle}",
    )
    gpu = only_gpu(read_nvml(module))
    assert gpu.mig
    assert gpu.memory_total == 80 * GIB
    assert gpu.mig_devices == tuple(
        MigDevice(
            uuid=f"MIG-slice {place}",
            name=f"name of slice {place}",
            memory_total=10 * GIB,
            memory_used=GIB,
        )
        for place in (0, 2)
    )


def fake_proc(root: Path, namespace: str = "pid:[4026531836]") -> Path:
    """A small /proc with process 41 of this user and 42 of nobody's."""
    for pid, uid in ((41, os.getuid()), (42, 3_999_999_999)):
        folder = root / str(pid)
        folder.mkdir(parents=True)
        (folder / "comm").write_text("python3\n")
        (folder / "status").write_text(f"Name:\tpython3\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nGid:\t0")
    (root / "self/ns").mkdir(parents=True)
    (root / "self/ns/pid").symlink_to(namespace)
    return root


PROCESSES = {
    "nvmlDeviceGetComputeRunningProcesses": lambda handle: [
        process(42, 3 * GIB),
        process(41, None),
        process(43, 2**64 - 1),
    ],
    "nvmlDeviceGetGraphicsRunningProcesses": lambda handle: [process(42, GIB), process(41, 5)],
}


def test_processes_have_their_owners(tmp_path: Path) -> None:
    me = pwd.getpwuid(os.getuid()).pw_name
    gpu = only_gpu(read_nvml(FakeNvml(**PROCESSES), proc=fake_proc(tmp_path)))
    assert gpu.processes == (
        GpuProcess(pid=41, memory=5, user=me, name="python3", own=True),
        GpuProcess(pid=42, memory=3 * GIB, user="3999999999", name="python3"),
        GpuProcess(pid=43),  # ended meanwhile, or hidden
    )


def test_in_a_container_the_numbers_are_of_other_processes(tmp_path: Path) -> None:
    proc = fake_proc(tmp_path, namespace="pid:[4026532211]")
    gpu = only_gpu(read_nvml(FakeNvml(**PROCESSES), proc=proc))
    assert [(one.pid, one.name, one.user) for one in gpu.processes] == [
        (41, "", ""),
        (42, "", ""),
        (43, "", ""),
    ]


KERNEL_LOG = [
    "6,1203,88121000,-;NVRM: loading NVIDIA UNIX x86_64 Kernel Module  535.104.05",
    "4,1339,5140900,-;NVRM: Xid (PCI:0000:3b:00): 48, pid=1234, An uncorrectable double bit error",
    "4,1340,5140901,-;NVRM: Xid (PCI:0000:AF:00): 31, pid=99, name=python, MMU Fault",
    "4,1341,5140902,-;NVRM: Xid (PCI:0000:3b:00 GPU-I:05): 13, pid=7, Graphics Exception",
    "4,1342,5140903,-;NVRM: Xid (PCI:0000:3b:00): 48, pid=1234, again",
    "6,1343,5140904,-;usb 1-1: Xid is a word in here",
]


def test_errors_in_the_kernels_log_belong_to_their_gpu() -> None:
    assert xids(KERNEL_LOG) == {(0, 0x3B, 0): (48, 13), (0, 0xAF, 0): (31,)}
    assert only_gpu(read_nvml(FakeNvml(), KERNEL_LOG)).xids == (48, 13)


def test_addresses_differ_in_width() -> None:
    assert pci_address("0000:3b:00") == pci_address("00000000:3B:00.0") == (0, 0x3B, 0)
    assert pci_address("00000001:3B:00.0") == (1, 0x3B, 0)
    assert pci_address("") == pci_address("none") == ()


def test_the_kernels_log_is_read_to_its_end(tmp_path: Path) -> None:
    pipe = tmp_path / "kmsg"
    os.mkfifo(pipe)
    writer = os.open(pipe, os.O_RDWR)
    try:
        assert read_kernel_log(pipe) == []  # it waits for nothing
        os.write(writer, b"caf\xe9\n")
        assert read_kernel_log(pipe) == ["caf�\n"]
    finally:
        os.close(writer)


def test_a_log_that_may_not_be_read_has_no_lines(tmp_path: Path) -> None:
    assert read_kernel_log(tmp_path / "none") == []
    assert read_kernel_log(tmp_path) == []  # as any error while it is read


def test_an_overwritten_record_is_skipped(monkeypatch: pytest.MonkeyPatch) -> None:
    answers: list[Any] = [b"first\n", BrokenPipeError(), b"third\n", BlockingIOError()]

    def read(descriptor: int, size: int) -> bytes:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return bytes(answer)

    monkeypatch.setattr("workbench.machine.nvml.os.read", read)
    lines = read_kernel_log(Path("/dev/null"))
    monkeypatch.undo()
    assert lines == ["first\n", "third\n"]


def test_ending_the_library_never_matters() -> None:
    assert len(read_nvml(FakeNvml(nvmlShutdown=fails(999))).gpus) == 1
