"""The processor: its name, its instruction sets, the cores that this process may use."""

import os
import platform
import re
from collections.abc import Mapping
from pathlib import Path

from workbench.machine.environment import read_limits, read_text

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
    import psutil  # a third of the start of a command that only names the processor

    used = psutil.cpu_percent(seconds, percpu=True)
    ours = [share for core, share in enumerate(used) if core in os.sched_getaffinity(0)]
    return sum(ours or used) / max(len(ours or used), 1) / 100
