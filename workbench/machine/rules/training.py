"""Trial steps that fail, and why: cuDNN, the compiler, full memory, or no known cause."""

import re

from workbench.machine.facts import Facts, Gpu, GpuProcess
from workbench.machine.finding import (
    CUDNN,
    STEP_SYMPTOMS,
    Finding,
    Findings,
    Rule,
    auto_gpu,
    backend,
    device_names,
    device_works,
    failures,
    framework_output,
    framework_stderr,
    framework_title,
    gpu_behind,
    gpu_failures,
    gpu_in_doubt,
    gpu_label,
    gpus_untried,
    join_names,
    outcome,
    quote,
    seen_gpus,
    stopped,
    symptoms_on,
    version_numbers,
    wheel_version,
    working_gpus,
)
from workbench.machine.rules.framework import WITHOUT_PATH, reinstall
from workbench.messages import tr
from workbench.text import format_gib, safe_text

MIN_CUDNN = (9, 3)
CUDNN_VERSIONS = re.compile(
    r"Loaded runtime CuDNN library:?\s*([\d.]*)(?:.{0,40}source was compiled with:?\s*([\d.]*))?",
    re.IGNORECASE | re.DOTALL,
)
# Parts of the framework's output that explain why it uses no GPU, the most informative first.
REASONS = (
    "cuInit",
    "CUDA_ERROR",
    "Ignoring visible gpu",
    "Cannot dlopen",
    "driver version is insufficient",
    "Could not find cuda",
)
LIST_GPUS = {
    "tensorflow": 'python -c "import tensorflow as tf; '
    "print(tf.config.list_physical_devices('GPU'))\"",
    "jax": 'python -c "import jax; print(jax.devices())"',
    "torch": 'python -c "import torch; torch.zeros(1).cuda()"',
}


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
        what=tr(
            "cuDNN {loaded} is older than TensorFlow needs: it was built with {wanted}.",
            loaded=quote(loaded or "here"),
            wanted=quote(wanted),
        ),
        why=tr("Convolutions do not run on the GPU with it.")
        + (tr(" It comes from a folder in LD_LIBRARY_PATH.") if misled else ""),
        remedy=WITHOUT_PATH if misled else tr("pip install -U '{cudnn}>=9.3,<10'", cudnn=CUDNN),
        explains=STEP_SYMPTOMS,
        short=tr("cuDNN {loaded} is too old", loaded=quote(loaded)).replace("  ", " "),
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
            what=tr(
                "{gpu_label}: {memory_used} of {memory_total} are taken, {holders}.",
                gpu_label=gpu_label(gpu),
                memory_used=format_gib(gpu.memory_used),
                memory_total=format_gib(gpu.memory_total),
                holders=_holders(gpu.processes),
            ),
            why=tr(
                "{gpu_label} has {memory_free} free and is chosen instead.",
                gpu_label=gpu_label(instead),
                memory_free=format_gib(instead.memory_free),
            )
            if instead
            else tr(
                "{memory_free} are left; larger networks will not fit.",
                memory_free=format_gib(gpu.memory_free),
            ),
            remedy=_other_gpu(gpu, max(seen, key=lambda other: other.memory_free)),
            explains=symptoms_on(facts, taken) - {"framework-no-gpu"},
            short=tr("the memory of GPU {index} is taken", index=gpu.index),
        )


def _holders(processes: tuple[GpuProcess, ...]) -> str:
    """Return "by PID 4242 (alice, python) with 60.2 GiB" for the three largest processes."""
    if not processes:
        return tr("by processes that cannot be seen from here")
    largest = sorted(processes, key=lambda process: -(process.memory or 0))
    more = [tr("{largest} more", largest=len(largest) - 3)] if len(largest) > 3 else []
    holders = ", ".join([*(_holder(process) for process in largest[:3]), *more])
    return tr("by {holders}", holders=holders)


def _holder(process: GpuProcess) -> str:
    user = tr("you") if process.own else safe_text(process.user, 40)
    who = ", ".join(word for word in (user, safe_text(process.name, 60)) if word)
    held = (
        " " + tr("with {memory}", memory=format_gib(process.memory))
        if process.memory is not None
        else ""
    )
    return f"PID {process.pid}{f' ({who})' if who else ''}{held}"


def _other_gpu(gpu: Gpu, freest: Gpu) -> str:
    wait = tr("`workbench check --watch` shows when it is free")
    if freest == gpu:
        return tr("wait: {wait}", wait=wait)
    return tr("choose another GPU: --gpu {index}; or wait: {wait}", index=freest.index, wait=wait)


def cpu_compute(facts: Facts) -> Findings:
    """Find trial steps that failed on the CPU."""
    failed = [failure for failure in failures(facts) if failure.device.startswith("cpu")]
    went, title = outcome(facts, "framework"), framework_title(facts)
    slow = went is not None and went.status == "hung"
    if not failed:
        return
    error = quote(failed[0].message)
    if not device_works(facts, failed[0].device):
        if slow:
            yield Finding(
                "cpu-slow",
                what=tr(
                    "{title} did not start training on the CPU in time: {error}.",
                    title=title,
                    error=error,
                ),
                why=tr(
                    "The first start after an installation, or from a network disk, can take long."
                ),
                remedy="workbench check",
                explains=frozenset({"gpu-untested"}),
                short=tr("{title} did not reach its first step in time", title=title),
            )
        else:
            yield Finding(
                "cpu-compute",
                severity="broken",
                what=tr(
                    "{title} cannot train a small network on the CPU: {error}.",
                    title=title,
                    error=error,
                ),
                why=tr("Nothing can be trained here until it can."),
                remedy=reinstall(facts),
                explains=frozenset({"gpu-untested"}),
                short=tr("{title} does not work on the CPU", title=title),
            )
        return
    if speed := [failure for failure in failed if not failure.jit]:
        yield Finding(
            "cpu-speed",
            severity="note" if slow else "warning",
            what=tr("The CPU could not be measured: {message}.", message=quote(speed[0].message)),
            why=tr("Training works, but slowly; how long it takes is not known.")
            if slow
            else tr("A small network trains on it, but larger ones may end in the same way."),
            remedy="workbench check --measure"
            if slow
            else tr("train with a smaller --set training.batch_size"),
            short=tr("larger networks fail on the CPU"),
        )


def framework_no_gpu(facts: Facts) -> Findings:
    """Find a framework that lists devices, but no GPU."""
    if facts.framework is None or not facts.framework.devices or facts.framework.gpus:
        return
    seen = join_names([f"GPU {gpu.index}" for gpu in seen_gpus(facts)])
    although = tr(", although the driver lists {seen}", seen=seen) if seen else ""
    reason, title = _reason(framework_stderr(facts)), framework_title(facts)
    yield Finding(
        "framework-no-gpu",
        what=tr("{title} sees no GPU{although}.", title=title, although=although),
        why=tr("It reports: {reason}.", reason=reason)
        if reason
        else tr("It reports no reason. Training uses the CPU."),
        remedy=LIST_GPUS.get(backend(facts), "workbench check"),
        short=tr("{title} sees no GPU", title=title),
    )


def gpu_compute(facts: Facts) -> Findings:
    """Find trial steps that failed on a GPU, at all or in larger networks."""
    gpus = facts.framework.gpus if facts.framework else ()
    dead = [gpu.id for gpu in gpus if not device_works(facts, gpu.id)]
    failed, title = gpu_failures(facts), framework_title(facts)
    if found := [failure for failure in failed if failure.device in dead]:
        working = working_gpus(facts)
        gpu = gpu_behind(facts, working[0].id) if working else None
        number = quote(working[0].id, 20).split(":")[-1] if working else ""
        number = str(gpu.index) if gpu else number
        yield Finding(
            "gpu-compute",
            what=tr(
                "{title} cannot train a small network on {devices}: {message}.",
                title=title,
                devices=device_names(found),
                message=quote(found[0].message),
            ),
            why=tr("A run on it would end in the same way."),
            remedy=tr("train on another GPU: --gpu {number}", number=number)
            if number
            else tr("train on the CPU: --gpu none"),
            explains=frozenset({"gpu-jit", "gpu-speed"}),
            short=tr("the convolution failed on {devices}", devices=device_names(found)),
        )
    others = [failure for failure in failed if failure.device not in dead]
    if found := [failure for failure in others if not failure.jit]:
        yield Finding(
            "gpu-speed",
            what=tr(
                "A small network trains on {devices}, but larger ones fail: {message}.",
                devices=device_names(found),
                message=quote(found[0].message),
            ),
            why=tr("A run may end in the same way; how long one takes is not known."),
            remedy=tr("train with a smaller --set training.batch_size"),
            short=tr("larger networks fail on {devices}", devices=device_names(found)),
        )
    if gpus_untried(facts):
        yield Finding(
            "gpu-untested",
            what=tr(
                "{title} ended {stopped} before it reached the GPU.",
                title=title,
                stopped=quote(stopped(facts), 60),
            ),
            why=tr("Whether the GPU computes is not known."),
            remedy="workbench check",
            short=tr("the GPU could not be tried"),
        )


def _reason(stderr: str) -> str:
    """Return the line that explains why there is no GPU, without the time and place before it."""
    for reason in REASONS:
        for line in filter(str.strip, stderr.splitlines()):
            if reason.lower() in line.lower():
                return quote(line.split("] ", 1)[-1])
    return ""


RULES: tuple[Rule, ...] = (
    cudnn_old,
    memory_taken,
    cpu_compute,
    framework_no_gpu,
    gpu_compute,
)
