"""What is seen of a GPU that cannot be used, and all rules about GPUs in their order."""

from collections.abc import Callable

from workbench.machine import cuda_faults, driver_faults, framework_faults, install_faults
from workbench.machine import device_faults as card_faults
from workbench.machine import device_kinds as card_kinds
from workbench.machine.facts import Facts
from workbench.machine.finding import Finding, quote, together
from workbench.machine.framework_faults import gpus_untried
from workbench.machine.steps import (
    Failure,
    backend,
    device_works,
    framework_stderr,
    framework_title,
    gpu_behind,
    gpu_failures,
    seen_gpus,
    stopped,
    working_gpus,
)

Rule = Callable[[Facts], list[Finding]]

# Words in what the framework prints that tell why it takes no GPU, the most telling first.
TELLING = (
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


def framework_no_gpu(facts: Facts) -> list[Finding]:
    """The framework sees no GPU."""
    if facts.framework is None or not facts.framework.devices or facts.framework.gpus:
        return []
    seen = together([f"GPU {gpu.index}" for gpu in seen_gpus(facts)])
    although = f", although the driver lists {seen}" if seen else ""
    said = _telling_line(framework_stderr(facts))
    return [
        Finding(
            "framework-no-gpu",
            "warning",
            f"{framework_title(facts)} sees no GPU{although}.",
            f"It says: {said}." if said else "It does not say why. Training takes the CPU.",
            LIST_GPUS.get(backend(facts), "workbench check"),
            short=f"{framework_title(facts)} sees no GPU",
        )
    ]


def gpu_compute(facts: Facts) -> list[Finding]:
    """Trial steps on a GPU that failed, with jit or at all."""
    gpus = facts.framework.gpus if facts.framework else ()
    dead = [gpu.id for gpu in gpus if not device_works(facts, gpu.id)]
    told = gpu_failures(facts)
    findings = []
    if failed := _first_of_each([failure for failure in told if failure.device in dead]):
        findings.append(_gpu_compute(facts, failed))
    others = [failure for failure in told if failure.device not in dead]
    if failed := _first_of_each([failure for failure in others if failure.jit]):
        findings.append(_gpu_jit(failed))
    if failed := _first_of_each([failure for failure in others if not failure.jit]):
        findings.append(_gpu_speed(failed))
    if gpus_untried(facts):
        findings.append(_gpu_untested(facts))
    return findings


def _gpu_compute(facts: Facts, failed: list[Failure]) -> Finding:
    devices = together([quote(failure.device, 20) for failure in failed])
    working = working_gpus(facts)
    gpu = gpu_behind(facts, working[0].id) if working else None
    number = str(gpu.index) if gpu else quote(working[0].id, 20).split(":")[-1] if working else ""
    return Finding(
        "gpu-compute",
        "warning",
        f"{framework_title(facts)} cannot train a small network on {devices}: "
        f"{quote(failed[0].words)}.",
        "A run on it would end in the same way.",
        f"train on another GPU: --gpu {number}" if number else "train on the CPU: --gpu none",
        frozenset({"gpu-jit", "gpu-speed"}),
        short=f"the convolution failed on {devices}",
    )


def _gpu_jit(failed: list[Failure]) -> Finding:
    devices = together([quote(failure.device, 20) for failure in failed])
    return Finding(
        "gpu-jit",
        "warning",
        f"Steps with jit fail on {devices}: {quote(failed[0].words)}.",
        "Without jit they work, somewhat slower.",
        "train with --set training.jit=off",
        short=f"jit fails on {devices}",
    )


def _gpu_speed(failed: list[Failure]) -> Finding:
    devices = together([quote(failure.device, 20) for failure in failed])
    return Finding(
        "gpu-speed",
        "warning",
        f"A small network trains on {devices}, but larger ones fail: {quote(failed[0].words)}.",
        "A run may end in the same way; how long one takes is not known.",
        "train with a smaller --set training.batch_size",
        short=f"larger networks fail on {devices}",
    )


def _gpu_untested(facts: Facts) -> Finding:
    return Finding(
        "gpu-untested",
        "warning",
        f"{framework_title(facts)} ended {quote(stopped(facts), 60)} before it came to the GPU.",
        "Whether the GPU computes is not known.",
        "workbench check",
        short="the GPU could not be tried",
    )


def _first_of_each(told: list[Failure]) -> list[Failure]:
    """The first failure of each device."""
    first: dict[str, Failure] = {}
    for failure in told:
        first.setdefault(failure.device, failure)
    return list(first.values())


def _telling_line(stderr: str) -> str:
    """The line that tells why there is no GPU, without the time and place before it."""
    lines = [line for line in stderr.splitlines() if line.strip()]
    for word in TELLING:
        for line in lines:
            if word.lower() in line.lower():
                return quote(line.split("] ", 1)[-1])
    return ""


# From the most basic cause up to the mere symptoms.
GPU_RULES: tuple[Rule, ...] = (
    driver_faults.native_windows,
    driver_faults.wsl1,
    driver_faults.driver,
    driver_faults.driver_silent,
    card_faults.hardware,
    cuda_faults.devices,
    cuda_faults.driver_too_old,
    install_faults.cpu_only_install,
    install_faults.libraries,
    card_kinds.hidden_gpus,
    card_kinds.mig,
    card_kinds.card_too_old,
    card_kinds.pascal_cudnn,
    card_kinds.blackwell,
    install_faults.cudnn_old,
    install_faults.libdevice,
    card_faults.memory_taken,
    framework_faults.keras_settings,
    framework_faults.backend_missing,
    framework_faults.framework_silent,
    framework_faults.cpu_compute,
    framework_no_gpu,
    gpu_compute,
)
