"""A finding of the machine check, and what its rules ask of the facts.

Findings are plain sentences: what was found, what it means, and one thing to do. Rules ask which
devices work, which steps failed and why.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

from workbench.machine.facts import (
    Facts,
    Framework,
    FrameworkDevice,
    Gpu,
    ProbeOutcome,
    TrialStep,
)
from workbench.machine.gpus import AUTO, VARIABLE, choose_gpu, visible_gpus
from workbench.machine.host_facts import System
from workbench.machine.trial import FLOAT32
from workbench.messages import tr
from workbench.text import safe_text

Severity = Literal["broken", "warning", "note"]

# What shows when a GPU cannot be used, whatever the cause.
STEP_SYMPTOMS = frozenset({"gpu-compute", "gpu-jit", "gpu-speed"})
GPU_SYMPTOMS = STEP_SYMPTOMS | {"gpu-untested", "framework-no-gpu"}
TITLES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}
CUDNN, NVCC = "nvidia-cudnn-cu12", "nvidia-cuda-nvcc-cu12"  # wheels
SLURM_GPU = "srun --gres=gpu:1 --pty bash"


@dataclass(frozen=True)
class Finding:
    """One thing that a user should know about this machine. All its text is safe to print.

    Attributes:
        id: kebab-case, the same for the same cause.
        what: one plain sentence: what was found, with its values.
        why: one or two plain sentences: what it means.
        remedy: one line to type or to do; "" where there is none.
        severity: broken: training cannot run here; warning: the GPU cannot be used, or training
            will suffer; note: worth knowing, without effect on training.
        explains: ids of findings that are consequences of this one.
        consequences: those of them that were found.
        short: `what` in a few words, for the verdict.
    """

    id: str
    what: str
    why: str
    remedy: str = ""
    severity: Severity = "warning"
    explains: frozenset[str] = frozenset()
    consequences: tuple["Finding", ...] = ()
    short: str = ""


Findings = Iterator[Finding]
Rule = Callable[[Facts], Findings]


def quote(message: str, limit: int = 140) -> str:
    """Return another program's message, safe to print and short, for the end of a sentence."""
    return safe_text(message.strip(), limit).rstrip(" .")


def shell_safe(name: str) -> str:
    """Return a name for a line that users copy into a shell, without characters that act there."""
    return "".join(c for c in name[:100] if c.isascii() and (c.isalnum() or c in "-_.+/:"))


def last_line(text: str) -> str:
    """Return the last line that is not empty: where programs report why they ended."""
    return next((line.strip() for line in reversed(text.splitlines()) if line.strip()), "")


def gpu_label(gpu: Gpu) -> str:
    """Return a label such as "GPU 1 (NVIDIA H200)"."""
    return (
        tr("GPU {index} ({gpu})", index=gpu.index, gpu=safe_text(gpu.name, 60))
        if gpu.name
        else f"GPU {gpu.index}"
    )


def gpu_labels(gpus: Iterable[Gpu]) -> str:
    """Return "GPU 0 (NVIDIA H200) and GPU 1 (NVIDIA H200)"."""
    return join_names([gpu_label(gpu) for gpu in gpus])


def join_names(names: list[str]) -> str:
    """Return "a, b and c"; of more than five, the first four and how many more."""
    if len(names) > 5:
        names = [*names[:4], tr("{names} more", names=len(names) - 4)]
    return tr(" and ").join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def version_numbers(version: str) -> tuple[int, ...]:
    """Return (525, 60, 13) for "525.60.13"; what follows the numbers is ignored, () for none."""
    match = re.match(r"\d{1,9}(\.\d{1,9})*", version.strip())
    return tuple(int(number) for number in match[0].split(".")) if match else ()


@dataclass(frozen=True)
class StepFailure:
    """A trial step that failed, or in which the framework's process ended.

    A failure without jit on a device where another step worked comes from the benchmark, which
    runs larger networks.

    Attributes:
        device: "gpu:0".
        message: the framework's, or how the process ended; not yet safe to print.
    """

    device: str
    jit: bool
    message: str


def device_names(failed: Iterable[StepFailure]) -> str:
    """Return the devices of failures, each once."""
    return join_names([quote(name, 20) for name in dict.fromkeys(one.device for one in failed)])


# --- probes ---------------------------------------------------------------------------------


def outcome(facts: Facts, probe: str) -> ProbeOutcome | None:
    """Return how a probe ended; None where it is still running or was not started."""
    return facts.outcomes.get(probe)


def describe_outcome(went: ProbeOutcome) -> str:
    """Return how a probe ended, as the end of a sentence that is safe to print."""
    detail = quote(went.detail, 80)
    match went.status:
        case "ok":
            return tr("succeeded")
        case "hung":
            return tr("hung and was killed {detail}", detail=detail).rstrip()
        case "crashed":
            return tr("crashed {detail}", detail=detail).rstrip()
        case "flooded":
            return tr("printed without end")
        case "garbled":
            return tr("gave no readable report")
    message = quote(last_line(went.stderr))
    return (
        tr("failed: {message}", message=message)
        if message
        else tr("failed {detail}", detail=detail).rstrip()
    )


def system_of(facts: Facts) -> System:
    """Return what is known of the host; the defaults where its probe failed."""
    return facts.system or System()


# --- the framework --------------------------------------------------------------------------


def backend(facts: Facts) -> str:
    """Return tensorflow, jax, torch, or any other value of KERAS_BACKEND."""
    return (facts.framework.backend if facts.framework else "") or facts.backends.chosen


def framework_title(facts: Facts) -> str:
    """Return TensorFlow, JAX, PyTorch, or another name made safe to print."""
    return quote(TITLES.get(backend(facts), backend(facts)), 40)


def framework_stderr(facts: Facts) -> str:
    """Return the end of what the framework's process printed."""
    went = outcome(facts, "framework")
    return went.stderr if went else ""


def framework_output(facts: Facts) -> str:
    """Return errors of its steps, then what it printed."""
    return "\n".join([*(failure.message for failure in failures(facts)), framework_stderr(facts)])


def stopped(facts: Facts) -> str:
    """Return how the framework's process ended too early, "" where it did not."""
    if facts.framework is None:
        return ""
    went = outcome(facts, "framework")
    return facts.framework.stopped or (went.detail or went.status if went and not went.ok else "")


def full_precision(framework: Framework) -> tuple[TrialStep, ...]:
    """Return the steps in float32; those in half precision have a rule of their own."""
    return tuple(step for step in framework.steps if step.precision == FLOAT32)


def failures(facts: Facts) -> tuple[StepFailure, ...]:
    """Return all steps that failed; last the one in which the process ended, if not reported."""
    if facts.framework is None:
        return ()
    steps = full_precision(facts.framework)
    failed = [StepFailure(step.device, step.jit, step.error) for step in steps if step.error]
    last = _unfinished_step(facts)
    return (*failed, last) if last else tuple(failed)


def device_works(facts: Facts, device: str) -> bool:
    """Return whether a step worked: one without jit, except in JAX, which always trains with jit.

    A device that was not tried counts as working, unless the process ended early.
    """
    if facts.framework is None:
        return False
    tried = [(s.jit, not s.error) for s in full_precision(facts.framework) if s.device == device]
    tried += [(f.jit, False) for f in failures(facts)[-1:] if f.device == device]
    if not tried:
        return not stopped(facts)
    in_training = [worked for jit, worked in tried if jit == (backend(facts) == "jax")]
    return any(in_training or [worked for _, worked in tried])


def _unfinished_step(facts: Facts) -> StepFailure | None:
    """Return the step in which the process ended; None if it ended elsewhere, or is reported."""
    end = stopped(facts)
    current = facts.framework.current if facts.framework else ""
    device = re.search(r"\b(cpu|gpu):\d+\b", current)
    if not (end and device and facts.framework):
        return None
    last = StepFailure(device[0], "jit" in current, tr("the process ended {end}", end=end))
    reported = [(s.device, s.jit) for s in facts.framework.steps if s.error]
    return None if (last.device, last.jit) in reported else last


# --- GPUs -----------------------------------------------------------------------------------


def working_gpus(facts: Facts) -> tuple[FrameworkDevice, ...]:
    """Return the GPUs on which the framework trained a step."""
    gpus = facts.framework.gpus if facts.framework else ()
    return tuple(gpu for gpu in gpus if device_works(facts, gpu.id))


def gpu_failures(facts: Facts) -> tuple[StepFailure, ...]:
    """Return the failed steps on GPUs."""
    return tuple(failure for failure in failures(facts) if failure.device.startswith("gpu"))


def gpu_in_doubt(facts: Facts) -> bool:
    """Return whether the framework was tried and no GPU works: only then causes matter."""
    went = outcome(facts, "framework")
    tried = facts.framework is not None or (went is not None and not went.ok)
    return tried and not working_gpus(facts)


def gpus_untried(facts: Facts) -> bool:
    """Return whether the process ended before its first step on a GPU, after one on the CPU."""
    framework = facts.framework
    if framework is None or not framework.gpus or not framework.steps:
        return False
    return not working_gpus(facts) and not gpu_failures(facts)


def nvml_gpus(facts: Facts) -> tuple[Gpu, ...]:
    """Return all GPUs that the driver lists."""
    return facts.nvml.gpus if facts.nvml else ()


def seen_gpus(facts: Facts) -> tuple[Gpu, ...]:
    """Return the GPUs of the driver that CUDA_VISIBLE_DEVICES leaves."""
    return visible_gpus(facts.visible_devices, nvml_gpus(facts))


def auto_gpu(facts: Facts) -> Gpu | None:
    """Return the GPU that a run chooses by default."""
    variables = {} if facts.visible_devices is None else {VARIABLE: facts.visible_devices}
    return choose_gpu(AUTO, facts.nvml, variables).gpu


def gpu_behind(facts: Facts, device: str) -> Gpu | None:
    """Return the driver's GPU behind a device of the framework; None where that is not known.

    Both list GPUs in the same order, so they match where none is left out.
    """
    seen = seen_gpus(facts)
    ids = [gpu.id for gpu in facts.framework.gpus] if facts.framework else []
    return seen[ids.index(device)] if device in ids and len(ids) == len(seen) else None


def symptoms_on(facts: Facts, gpus: Iterable[Gpu]) -> frozenset[str]:
    """Return ids of the symptoms that a fault of these GPUs explains.

    It explains failed steps if none failed on another GPU, and that the framework sees no GPU at
    all if there is no other.
    """
    numbers = {gpu.index for gpu in gpus}
    behind = [gpu_behind(facts, failure.device) for failure in gpu_failures(facts)]
    explained: frozenset[str] = frozenset()
    if behind and all(gpu is None or gpu.index in numbers for gpu in behind):
        explained |= STEP_SYMPTOMS
    seen = seen_gpus(facts)
    if seen and all(gpu.index in numbers for gpu in seen):
        explained |= {"framework-no-gpu"}
    return explained


# --- packages -------------------------------------------------------------------------------


def wheel_version(facts: Facts, name: str) -> str:
    """Return the installed version of a CUDA wheel, "" where it is missing or not required."""
    wheels = facts.libraries.wheels if facts.libraries else ()
    return next((wheel.version or "" for wheel in wheels if wheel.name == name), "")


def missing_wheels(facts: Facts) -> list[str]:
    """Return names of the wheels that the framework requires and that are not installed."""
    wheels = facts.libraries.wheels if facts.libraries else ()
    return [wheel.name for wheel in wheels if wheel.version is None]
