"""The box itself: processor, memory, graphics cards, and what surrounds this process."""

import os
import platform
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

import psutil

from workbench.machine.container import read_container, read_limits
from workbench.machine.facts import Slurm, System
from workbench.machine.session import read_session
from workbench.machine.small_files import text_of

_NVIDIA = "0x10de"  # PCI's number of the maker
_GRAPHICS = "0x03"  # how PCI's class of display controllers begins
# Instruction sets, as oneDNN names them, with the kernel's flag that tells of each; lowest first.
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
    """Reads what the kernel tells; what cannot be read stays at its default.

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
        virtual=_virtual(text_of(root / "proc/version")),
        container=read_container(environment, root),
        slurm=_slurm(environment),
        session=read_session(environment, root),
    )


def available_memory(root: Path = Path("/")) -> int:
    """Bytes that this process may still take: of the machine, or of its container."""
    return _lower(psutil.virtual_memory().available, read_limits(root).memory_left)


def cpu_name(root: Path = Path("/")) -> str:
    """The processor's name as its maker writes it."""
    match = re.search(r"^model name\s*:(.*)$", text_of(root / "proc/cpuinfo"), re.MULTILINE)
    return " ".join(match[1].split()) if match else platform.processor()


def instruction_set(environment: Mapping[str, str], root: Path = Path("/")) -> str:
    """Return the highest instruction set that numerical libraries may use, as oneDNN names it.

    Args:
        environment: for the variables that lower it, or switch oneDNN off or on in TensorFlow;
            what is set is part of the answer.
    """
    match = re.search(r"^flags\s*:(.*)$", text_of(root / "proc/cpuinfo"), re.MULTILINE)
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
    """The cores that affinity and control groups leave to this process; may be a fraction."""
    allowed = float(len(os.sched_getaffinity(0)))
    return min(allowed, read_limits(root).cores or allowed)


def _nvidia_cards(root: Path) -> int:
    devices = (root / "sys/bus/pci/devices").glob("*")
    return sum(
        text_of(device / "vendor").strip() == _NVIDIA
        and text_of(device / "class").startswith(_GRAPHICS)
        for device in devices
    )


def _virtual(version: str) -> str:
    """Windows's Linux, by the kernel's words about itself."""
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
