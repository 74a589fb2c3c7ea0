"""What NVIDIA's management library (NVML) reports of the driver and its GPUs."""

import os
import pwd
import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from workbench.machine.facts import Gpu, GpuProcess, MigDevice, Nvml
from workbench.text import safe_text

_TEMPERATURE_OF_CHIP = 0
_UNCORRECTED, _SINCE_DRIVER_LOADED = 1, 0
_NO_PERMISSION = 4  # counted, but not accessible for this process, as in SLURM
_GONE = {15, 16}  # GPU is lost; GPU requires restart
_NOT_AVAILABLE = 2**64 - 1  # what old versions return for "not available"
_FIRST_PID_NAMESPACE = "pid:[4026531836]"  # the kernel's fixed number for it

_KERNEL_LOG = Path("/dev/kmsg")
_RECORD_BYTES = 16 << 10  # the kernel's longest record is shorter
_RECORDS = 200_000  # more than any kernel keeps: a limit, should it write as fast as this reads
_XID = re.compile(r"NVRM: Xid \(PCI:([0-9a-f:.]+)[^)]*\): (\d+)", re.IGNORECASE)


def read_nvml(pynvml: Any, kernel_log: Iterable[str] = (), proc: Path = Path("/proc")) -> Nvml:
    """Return all that NVML reports; what a GPU or driver does not support stays at its default.

    Args:
        pynvml: the module of that name.
        kernel_log: lines of the kernel's log, for the errors that the driver wrote there.
        proc: the kernel's folder of processes.
    """
    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError as error:
        return Nvml(error=_message(error), error_code=_code(error))
    try:
        return _read(pynvml, xids(kernel_log), proc)
    finally:
        with suppress(Exception):
            pynvml.nvmlShutdown()


def read_kernel_log(path: Path = _KERNEL_LOG) -> list[str]:
    """Return the lines that the kernel still keeps; none where they may not be read."""
    lines: list[str] = []
    try:
        log = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return lines
    try:
        for _ in range(_RECORDS):
            try:
                record = os.read(log, _RECORD_BYTES)
            except BrokenPipeError:  # overwritten meanwhile; the next read continues after it
                continue
            if not record:
                break
            lines.append(record.decode("utf-8", "replace"))
    except OSError:  # usually BlockingIOError, the end of the log
        pass
    finally:
        os.close(log)
    return lines


def xids(lines: Iterable[str]) -> dict[tuple[int, ...], tuple[int, ...]]:
    """Return Xid error numbers by PCI address (see `pci_address`), each once, oldest first."""
    found: dict[tuple[int, ...], dict[int, None]] = {}
    for line in lines:
        for address, number in _XID.findall(line):
            found.setdefault(pci_address(address), {})[int(number)] = None
    return {address: tuple(numbers) for address, numbers in found.items()}


def pci_address(text: str) -> tuple[int, ...]:
    """Return domain, bus and device of an address; () for an invalid one.

    Driver and library write it differently: "0000:3b:00", "00000000:3B:00.0".
    """
    try:
        return tuple(int(part, 16) for part in text.partition(".")[0].split(":"))
    except ValueError:
        return ()


class _Reader:
    """Takes one reading after another; GPU or driver may not support some of them.

    Attributes:
        gone: NVML's message where a reading failed because the GPU is no longer there.
    """

    def __init__(self, pynvml: Any) -> None:
        self._pynvml = pynvml
        self.gone = ""

    def get(self, names: str | Sequence[str], *arguments: Any, default: Any = None) -> Any:
        """Return the result of the first function that works; else the default."""
        for name in [names] if isinstance(names, str) else names:
            try:
                return getattr(self._pynvml, name)(*arguments)
            # NVMLError, and what another version of the module raises: missing functions,
            # structures of another size.
            except Exception as error:
                if _code(error) in _GONE:
                    self.gone = _message(error)
        return default

    def text(self, name: str, *arguments: Any) -> str:
        return _text(self.get(name, *arguments, default=""))

    def number(self, names: str | Sequence[str], *arguments: Any, default: int | None = 0) -> Any:
        value = self.get(names, *arguments)
        return value if isinstance(value, int) else default


def _read(pynvml: Any, errors_in_log: dict[tuple[int, ...], tuple[int, ...]], proc: Path) -> Nvml:
    reader = _Reader(pynvml)
    versions = ("nvmlSystemGetCudaDriverVersion_v2", "nvmlSystemGetCudaDriverVersion")
    cuda = reader.number(versions)
    driver = reader.text("nvmlSystemGetDriverVersion")
    newest = (cuda // 1000, cuda % 1000 // 10) if cuda else None
    try:
        count = pynvml.nvmlDeviceGetCount()
    except pynvml.NVMLError as error:
        return Nvml(error=_message(error), error_code=_code(error), driver=driver, cuda=newest)
    found = [_gpu(pynvml, index, errors_in_log, proc) for index in range(count)]
    gpus = _with_lost_addresses([gpu for gpu in found if gpu is not None], errors_in_log)
    return Nvml(driver=driver, cuda=newest, gpus=gpus)


def _gpu(
    pynvml: Any, index: int, errors_in_log: dict[tuple[int, ...], tuple[int, ...]], proc: Path
) -> Gpu | None:
    """Return a GPU; None where it is counted, but not accessible for this user."""
    try:
        handle = pynvml.nvmlDeviceGetHandleByIndex(index)
    except pynvml.NVMLError as error:
        return None if _code(error) == _NO_PERMISSION else Gpu(index=index, error=_message(error))
    reader = _Reader(pynvml)
    pci = _text(getattr(reader.get("nvmlDeviceGetPciInfo", handle), "busId", ""))
    capability = reader.get("nvmlDeviceGetCudaComputeCapability", handle)
    memory = reader.get("nvmlDeviceGetMemoryInfo", handle)
    used = reader.get("nvmlDeviceGetUtilizationRates", handle)
    heat = ("nvmlDeviceGetTemperature", "nvmlDeviceGetTemperatureV")
    errors = ("nvmlDeviceGetTotalEccErrors", handle, _UNCORRECTED, _SINCE_DRIVER_LOADED)
    rows = reader.get("nvmlDeviceGetRemappedRows", handle, default=(0, 0, 0, 0))
    mig = reader.get("nvmlDeviceGetMigMode", handle, default=(0, 0))[0] == 1
    return Gpu(
        index=index,
        uuid=reader.text("nvmlDeviceGetUUID", handle),
        name=reader.text("nvmlDeviceGetName", handle),
        pci=pci,
        compute_capability=tuple(capability) if capability else None,
        memory_total=getattr(memory, "total", 0),
        memory_used=getattr(memory, "used", 0),
        utilization=getattr(used, "gpu", None),
        temperature=reader.number(heat, handle, _TEMPERATURE_OF_CHIP, default=None),
        ecc_errors=reader.number(*errors),
        remapped_rows=rows[1],
        remap_pending=bool(rows[2]),
        remap_failed=bool(rows[3]),
        mig=mig,
        mig_devices=_mig_devices(reader, handle) if mig else (),
        processes=_processes(reader, handle, proc),
        xids=errors_in_log.get(pci_address(pci), ()),
        error=reader.gone,  # after all readings
    )


def _with_lost_addresses(
    gpus: list[Gpu], errors_in_log: dict[tuple[int, ...], tuple[int, ...]]
) -> tuple[Gpu, ...]:
    """Assign errors of an address without a GPU to the one GPU that does not respond."""
    known = {pci_address(gpu.pci) for gpu in gpus if gpu.pci}
    lost = [xids for place, xids in errors_in_log.items() if place not in known]
    silent = [gpu for gpu in gpus if gpu.error and not gpu.pci]
    if len(silent) != 1 or len(lost) != 1:
        return tuple(gpus)
    return tuple(
        gpu.model_copy(update={"xids": lost[0]}) if gpu is silent[0] else gpu for gpu in gpus
    )


def _mig_devices(reader: _Reader, handle: Any) -> tuple[MigDevice, ...]:
    devices = []
    for place in range(reader.number("nvmlDeviceGetMaxMigDeviceCount", handle)):
        slice_ = reader.get("nvmlDeviceGetMigDeviceHandleByIndex", handle, place)
        if slice_ is None:  # not every place is used
            continue
        memory = reader.get("nvmlDeviceGetMemoryInfo", slice_)
        devices.append(
            MigDevice(
                uuid=reader.text("nvmlDeviceGetUUID", slice_),
                name=reader.text("nvmlDeviceGetName", slice_),
                memory_total=getattr(memory, "total", 0),
                memory_used=getattr(memory, "used", 0),
            )
        )
    return tuple(devices)


def _processes(reader: _Reader, handle: Any, proc: Path) -> tuple[GpuProcess, ...]:
    """Return processes that compute or draw; one that does both is in both lists of NVML."""
    memory: dict[int, int | None] = {}
    for kind in ("Compute", "Graphics"):
        # Drivers older than the module support only an older version of the function.
        names = [f"nvmlDeviceGet{kind}RunningProcesses{version}" for version in ("", "_v2")]
        for process in reader.get(names, handle, default=()):
            sizes = (memory.get(process.pid), process.usedGpuMemory)
            known = [size for size in sizes if size not in (None, _NOT_AVAILABLE)]
            memory[process.pid] = max(known, default=None)
    seen = _is_host_namespace(proc)
    return tuple(
        _process(proc, pid, size) if seen else GpuProcess(pid=pid, memory=size)
        for pid, size in sorted(memory.items())
    )


def _is_host_namespace(proc: Path) -> bool:
    """Return whether this is the host's PID namespace, whose numbers NVML reports."""
    try:
        return str((proc / "self/ns/pid").readlink()) == _FIRST_PID_NAMESPACE
    except OSError:
        return False


def _process(proc: Path, pid: int, memory: int | None) -> GpuProcess:
    try:
        name = (proc / str(pid) / "comm").read_text("utf-8", "replace").strip()
        status = (proc / str(pid) / "status").read_text("utf-8", "replace")
        uid = int(status.partition("\nUid:")[2].split()[0])
    except (OSError, ValueError, IndexError):  # hidden, or it ended meanwhile
        return GpuProcess(pid=pid, memory=memory)
    try:
        user = pwd.getpwuid(uid).pw_name
    except KeyError:
        user = str(uid)
    own = uid == os.getuid()
    return GpuProcess(pid=pid, memory=memory, user=user, name=safe_text(name), own=own)


def _text(value: object) -> str:
    """Return text; old versions of the module give bytes."""
    return safe_text(value.decode("utf-8", "replace") if isinstance(value, bytes) else value)


def _message(error: BaseException) -> str:
    return safe_text(error) or type(error).__name__


def _code(error: BaseException) -> int | None:
    code = getattr(error, "value", None)
    return code if isinstance(code, int) else None
