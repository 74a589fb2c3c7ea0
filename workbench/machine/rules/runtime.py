"""Why training fails on a GPU that the framework finds: cuDNN, the compiler, full memory."""

import re

from workbench.machine.facts import Facts, Gpu, GpuProcess
from workbench.machine.finding import (
    STEP_SYMPTOMS,
    Finding,
    Findings,
    Rule,
    gpu_label,
    quote,
    version_numbers,
)
from workbench.machine.queries import (
    CUDNN,
    NVCC,
    auto_gpu,
    backend,
    framework_output,
    gpu_failures,
    gpu_in_doubt,
    missing_wheels,
    seen_gpus,
    symptoms_on,
    wheel_version,
)
from workbench.machine.rules.install import WITHOUT_PATH
from workbench.text import format_gib, safe_text

MIN_CUDNN = (9, 3)
CUDNN_VERSIONS = re.compile(
    r"Loaded runtime CuDNN library:?\s*([\d.]*)(?:.{0,40}source was compiled with:?\s*([\d.]*))?",
    re.IGNORECASE | re.DOTALL,
)
NO_LIBDEVICE = (
    "libdevice not found",
    "can't find libdevice",
    "no ptx compilation provider",
    "ptxas not found",
)


def cudnn_old(facts: Facts) -> Findings:
    """Find a cuDNN, the library of convolutions, older than the one TensorFlow was built with."""
    if not gpu_failures(facts) or backend(facts) != "tensorflow":
        return
    reported = CUDNN_VERSIONS.search(framework_output(facts))
    installed = wheel_version(facts, CUDNN)
    loaded = reported[1].strip(".") if reported else installed
    wanted = (reported[2] or "").strip(".") if reported else ""
    wanted = wanted or ".".join(str(number) for number in MIN_CUDNN)
    if not reported and not () < version_numbers(installed) < MIN_CUDNN:
        return
    # If a good one is installed, another was found first.
    misled = (
        facts.libraries is not None
        and facts.libraries.library_path
        and version_numbers(installed) >= version_numbers(wanted)
    )
    yield Finding(
        "cudnn-old",
        what=f"cuDNN {quote(loaded or 'here')} is older than TensorFlow needs: "
        f"it was built with {quote(wanted)}.",
        why="Convolutions do not run on the GPU with it."
        + (" It comes from a folder in LD_LIBRARY_PATH." if misled else ""),
        remedy=WITHOUT_PATH if misled else f"pip install -U '{CUDNN}>=9.3,<10'",
        explains=STEP_SYMPTOMS,
        short=f"cuDNN {quote(loaded)} is too old".replace("  ", " "),
    )


def libdevice(facts: Facts) -> Findings:
    """Find a missing GPU compiler, which the first step with jit needs."""
    failed = gpu_failures(facts)
    output = framework_output(facts).lower()
    reported = any(text in output for text in NO_LIBDEVICE)
    compiler = missing_wheels(facts) == [NVCC] and all(failure.jit for failure in failed)
    if not failed or not (reported or compiler) or backend(facts) != "tensorflow":
        return
    flags = "set XLA_FLAGS=--xla_gpu_cuda_data_dir=DIR, the folder that holds nvvm/libdevice"
    jit_off = "train with --set training.jit=off"
    install = f"pip install {NVCC}"
    yield Finding(
        "libdevice",
        what="TensorFlow cannot compile for the GPU: libdevice or ptxas is missing.",
        why="Training with jit, the default on a GPU, ends at its first step.",
        remedy=f"{flags}; or {jit_off}; or {install} --force-reinstall --no-deps"
        if wheel_version(facts, NVCC)
        else f"{install}; or {flags}; or {jit_off}",
        explains=STEP_SYMPTOMS,
        short="libdevice or ptxas is missing",
    )


def memory_taken(facts: Facts) -> Findings:
    """Find GPUs of which other programs hold more than half of the memory."""
    seen = [gpu for gpu in seen_gpus(facts) if gpu.memory_total and not gpu.mig]
    taken = [gpu for gpu in seen if 2 * gpu.memory_free < gpu.memory_total]
    chosen = auto_gpu(facts)
    # A note, where a run would choose another GPU by default, and can.
    instead = chosen if chosen not in taken and not gpu_in_doubt(facts) else None
    for gpu in taken:
        yield Finding(
            "memory-taken",
            severity="note" if instead else "warning",
            what=f"{gpu_label(gpu)}: {format_gib(gpu.memory_used)} of "
            f"{format_gib(gpu.memory_total)} are taken, {_holders(gpu.processes)}.",
            why=f"{gpu_label(instead)} has {format_gib(instead.memory_free)} free and is chosen "
            "instead."
            if instead
            else f"{format_gib(gpu.memory_free)} are left; larger networks will not fit.",
            remedy=_other_gpu(gpu, max(seen, key=lambda other: other.memory_free)),
            explains=symptoms_on(facts, taken) - {"framework-no-gpu"},
            short=f"the memory of GPU {gpu.index} is taken",
        )


def _holders(processes: tuple[GpuProcess, ...]) -> str:
    """Return "by PID 4242 (alice, python) with 60.2 GiB" for the three largest processes."""
    if not processes:
        return "by processes that cannot be seen from here"
    largest = sorted(processes, key=lambda process: -(process.memory or 0))
    more = [f"{len(largest) - 3} more"] if len(largest) > 3 else []
    return "by " + ", ".join([*(_holder(process) for process in largest[:3]), *more])


def _holder(process: GpuProcess) -> str:
    user = "you" if process.own else safe_text(process.user, 40)
    who = ", ".join(word for word in (user, safe_text(process.name, 60)) if word)
    held = f" with {format_gib(process.memory)}" if process.memory is not None else ""
    return f"PID {process.pid}{f' ({who})' if who else ''}{held}"


def _other_gpu(gpu: Gpu, freest: Gpu) -> str:
    wait = "`workbench check --watch` shows when it is free"
    if freest == gpu:
        return f"wait: {wait}"
    return f"choose another GPU: --gpu {freest.index}; or wait: {wait}"


RULES: tuple[Rule, ...] = (cudnn_old, libdevice, memory_taken)
