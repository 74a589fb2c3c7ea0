"""Hardware faults of a GPU that the driver reaches."""

from dataclasses import replace

from workbench.machine.facts import Facts, Gpu
from workbench.machine.finding import Finding, Findings, Rule, gpu_label, quote
from workbench.machine.queries import nvml_gpus, seen_gpus, symptoms_on
from workbench.text import plural


def hardware(facts: Facts) -> Findings:
    """Find GPUs with faults; one that programs do not see here is only a note."""
    gpus = nvml_gpus(facts)
    seen = seen_gpus(facts)
    faulty = [gpu for gpu in gpus if _faults(gpu)]
    for gpu in gpus:
        healthy = [other for other in seen if other not in faulty and other != gpu]
        if gpu in faulty:
            finding = _hardware_fault(gpu, healthy, symptoms_on(facts, faulty))
        elif gpu.error:
            finding = _gpu_error(gpu, symptoms_on(facts, [gpu]))
        elif gpu.remap_pending:
            finding = _remap_pending(gpu, symptoms_on(facts, [gpu]))
        else:
            continue
        hidden = replace(finding, severity="note", explains=frozenset())
        yield finding if gpu in seen else hidden


def _faults(gpu: Gpu) -> list[str]:
    """Describe each fault that makes a GPU unusable."""
    lost = any(word in gpu.error.lower() for word in ("lost", "restart", "reset"))
    xids = sorted(set(gpu.fatal_xids))
    faults = [quote(gpu.error)] if lost else []
    if gpu.ecc_errors > 0:
        faults.append(f"{plural(gpu.ecc_errors, 'memory error')} that ECC could not correct")
    if gpu.remap_failed:
        faults.append("a memory row that could not be replaced")
    if xids:
        faults.append(f"Xid {', '.join(str(xid) for xid in xids)} in the kernel's log")
    return faults


def _hardware_fault(gpu: Gpu, healthy: list[Gpu], explains: frozenset[str]) -> Finding:
    instead = f"--gpu {healthy[0].index}" if healthy else "--gpu none"
    return Finding(
        "hardware-fault",
        what=f"{gpu_label(gpu)} has a hardware fault: {'; '.join(_faults(gpu))}.",
        why="Training on it can end at any moment, or give wrong numbers."
        + (" A reset of the GPU may help for a while." if gpu.remap_pending else ""),
        remedy=f"stop using GPU {gpu.index} and inform the admin; train with {instead}",
        # CUDA may not start at all beside a GPU that is lost.
        explains=explains | ({"no-uvm", "cuda-init"} if gpu.error else frozenset()),
        short=f"hardware fault of GPU {gpu.index}",
    )


def _gpu_error(gpu: Gpu, explains: frozenset[str]) -> Finding:
    return Finding(
        "gpu-error",
        what=f"{gpu_label(gpu)} does not respond to the driver: {quote(gpu.error)}.",
        why="Its memory and its faults are not known.",
        remedy=f"nvidia-smi -i {gpu.index}",
        explains=explains | {"no-uvm", "cuda-init"},  # CUDA may not start beside it
        short=f"GPU {gpu.index} does not respond",
    )


def _remap_pending(gpu: Gpu, explains: frozenset[str]) -> Finding:
    return Finding(
        "remap-pending",
        what=f"{gpu_label(gpu)} needs a reset to replace a damaged memory row.",
        why="Until then training on it may end with a memory error.",
        remedy=f"when nobody uses it: sudo nvidia-smi --gpu-reset -i {gpu.index}",
        explains=explains,
        short=f"GPU {gpu.index} needs a reset",
    )


RULES: tuple[Rule, ...] = (hardware,)
