"""Trial steps that fail, on the CPU and on GPUs: symptoms, where no cause is known."""

from workbench.machine.facts import Facts
from workbench.machine.finding import Finding, Findings, Rule, join_names, quote
from workbench.machine.queries import (
    StepFailure,
    backend,
    device_works,
    failures,
    framework_stderr,
    framework_title,
    gpu_behind,
    gpu_failures,
    gpus_untried,
    outcome,
    seen_gpus,
    stopped,
    working_gpus,
)
from workbench.machine.rules.framework import reinstall

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
                what=f"{title} did not start training on the CPU in time: {error}.",
                why="The first start after an installation, or from a network disk, can take long.",
                remedy="workbench check",
                explains=frozenset({"gpu-untested"}),
                short=f"{title} did not reach its first step in time",
            )
        else:
            yield Finding(
                "cpu-compute",
                severity="broken",
                what=f"{title} cannot train a small network on the CPU: {error}.",
                why="Nothing can be trained here until it can.",
                remedy=reinstall(facts),
                explains=frozenset({"gpu-untested"}),
                short=f"{title} does not work on the CPU",
            )
        return
    if jit := [failure for failure in failed if failure.jit]:
        yield Finding(
            "cpu-jit",
            severity="note",
            what=f"Steps with jit fail on the CPU: {quote(jit[0].message)}.",
            why="jit is off on the CPU by default.",
            remedy="leave jit off on the CPU: --set training.jit=off",
        )
    if speed := [failure for failure in failed if not failure.jit]:
        yield Finding(
            "cpu-speed",
            severity="note" if slow else "warning",
            what=f"The CPU could not be measured: {quote(speed[0].message)}.",
            why="Training works, but slowly; how long it takes is not known."
            if slow
            else "A small network trains on it, but larger ones may end in the same way.",
            remedy="workbench check --measure"
            if slow
            else "train with a smaller --set training.batch_size",
            short="larger networks fail on the CPU",
        )


def framework_no_gpu(facts: Facts) -> Findings:
    """Find a framework that lists devices, but no GPU."""
    if facts.framework is None or not facts.framework.devices or facts.framework.gpus:
        return
    seen = join_names([f"GPU {gpu.index}" for gpu in seen_gpus(facts)])
    although = f", although the driver lists {seen}" if seen else ""
    reason, title = _reason(framework_stderr(facts)), framework_title(facts)
    yield Finding(
        "framework-no-gpu",
        what=f"{title} sees no GPU{although}.",
        why=f"It reports: {reason}." if reason else "It reports no reason. Training uses the CPU.",
        remedy=LIST_GPUS.get(backend(facts), "workbench check"),
        short=f"{title} sees no GPU",
    )


def gpu_compute(facts: Facts) -> Findings:
    """Find trial steps that failed on a GPU, with jit or at all."""
    gpus = facts.framework.gpus if facts.framework else ()
    dead = [gpu.id for gpu in gpus if not device_works(facts, gpu.id)]
    failed, title = gpu_failures(facts), framework_title(facts)
    others = [failure for failure in failed if failure.device not in dead]
    if found := [failure for failure in failed if failure.device in dead]:
        working = working_gpus(facts)
        gpu = gpu_behind(facts, working[0].id) if working else None
        number = quote(working[0].id, 20).split(":")[-1] if working else ""
        number = str(gpu.index) if gpu else number
        yield Finding(
            "gpu-compute",
            what=f"{title} cannot train a small network on {_devices(found)}: "
            f"{quote(found[0].message)}.",
            why="A run on it would end in the same way.",
            remedy=f"train on another GPU: --gpu {number}"
            if number
            else "train on the CPU: --gpu none",
            explains=frozenset({"gpu-jit", "gpu-speed"}),
            short=f"the convolution failed on {_devices(found)}",
        )
    if found := [failure for failure in others if failure.jit]:
        yield Finding(
            "gpu-jit",
            what=f"Steps with jit fail on {_devices(found)}: {quote(found[0].message)}.",
            why="Without jit they work, somewhat slower.",
            remedy="train with --set training.jit=off",
            short=f"jit fails on {_devices(found)}",
        )
    if found := [failure for failure in others if not failure.jit]:
        yield Finding(
            "gpu-speed",
            what=f"A small network trains on {_devices(found)}, but larger ones fail: "
            f"{quote(found[0].message)}.",
            why="A run may end in the same way; how long one takes is not known.",
            remedy="train with a smaller --set training.batch_size",
            short=f"larger networks fail on {_devices(found)}",
        )
    if gpus_untried(facts):
        yield Finding(
            "gpu-untested",
            what=f"{title} ended {quote(stopped(facts), 60)} before it reached the GPU.",
            why="Whether the GPU computes is not known.",
            remedy="workbench check",
            short="the GPU could not be tried",
        )


def _devices(failed: list[StepFailure]) -> str:
    """Return the devices of failures, each once."""
    return join_names([quote(name, 20) for name in dict.fromkeys(one.device for one in failed)])


def _reason(stderr: str) -> str:
    """Return the line that explains why there is no GPU, without the time and place before it."""
    for reason in REASONS:
        for line in filter(str.strip, stderr.splitlines()):
            if reason.lower() in line.lower():
                return quote(line.split("] ", 1)[-1])
    return ""


RULES: tuple[Rule, ...] = (cpu_compute, framework_no_gpu, gpu_compute)
