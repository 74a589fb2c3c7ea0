"""What is wrong with a card that the driver reaches: hardware faults, and full memory."""

from dataclasses import replace

from workbench.machine.facts import Facts, Gpu, GpuProcess
from workbench.machine.finding import Finding, gpu_label, quote
from workbench.machine.steps import auto_gpu, gpu_in_doubt, nvml_gpus, seen_gpus, symptoms_on
from workbench.text import human_gib, plural, safe_text


def hardware(facts: Facts) -> list[Finding]:
    """Cards with faults; one that programs do not see here is only a note."""
    gpus = nvml_gpus(facts)
    seen = seen_gpus(facts)
    faulty = [gpu for gpu in gpus if _faults(gpu)]
    findings = []
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
        findings.append(finding if gpu in seen else hidden)
    return findings


def memory_taken(facts: Facts) -> list[Finding]:
    """GPUs of which others hold more than half of the memory."""
    seen = [gpu for gpu in seen_gpus(facts) if gpu.memory_total and not gpu.mig]
    taken = [gpu for gpu in seen if 2 * gpu.memory_free < gpu.memory_total]
    chosen = auto_gpu(facts)
    # A note, where a run would take another GPU by itself, and can.
    instead = chosen if chosen not in taken and not gpu_in_doubt(facts) else None
    explains = symptoms_on(facts, taken) - {"framework-no-gpu"}
    return [
        Finding(
            "memory-taken",
            "note" if instead else "warning",
            f"{gpu_label(gpu)}: {human_gib(gpu.memory_used)} of {human_gib(gpu.memory_total)} are "
            f"taken, {_holders(gpu.processes)}.",
            f"{gpu_label(instead)} has {human_gib(instead.memory_free)} free and is chosen instead."
            if instead
            else f"{human_gib(gpu.memory_free)} are left; larger networks will not fit.",
            _elsewhere(gpu, max(seen, key=lambda other: other.memory_free)),
            explains,
            short=f"the memory of GPU {gpu.index} is taken",
        )
        for gpu in taken
    ]


def _faults(gpu: Gpu) -> list[str]:
    """What makes a card one to stop using, in words."""
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
        "warning",
        f"{gpu_label(gpu)} has a hardware fault: {'; '.join(_faults(gpu))}.",
        "Training on it can end at any moment, or give wrong numbers."
        + (" A reset of the card may help for a while." if gpu.remap_pending else ""),
        f"stop using GPU {gpu.index} and tell the admin; train with {instead}",
        # CUDA may not start at all beside a card that is lost.
        explains | ({"no-uvm", "cuda-init"} if gpu.error else frozenset()),
        short=f"hardware fault of GPU {gpu.index}",
    )


def _gpu_error(gpu: Gpu, explains: frozenset[str]) -> Finding:
    return Finding(
        "gpu-error",
        "warning",
        f"{gpu_label(gpu)} does not answer the driver: {quote(gpu.error)}.",
        "Its memory and its faults are not known.",
        f"nvidia-smi -i {gpu.index}",
        explains | {"no-uvm", "cuda-init"},  # CUDA may not start beside it
        short=f"GPU {gpu.index} does not answer",
    )


def _remap_pending(gpu: Gpu, explains: frozenset[str]) -> Finding:
    return Finding(
        "remap-pending",
        "warning",
        f"{gpu_label(gpu)} waits for a reset to replace a damaged memory row.",
        "Until then training on it may end with a memory error.",
        f"when nobody uses it: sudo nvidia-smi --gpu-reset -i {gpu.index}",
        explains,
        short=f"GPU {gpu.index} needs a reset",
    )


def _holders(processes: tuple[GpuProcess, ...]) -> str:
    """by PID 4242 (alice, python) with 60.2 GiB; the three largest are told."""
    if not processes:
        return "by processes that cannot be seen from here"
    largest = sorted(processes, key=lambda process: -(process.memory or 0))
    more = [f"{len(largest) - 3} more"] if len(largest) > 3 else []
    return "by " + ", ".join([*(_holder(process) for process in largest[:3]), *more])


def _holder(process: GpuProcess) -> str:
    user = "you" if process.own else safe_text(process.user, 40)
    who = ", ".join(word for word in (user, safe_text(process.name, 60)) if word)
    held = f" with {human_gib(process.memory)}" if process.memory is not None else ""
    return f"PID {process.pid}{f' ({who})' if who else ''}{held}"


def _elsewhere(gpu: Gpu, freest: Gpu) -> str:
    wait = "`workbench check --watch` shows when it is free"
    if freest == gpu:
        return f"wait: {wait}"
    return f"choose another GPU: --gpu {freest.index}; or wait: {wait}"
