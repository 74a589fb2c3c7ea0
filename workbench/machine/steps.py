"""What the framework's trial steps say: which devices work, which fail, and in which words."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from workbench.machine.facts import Facts, FrameworkDevice, Gpu, Outcome
from workbench.machine.finding import STEP_SYMPTOMS, last_line, quote
from workbench.machine.gpus import AUTO, VARIABLE, choose_gpu
from workbench.machine.visibility import visible_gpus

TITLES = {"tensorflow": "TensorFlow", "jax": "JAX", "torch": "PyTorch"}


@dataclass(frozen=True)
class Failure:
    """A trial step that failed, or in which the framework's process ended.

    One without jit on a device where another worked is that of measuring, with larger networks.

    Attributes:
        device: "gpu:0".
        words: the framework's, or how the process ended; not yet safe to print.
    """

    device: str
    jit: bool
    words: str


def backend(facts: Facts) -> str:
    """tensorflow, jax, torch, or whatever KERAS_BACKEND says."""
    return (facts.framework.backend if facts.framework else "") or facts.backends.chosen


def outcome(facts: Facts, probe: str) -> Outcome | None:
    """How a probe went; None where it has not ended or was not asked."""
    return facts.outcomes.get(probe)


def how_it_went(told: Outcome) -> str:
    """What happened to a probe, as the end of a sentence that is safe to print."""
    detail = quote(told.detail, 80)
    match told.status:
        case "ok":
            return "gave an answer"
        case "hung":
            return f"hung and was ended {detail}".rstrip()
        case "crashed":
            return f"crashed {detail}".rstrip()
        case "flooded":
            return "printed without end"
        case "garbled":
            return "gave no readable answer"
    said = quote(last_line(told.stderr))
    return f"failed: {said}" if said else f"failed {detail}".rstrip()


def stopped(facts: Facts) -> str:
    """How the framework's process ended too early, "" where it did not."""
    if facts.framework is None:
        return ""
    told = outcome(facts, "framework")
    return facts.framework.stopped or (told.detail or told.status if told and not told.ok else "")


def failures(facts: Facts) -> tuple[Failure, ...]:
    """All steps that failed; the one in which the process ended comes last if nobody told of it."""
    if facts.framework is None:
        return ()
    steps = facts.framework.steps
    told = [Failure(step.device, step.jit, step.error) for step in steps if step.error]
    last = _unfinished_step(facts)
    return (*told, last) if last else tuple(told)


def device_works(facts: Facts, device: str) -> bool:
    """True where a step worked: one without jit, but for JAX, which knows only jit in training.

    A device that was not tried gets the benefit of the doubt, unless the process ended early.
    """
    if facts.framework is None:
        return False
    tried = [(s.jit, not s.error) for s in facts.framework.steps if s.device == device]
    tried += [(f.jit, False) for f in failures(facts)[-1:] if f.device == device]
    if not tried:
        return not stopped(facts)
    in_training = [worked for jit, worked in tried if jit == (backend(facts) == "jax")]
    return any(in_training or [worked for _, worked in tried])


def working_gpus(facts: Facts) -> tuple[FrameworkDevice, ...]:
    """The GPUs on which the framework trained a step."""
    gpus = facts.framework.gpus if facts.framework else ()
    return tuple(gpu for gpu in gpus if device_works(facts, gpu.id))


def gpu_failures(facts: Facts) -> tuple[Failure, ...]:
    """The failed steps on GPUs."""
    return tuple(failure for failure in failures(facts) if failure.device.startswith("gpu"))


def gpu_in_doubt(facts: Facts) -> bool:
    """True where the framework was asked and no GPU works: only then causes are looked for."""
    told = outcome(facts, "framework")
    asked = facts.framework is not None or (told is not None and not told.ok)
    return asked and not working_gpus(facts)


def nvml_gpus(facts: Facts) -> tuple[Gpu, ...]:
    """All GPUs that the driver lists."""
    return facts.nvml.gpus if facts.nvml else ()


def seen_gpus(facts: Facts) -> tuple[Gpu, ...]:
    """Those of them that CUDA_VISIBLE_DEVICES leaves."""
    return visible_gpus(facts.visible_devices, nvml_gpus(facts))


def auto_gpu(facts: Facts) -> Gpu | None:
    """The GPU that a run takes by itself."""
    variables = {} if facts.visible_devices is None else {VARIABLE: facts.visible_devices}
    return choose_gpu(AUTO, facts.nvml, variables).gpu


def gpu_behind(facts: Facts, device: str) -> Gpu | None:
    """The driver's GPU behind a device of the framework; None where that cannot be told.

    They are told apart by their order, which is the same where none is left out.
    """
    seen = seen_gpus(facts)
    ids = [gpu.id for gpu in facts.framework.gpus] if facts.framework else []
    return seen[ids.index(device)] if device in ids and len(ids) == len(seen) else None


def symptoms_on(facts: Facts, gpus: Iterable[Gpu]) -> frozenset[str]:
    """Ids of the symptoms that trouble with these GPUs explains.

    Failed steps are theirs if none failed on another GPU; that the framework sees no GPU at all is
    theirs if there is no other.
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


def framework_title(facts: Facts) -> str:
    """TensorFlow, JAX, PyTorch, or another name made safe to print."""
    return quote(TITLES.get(backend(facts), backend(facts)), 40)


def framework_stderr(facts: Facts) -> str:
    """What the framework's process printed last."""
    told = outcome(facts, "framework")
    return told.stderr if told else ""


def framework_words(facts: Facts) -> str:
    """All its words: errors of its steps, then what it printed."""
    return "\n".join([*(failure.words for failure in failures(facts)), framework_stderr(facts)])


def _unfinished_step(facts: Facts) -> Failure | None:
    """The step in which the process ended; None where it ended elsewhere, or is told already."""
    end = stopped(facts)
    current = facts.framework.current if facts.framework else ""
    device = re.search(r"\b(cpu|gpu):\d+\b", current)
    if not (end and device and facts.framework):
        return None
    last = Failure(device[0], "jit" in current, f"the process ended {end}")
    told = [(s.device, s.jit) for s in facts.framework.steps if s.error]
    return None if (last.device, last.jit) in told else last
