"""The host: processor, memory, graphics devices, and the environment of this process."""

import os
import platform
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from workbench.machine.container import read_container, read_limits
from workbench.machine.host_facts import Slurm, System
from workbench.machine.logind import read_session
from workbench.machine.system_files import read_text

_NVIDIA = "0x10de"  # PCI's number of the vendor
_GRAPHICS = "0x03"  # prefix of PCI's class of display controllers
# Instruction sets, as oneDNN names them, with the kernel's flag of each; lowest first.
_INSTRUCTION_SETS = {
    "SSE41": "sse4_1",
    "AVX": "avx",
    "AVX2": "avx2",
    "AVX2_VNNI": "avx_vnni",
    "AVX512_CORE": "avx512bw",
    "AVX512_CORE_VNNI": "avx512_vnni",
    "AVX512_CORE_BF16": "avx512_bf16",
    "AVX512_CORE_FP16": "avx512_fp16",
    "AVX512_CORE_AMX": "amx_tile",
}
_HIGHEST_SET, _ONEDNN = "ONEDNN_MAX_CPU_ISA", "TF_ENABLE_ONEDNN_OPTS"


def read_system(environment: Mapping[str, str], root: Path = Path("/")) -> System:
    """Return what the kernel reports; what cannot be read stays at its default.

    Args:
        environment: for containers, SLURM and PATH.
        root: the folder that holds proc, sys, dev and the rest.
    """
    memory, limits = psutil.virtual_memory(), read_limits(root)
    return System(
        platform=sys.platform,
        cpu=cpu_name(root),
        cores=os.cpu_count() or 1,
        cores_allowed=allowed_cores(root),
        memory_total=min(memory.total, limits.memory or memory.total),
        memory_available=available_memory(root),
        nvidia_cards=_nvidia_cards(root),
        uvm_device=(root / "dev/nvidia-uvm").exists(),
        virtual=_virtual(read_text(root / "proc/version")),
        container=read_container(environment, root),
        slurm=_slurm(environment),
        session=read_session(environment, root),
    )


def available_memory(root: Path = Path("/")) -> int:
    """Return the bytes that this process may still use: of the machine, or of its container."""
    return _lower(psutil.virtual_memory().available, read_limits(root).memory_left)


def cpu_name(root: Path = Path("/")) -> str:
    """Return the processor's name as its vendor writes it."""
    match = re.search(r"^model name\s*:(.*)$", read_text(root / "proc/cpuinfo"), re.MULTILINE)
    return " ".join(match[1].split()) if match else platform.processor()


def instruction_set(environment: Mapping[str, str], root: Path = Path("/")) -> str:
    """Return the highest instruction set that numerical libraries may use, as oneDNN names it.

    Args:
        environment: for the variables that lower it, or switch oneDNN off or on in TensorFlow;
            values that are set are part of the result.
        root: as for `read_system`.
    """
    match = re.search(r"^flags\s*:(.*)$", read_text(root / "proc/cpuinfo"), re.MULTILINE)
    flags = match[1].split() if match else []
    known = list(_INSTRUCTION_SETS)
    there = [name for name in known if _INSTRUCTION_SETS[name] in flags]
    own = there[-1] if there else platform.machine()
    limit = environment.get(_HIGHEST_SET, "").upper()
    within = known[: known.index(limit) + 1] if limit in known else known
    allowed = [name for name in there if name in within]
    lowered = f"{allowed[-1]} ({_HIGHEST_SET}) of {own}" if allowed and allowed != there else own
    switched = environment.get(_ONEDNN)
    return lowered if switched is None else f"{lowered}, {_ONEDNN}={switched}"


def allowed_cores(root: Path = Path("/")) -> float:
    """Return the cores that affinity and control groups allow; may be a fraction."""
    allowed = float(len(os.sched_getaffinity(0)))
    return min(allowed, read_limits(root).cores or allowed)


def busy_share(seconds: float) -> float:
    """Return how busy other programs kept this process's cores while it slept, from 0 to 1."""
    used = psutil.cpu_percent(seconds, percpu=True)
    ours = [share for core, share in enumerate(used) if core in os.sched_getaffinity(0)]
    return sum(ours or used) / max(len(ours or used), 1) / 100


def _nvidia_cards(root: Path) -> int:
    devices = (root / "sys/bus/pci/devices").glob("*")
    return sum(
        read_text(device / "vendor").strip() == _NVIDIA
        and read_text(device / "class").startswith(_GRAPHICS)
        for device in devices
    )


def _virtual(version: str) -> str:
    """Return which Linux inside Windows this is, by the kernel's version, or ""."""
    if "microsoft" not in version.lower():
        return ""
    return "wsl2" if "WSL2" in version or "microsoft-standard" in version else "wsl1"


def _slurm(environment: Mapping[str, str]) -> Slurm | None:
    if job := environment.get("SLURM_JOB_ID"):
        names = ("SLURM_JOB_GPUS", "SLURM_STEP_GPUS", "SLURM_GPUS_ON_NODE")
        gpus = next(filter(None, map(environment.get, names)), "")
        return Slurm(job=job, gpus=gpus, ends=_seconds(environment.get("SLURM_JOB_END_TIME")))
    if shutil.which("srun", path=environment.get("PATH", "")):
        return Slurm()
    return None


def _seconds(text: str | None) -> float | None:
    try:
        return float(int(text or ""))
    except (ValueError, OverflowError):
        return None


def _lower(number: int, limit: int | None) -> int:
    return number if limit is None else min(number, limit)
